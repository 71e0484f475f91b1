"""A reading as a check sees it: what the check asks for is noted, so that it need not run again."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from trimtab.core.model import ObjectRef
from trimtab.providers.appmesh.model import Resource, VirtualNode, VirtualRouter, VirtualService
from trimtab.providers.appmesh.values import Reference

if TYPE_CHECKING:
    from trimtab.providers.appmesh.reading import AppMeshReading


class There(NamedTuple):
    """Whether an object is there, whatever it says."""

    ref: ObjectRef


class Named(NamedTuple):
    """The objects of a kind and name, in whichever namespace."""

    kind: str
    name: str


class Beside(NamedTuple):
    """The objects of a kind in a namespace."""

    kind: str
    namespace: str


# What a check may ask for: an object with all that it says, or one of the above.
Asked: TypeAlias = ObjectRef | There | Named | Beside


class Names:
    """Which objects there are, for whoever looks for one that is not."""

    def __init__(self) -> None:
        self._spaces: dict[Named, set[str]] = {}
        self._names: dict[Beside, set[str]] = {}

    def add(self, ref: ObjectRef) -> None:
        self._spaces.setdefault(Named(ref.kind, ref.name), set()).add(ref.namespace)
        self._names.setdefault(Beside(ref.kind, ref.namespace), set()).add(ref.name)

    def remove(self, ref: ObjectRef) -> None:
        self._spaces[Named(ref.kind, ref.name)].discard(ref.namespace)
        self._names[Beside(ref.kind, ref.namespace)].discard(ref.name)

    def namespaces(self, of: Named) -> Sequence[str]:
        return sorted(self._spaces.get(of, ()))

    def first(self, count: int, of: Beside) -> Sequence[str]:
        return nsmallest(count, self._names.get(of, ()))


class View:
    """The lookups of a reading. ``asked`` holds what was looked for, found or not."""

    def __init__(self, reading: AppMeshReading, names: Names) -> None:
        self._reading = reading
        self._names = names
        self.asked: set[Asked] = set()

    def exists(self, ref: ObjectRef) -> bool:
        self.asked.add(There(ref))
        return ref in self._reading.documents

    def service(self, reference: Reference, referrer: Resource[Any]) -> VirtualService | None:
        return self._reading.services.get(self._asked("VirtualService", reference, referrer))

    def router(self, reference: Reference, referrer: Resource[Any]) -> VirtualRouter | None:
        return self._reading.routers.get(self._asked("VirtualRouter", reference, referrer))

    def node(self, reference: Reference, referrer: Resource[Any]) -> VirtualNode | None:
        return self._reading.nodes.get(self._asked("VirtualNode", reference, referrer))

    def target(self, kind: str, reference: Reference, referrer: Resource[Any]) -> ObjectRef:
        return self._reading.target(kind, reference, referrer)

    def namesakes(self, of: ObjectRef) -> Sequence[str]:
        """The namespaces in which there is an object of the same kind and name."""
        named = Named(of.kind, of.name)
        self.asked.add(named)
        return self._names.namespaces(named)

    def neighbours(self, of: ObjectRef, most: int) -> Sequence[str]:
        """The names of objects of the same kind in the same namespace, the first ``most``."""
        beside = Beside(of.kind, of.namespace)
        self.asked.add(beside)
        return self._names.first(most, beside)

    def _asked(self, kind: str, reference: Reference, referrer: Resource[Any]) -> ObjectRef:
        ref = self.target(kind, reference, referrer)
        self.asked.add(ref)
        return ref
