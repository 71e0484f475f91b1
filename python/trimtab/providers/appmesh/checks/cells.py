"""What is worked out of an object and those that it leads to, kept until one of them changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from trimtab.core.model import ObjectRef
from trimtab.providers.appmesh.checks.view import Asked, Names, View
from trimtab.providers.appmesh.model import Resource

if TYPE_CHECKING:
    from trimtab.providers.appmesh.reading import AppMeshReading

V = TypeVar("V")


class Cells(Generic[V]):
    """A value for each object of which ``work`` makes one that is not empty."""

    def __init__(self, work: Callable[[View, Resource[Any]], V]) -> None:
        self._work = work
        self._values: dict[ObjectRef, V] = {}
        self._asked: dict[ObjectRef, frozenset[Asked]] = {}
        self._askers: dict[Asked, set[ObjectRef]] = {}

    @property
    def values(self) -> Mapping[ObjectRef, V]:
        return self._values

    def update(self, reading: AppMeshReading, names: Names, changed: Iterable[Asked]) -> bool:
        """Work out anew what has changed itself or has asked for something that has; True when a
        value is another one now."""
        again: set[ObjectRef] = set()
        for one in changed:
            if isinstance(one, ObjectRef):
                again.add(one)
            again |= self._askers.get(one, set())
        return any([self._again(reading, names, ref) for ref in again])  # noqa: C419 - all of them

    def _again(self, reading: AppMeshReading, names: Names, ref: ObjectRef) -> bool:
        before = self._values.pop(ref, None)
        for asked in self._asked.pop(ref, ()):
            askers = self._askers[asked]
            askers.discard(ref)
            if not askers:
                del self._askers[asked]
        document = reading.documents.get(ref)
        if document is None or document.resource is None:
            return before is not None
        view = View(reading, names)
        value = self._work(view, document.resource)
        if value:
            self._values[ref] = value
        if view.asked:
            self._asked[ref] = frozenset(view.asked)
        for asked in view.asked:
            self._askers.setdefault(asked, set()).add(ref)
        return self._values.get(ref) != before
