"""What only shows when documents are put together, each finding with the field it stands in.

``Checks`` keeps what it found, and looks again only at what changed and at what asked for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from trimtab.core.model import Diagnostic, ObjectRef
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.checks import annotated, matches, references, sharing, transport
from trimtab.providers.appmesh.checks.view import View
from trimtab.providers.appmesh.codes import diagnostic
from trimtab.providers.appmesh.documents import Document
from trimtab.providers.appmesh.model import Resource, VirtualGateway

if TYPE_CHECKING:
    from trimtab.providers.appmesh.reading import AppMeshReading

# They say who belongs to what: after a change of one of these everything is looked at again.
_OWNERS = ("Mesh", "Namespace", "VirtualGateway")


class Checks:
    """The findings of the last reading that was looked at."""

    def __init__(self) -> None:
        self._documents: Mapping[ObjectRef, Document] = {}
        self._asked: dict[ObjectRef, frozenset[ObjectRef]] = {}  # what a check looked at beside
        self._telling: dict[ObjectRef, tuple[Diagnostic, ...]] = {}  # the few that found something
        self._askers: dict[ObjectRef, set[ObjectRef]] = {}
        self._overall: tuple[Diagnostic, ...] = ()

    def look(self, reading: AppMeshReading) -> tuple[Diagnostic, ...]:
        """Every cross-check of a reading."""
        changed = self._changed(reading.documents)
        owners_changed = any(ref.kind in _OWNERS for ref in changed)
        if owners_changed:
            self._asked, self._telling, self._askers = {}, {}, {}
            again = set(reading.documents)
        else:
            again = changed.union(*(self._askers.get(ref, ()) for ref in changed))
            again |= {g.ref for g in _gateways_of(reading, changed)}
            if reading.documents.keys() != self._documents.keys():
                again |= self._unresolved()  # what is near by, as they say, may be another now
        for ref in again:
            self._look_at(reading, ref)
        if owners_changed or any(self._connects(ref, reading.documents) for ref in changed):
            self._overall = tuple(_overall(reading))
        self._documents = reading.documents
        telling = [ref for ref in reading.documents if ref in self._telling]
        return (*self._overall, *(d for ref in telling for d in self._telling[ref]))

    def _changed(self, documents: Mapping[ObjectRef, Document]) -> set[ObjectRef]:
        before = self._documents
        changed = {ref for ref, document in documents.items() if before.get(ref) is not document}
        return changed | (before.keys() - documents.keys())

    def _unresolved(self) -> set[ObjectRef]:
        code = codes.UNRESOLVED.name
        return {r for r, told in self._telling.items() if any(d.code == code for d in told)}

    def _connects(self, ref: ObjectRef, documents: Mapping[ObjectRef, Document]) -> bool:
        """Whether the change of an object changes who knows whom by which name."""
        return bool(_connections(self._documents.get(ref)) != _connections(documents.get(ref)))

    def _look_at(self, reading: AppMeshReading, ref: ObjectRef) -> None:
        before = self._asked.pop(ref, frozenset())
        self._telling.pop(ref, None)
        for asked in before:
            self._askers[asked].discard(ref)
        document = reading.documents.get(ref)
        if document is None or document.resource is None or ref.kind in ("Mesh", "Namespace"):
            return
        view = View(reading)
        diagnostics = tuple(_check(view, document.resource))
        if diagnostics:
            self._telling[ref] = diagnostics
        if view.asked:
            self._asked[ref] = frozenset(view.asked)
        for asked in view.asked:
            self._askers.setdefault(asked, set()).add(ref)


def _gateways_of(reading: AppMeshReading, refs: Iterable[ObjectRef]) -> Iterator[VirtualGateway]:
    """The gateways that the GatewayRoutes among ``refs`` belong to now."""
    for ref in refs:
        route = reading.gateway_routes.get(ref)
        gateway = reading.gateway_of(route) if route is not None else None
        if gateway is not None:
            yield gateway


def _connections(document: Document | None) -> tuple[Any, ...] | None:
    """What an object says of others, without weights and matches; None when it says nothing."""
    if document is None or document.resource is None:
        return None
    resource = document.resource
    spec = resource.spec
    return (
        resource.object.origin,
        resource.labels,
        getattr(spec, "mesh_ref", None),
        getattr(spec, "aws_name", None),
        [(kind, reference) for kind, _, reference in references.named(resource)],
    )


def _overall(reading: AppMeshReading) -> Iterator[Diagnostic]:
    """What concerns many objects at once."""
    yield from references.owners(reading)
    yield from references.same_names(reading)
    yield from references.idle_gateways(reading)
    yield from sharing.shared_nodes(reading)
    yield from sharing.cycles(reading)


def _check(view: View, resource: Resource[Any]) -> Iterator[Diagnostic]:
    """What concerns one object and those that it leads to."""
    kind = resource.ref.kind
    if kind == "VirtualGateway":
        for route, problem in matches.gateway_order(view, resource):
            yield diagnostic(problem, route.object)
    problems = [*references.unresolved(view, resource)]
    if kind == "GatewayRoute":
        problems += annotated.gateway_route(view, resource)
        problems += matches.rewrites(view, resource)
        problems += transport.gateway_route(view, resource)
    if kind == "VirtualRouter":
        problems += transport.router(view, resource)
    yield from (diagnostic(problem, resource.object) for problem in problems)
