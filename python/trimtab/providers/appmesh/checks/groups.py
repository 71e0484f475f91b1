"""Objects by what they have in common: a name, a namespace, a node that they lead to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Generic, TypeVar

from trimtab.core.model import ObjectRef
from trimtab.providers.appmesh.model import Resource

K = TypeVar("K", bound=Hashable)


class Groups(Generic[K]):
    """``keys_of`` says to which groups an object belongs."""

    def __init__(self, keys_of: Callable[[Resource[Any]], Iterable[K]]) -> None:
        self._keys_of = keys_of
        self._members: dict[K, set[ObjectRef]] = {}
        self._several: set[K] = set()

    def replace(self, old: Resource[Any] | None, new: Resource[Any] | None) -> None:
        """An object changed from ``old`` to ``new``; None: it is not there, or cannot be read."""
        gone = set(self._keys_of(old)) if old is not None else set()
        come = set(self._keys_of(new)) if new is not None else set()
        if old is not None:
            for key in gone - come:
                self._leave(key, old.ref)
        if new is not None:
            for key in come - gone:
                self._join(key, new.ref)

    @property
    def keys(self) -> AbstractSet[K]:
        return self._members.keys()

    def members(self, key: K) -> Collection[ObjectRef]:
        return self._members[key]

    @property
    def several(self) -> Mapping[K, Collection[ObjectRef]]:
        """The groups of more than one object."""
        return {key: self._members[key] for key in self._several}

    def _join(self, key: K, ref: ObjectRef) -> None:
        members = self._members.setdefault(key, set())
        members.add(ref)
        if len(members) > 1:
            self._several.add(key)

    def _leave(self, key: K, ref: ObjectRef) -> None:
        members = self._members[key]
        members.discard(ref)
        if len(members) < 2:
            self._several.discard(key)
        if not members:
            del self._members[key]
