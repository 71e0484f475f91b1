"""Every sort of route that a VirtualRouter can hold: a canary gets a quarter, and gives it back.

The weights are those of a real API server, the counts those of a real Envoy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from steering.router_world import RouterWorld, router_world
from xds_harness import documents as docs
from xds_harness.traffic import WIRES, answers, divided

from trimtab.core.model import Action, Outcome
from trimtab.testbed.processes import Cluster

pytestmark = pytest.mark.usefixtures("envoy_binary")
ARN = "arn:aws:appmesh:eu-west-1:123456789012:mesh/m/virtualNode/far"
REQUESTS = 400

Targets = list[tuple[str, int]]
"""Nodes with their weights, in order; ``elsewhere/NAME`` stands in another namespace."""


@dataclass(frozen=True, slots=True)
class Case:
    """The weights of each rule before, and with the canary v2 at 25 %."""

    before: Mapping[str, Targets]
    opened: Mapping[str, list[int]]
    form: str = "httpRoute"
    stable: tuple[str, ...] = ("v1",)
    canary: str = "v2"
    routes: tuple[str, ...] = ()  # that the policy names
    more: tuple[docs.Document, ...] = ()
    told: str = ""  # a part of what the decision says


TWO: Mapping[str, Targets] = {"all": [("v1", 100), ("v2", 0)]}
QUARTER = {"all": [75, 25]}
SEVERAL: Mapping[str, Targets] = {
    "a": [("v1", 100), ("v2", 0)],
    "b": [("v1", 40), ("v2", 0), ("other", 60)],
}
CASES = {
    "http": Case(TWO, QUARTER),
    "http2": Case(TWO, QUARTER, form="http2Route"),
    "grpc": Case(TWO, QUARTER, form="grpcRoute"),
    "tcp": Case(TWO, QUARTER, form="tcpRoute"),
    "a third target keeps its weight": Case(
        {"all": [("v1", 60), ("v2", 0), ("other", 40)]}, {"all": [45, 15, 40]}
    ),
    "ten targets": Case(
        {"all": [("v1", 60), ("v2", 0), *((f"o{i}", 5) for i in range(8))]},
        {"all": [45, 15, *[5] * 8]},
    ),
    "a node that stands there twice": Case(
        {"all": [("v1", 60), ("v1", 20), ("v2", 0), ("other", 20)]},
        {"all": [45, 15, 20, 20]},
        stable=("v1", "v1#2"),
    ),
    "several routes together": Case(SEVERAL, {"a": [75, 25], "b": [30, 10, 60]}),
    "one route by its name": Case(
        SEVERAL,
        {"a": [75, 25], "b": [40, 0, 60]},
        routes=("a",),
        told="v2 is counted together with route 'b' of VirtualRouter",
    ),
    "nodes in other namespaces": Case(
        {"all": [("v1", 100), ("elsewhere/v2", 0)]}, QUARTER, canary="elsewhere/v2"
    ),
    "a target by ARN keeps its weight": Case(
        {"all": [("v1", 80), ("v2", 0), (ARN, 20)]}, {"all": [60, 20, 20]}
    ),
    "a node that another router leads to": Case(
        TWO,
        QUARTER,
        more=(docs.service("till", router="till"), docs.router("till", docs.rule("x", {"v2": 1}))),
        told="v2 is counted together with route 'x' of VirtualRouter",
    ),
}


def rule(name: str, form: str, targets: Targets, elsewhere: str) -> docs.Document:
    match = {"grpcRoute": {"serviceName": name}, "tcpRoute": {}}.get(form, {"prefix": f"/{name}"})
    found = docs.rule(name, {}, match, form=form)
    for target, weight in targets:
        space, _, node = target.rpartition("/")
        reference = {"name": node, **({"namespace": elsewhere} if space else {})}
        by = {"virtualNodeARN": ARN} if target == ARN else {"virtualNodeRef": reference}
        found[form]["action"]["weightedTargets"].append({**by, "weight": weight})
    return found


def policy(case: Case, space: str, elsewhere: str) -> dict[str, Any]:
    roles = {**dict.fromkeys(case.stable, "stable"), case.canary: "canary"}
    named = {name.replace("elsewhere/", f"{elsewhere}/"): role for name, role in roles.items()}
    spec = {
        "targetRef": {"group": docs.GROUP, "kind": "VirtualRouter", "name": "pay"},
        "routes": list(case.routes),
        "mode": "canary",
        "targets": [{"name": name, "role": role} for name, role in named.items()],
        "canary": {"steps": [25, 100], "stepSeconds": 600},
        "abort": {"minRequests": 20},
    }
    metadata = {"name": "pay", "namespace": space}
    version = "trimtab.dev/v1alpha1"
    return {"apiVersion": version, "kind": "WeightPolicy", "metadata": metadata, "spec": spec}


def nodes(case: Case, space: str, elsewhere: str) -> dict[str, str]:
    """The namespace of each node."""
    targets = [target for rule in case.before.values() for target, _ in rule if target != ARN]
    return {t.rpartition("/")[2]: elsewhere if "/" in t else space for t in targets}


async def served(mesh: RouterWorld, case: Case, weights: Mapping[str, list[int]]) -> bool:
    """Whether the requests to each rule divide as its weights; nobody answers for a target by ARN."""
    for name, targets in case.before.items():
        shares: Counter[str] = Counter()
        for (target, _), weight in zip(targets, weights[name], strict=True):
            shares["503" if target == ARN else target.rpartition("/")[2]] += weight
        how = {} if case.form == "tcpRoute" else {"path": f"/{name}/Ask"}
        # An honest split lies outside of the band once in a thousand times, hardly ever twice.
        if not divided(await answers(mesh.ask, REQUESTS, **how), shares) and not divided(
            await answers(mesh.ask, REQUESTS, **how), shares
        ):
            return False
    return True


@pytest.mark.parametrize("name", CASES)
async def test_a_quarter_and_back(
    cluster: Cluster, namespace: str, tmp_path: Path, name: str
) -> None:
    """The weights that the policy concerns move in one patch, all others stay; the requests follow;
    an abort puts everything back. Nothing judges TCP, where Envoy counts no requests: the canary
    waits."""
    case, elsewhere = CASES[name], f"{namespace}-more"
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": elsewhere}})
    wire, where = WIRES[case.form], nodes(case, namespace, elsewhere)
    rules = [rule(n, case.form, targets, elsewhere) for n, targets in case.before.items()]
    asked = policy(case, namespace, elsewhere)
    async with router_world(
        cluster, (namespace, elsewhere), tmp_path, wire, rules, where, asked, case.more
    ) as mesh:
        before = mesh.weights()
        opened = await mesh.tick({})
        assert (opened.outcome, opened.message) == (Outcome.APPLIED, "")
        assert mesh.weights() == case.opened
        assert await served(mesh, case, case.opened)
        assert case.told in "; ".join(reason.message for reason in opened.decision.reasons)
        if wire == "tcp":
            waiting = (await mesh.tick({})).decision
            assert (waiting.action, waiting.judgements[0].message) == (Action.HOLD, "no data yet")
            return
        key = f"cds_egress_m_v2_{where['v2']}_{wire}_{mesh.ports['v2']}"
        aborted = await mesh.tick({key: {2: 10, 5: 90}})
        assert (aborted.outcome, aborted.decision.action) == (Outcome.APPLIED, Action.ABORT)
        assert mesh.weights() == before
        assert await served(mesh, case, before)
