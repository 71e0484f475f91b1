"""What only shows when documents are put together, each finding with the field it stands in.

``Checks`` keeps what it found, and looks again only at what changed and at what asked for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from trimtab.core.model import Diagnostic, ObjectRef
from trimtab.providers.appmesh.checks import annotated, matches, references, transport
from trimtab.providers.appmesh.checks.cells import Cells
from trimtab.providers.appmesh.checks.circles import CircleChecks
from trimtab.providers.appmesh.checks.gateways import GatewayChecks
from trimtab.providers.appmesh.checks.members import MemberChecks
from trimtab.providers.appmesh.checks.view import Asked, Beside, Named, Names, There, View
from trimtab.providers.appmesh.codes import Problem, diagnostic
from trimtab.providers.appmesh.documents import Document
from trimtab.providers.appmesh.model import Resource
from trimtab.providers.appmesh.values import GROUP

if TYPE_CHECKING:
    from trimtab.providers.appmesh.reading import AppMeshReading


class Checks:
    """The findings of the last reading that was looked at."""

    def __init__(self) -> None:
        self._documents: Mapping[ObjectRef, Document] = {}
        self._telling: dict[ObjectRef, tuple[Diagnostic, ...]] = {}  # documents with mistakes
        self._names = Names()
        self._members = MemberChecks()
        self._gateways = GatewayChecks()
        self._circles = CircleChecks()
        self._single = Cells(_check)

    def look(self, reading: AppMeshReading) -> tuple[Diagnostic, ...]:
        """Every finding of a reading: of each document by itself, then of all together."""
        changed = self._changed(reading)
        keys = list(self._take(reading, changed))
        self._documents = reading.documents
        self._gateways.update(reading, changed)
        self._circles.update(reading, self._names, keys)
        self._single.update(reading, self._names, keys)
        return tuple(self._findings(reading))

    def _changed(self, reading: AppMeshReading) -> list[ObjectRef]:
        """What is otherwise than in the reading that was looked at last, in the order of names."""
        before, now = self._documents, reading.documents
        maybe = reading.changed if before is reading.before else before.keys() | now.keys()
        return sorted(ref for ref in maybe if before.get(ref) is not now.get(ref))

    def _take(self, reading: AppMeshReading, changed: Iterable[ObjectRef]) -> Iterator[Asked]:
        """Take in each change; gives what somebody may have asked for and is otherwise now."""
        for ref in changed:
            old, new = self._documents.get(ref), reading.documents.get(ref)
            self._members.replace(old, new)
            self._telling.pop(ref, None)
            if new is not None and new.diagnostics:
                self._telling[ref] = new.diagnostics
            yield ref
            if (old is None) != (new is None) and ref.group == GROUP:
                (self._names.remove if new is None else self._names.add)(ref)
                yield from (There(ref), Named(ref.kind, ref.name), Beside(ref.kind, ref.namespace))

    def _findings(self, reading: AppMeshReading) -> Iterator[Diagnostic]:
        for _, told in sorted(self._telling.items()):
            yield from told
        yield from self._members.findings(reading)
        yield from self._gateways.findings()
        yield from self._circles.findings(reading)
        for ref, problems in sorted(self._single.values.items()):
            yield from (diagnostic(p, reading.documents[ref].object) for p in problems)


def _check(view: View, resource: Resource[Any]) -> tuple[Problem, ...]:
    """What concerns one object and those that it leads to."""
    problems = [*references.unresolved(view, resource)]
    if resource.ref.kind == "GatewayRoute":
        problems += annotated.gateway_route(view, resource)
        problems += matches.rewrites(view, resource)
        problems += transport.gateway_route(view, resource)
    if resource.ref.kind == "VirtualRouter":
        problems += transport.router(view, resource)
    return tuple(problems)
