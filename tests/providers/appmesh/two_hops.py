"""A mesh of two hops: its documents, and what a request that goes through it ends at."""

from __future__ import annotations

from typing import Any

from trimtab.core.matching import MatchAnswer, MatchQuery
from trimtab.providers.appmesh import AppMesh, MeshTable

MESH = """
{apiVersion: appmesh.k8s.aws/v1beta2, kind: Mesh, metadata: {name: m}, spec: {namespaceSelector: {}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualGateway
metadata: {name: door, namespace: shop}
spec:
  namespaceSelector: {}
  listeners: [{portMapping: {port: 8088, protocol: http}}]
"""


def service(name: str, *rules: str, listeners: str = "{port: 80, protocol: http}") -> str:
    """A VirtualService with a VirtualRouter of the same name; each rule leads to a node named as
    the rule."""
    entries = "\n".join(rules)
    return f"""
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {{name: {name}, namespace: shop}}
spec: {{provider: {{virtualRouter: {{virtualRouterRef: {{name: {name}}}}}}}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata: {{name: {name}, namespace: shop}}
spec:
  listeners: [{{portMapping: {listeners}}}]
  routes:
{entries}
"""


def rule(name: str, match: str, form: str = "httpRoute", priority: int | None = None) -> str:
    first = f"priority: {priority}, " if priority is not None else ""
    target = f"{{virtualNodeRef: {{name: {name}}}, weight: 1}}"
    return (
        f"    - {{name: {name}, {first}{form}: {{match: {match}, "
        f"action: {{weightedTargets: [{target}]}}}}}}"
    )


def route(
    name: str,
    match: str,
    to: str = "any",
    rewrite: str = "",
    priority: int | None = None,
    form: str = "httpRoute",
) -> str:
    first = f"priority: {priority}" if priority is not None else "awsName: " + name
    change = f", rewrite: {rewrite}" if rewrite else ""
    target = f"{{virtualService: {{virtualServiceRef: {{name: {to}}}}}}}"
    return f"""
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {{name: {name}, namespace: shop}}
spec: {{{first}, {form}: {{match: {match}, action: {{target: {target}{change}}}}}}}
"""


ANY = service("any", rule("all", "{prefix: /}"))


def table(load: Any, *texts: str) -> MeshTable:
    return MeshTable(AppMesh().load(load(MESH + "".join(texts))))


def won(found: MatchAnswer | None) -> str | None:
    assert found is not None
    return found.route and found.route.removeprefix("shop/")


def ask(mesh: MeshTable, path: str, **query: Any) -> MatchAnswer:
    headers = tuple(query.pop("headers", {}).items())
    found = mesh.answer(MatchQuery(path, headers=headers, **query))
    assert found is not None
    return found
