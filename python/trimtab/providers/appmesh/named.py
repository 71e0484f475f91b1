"""Resources by what a person calls them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from trimtab.errors import InvalidDocument
from trimtab.providers.appmesh.model import Resource

R = TypeVar("R", bound=Resource[Any])


class ByName(Generic[R]):
    """Resources by ``namespace/name``, and by name alone where that is clear."""

    def __init__(self, resources: Iterable[R]) -> None:
        self._by_title = {r.title: r for r in resources}
        self._by_name: dict[str, list[str]] = {}
        for title, resource in self._by_title.items():
            self._by_name.setdefault(resource.name, []).append(title)

    @property
    def titles(self) -> Sequence[str]:
        return sorted(self._by_title)

    def get(self, name: str, kind: str) -> R | None:
        found = self._by_title.get(name)
        if found is not None:
            return found
        titles = self._by_name.get(name, [])
        if len(titles) > 1:
            raise InvalidDocument(
                f"{kind} {name}: there are {', '.join(sorted(titles))}; name one with its namespace"
            )
        return self._by_title[titles[0]] if titles else None
