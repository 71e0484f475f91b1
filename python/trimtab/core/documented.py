"""How the parts of a policy document are written down: camelCase names, nothing unknown."""

from __future__ import annotations

from typing import Annotated, ClassVar

from annotated_types import Len

Name = Annotated[str, Len(1, 253)]


def camel(name: str) -> str:
    """The name of a field as documents write it."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


class Documented:
    """How the reader treats every part of a policy: camelCase names, nothing unknown."""

    __slots__ = ()
    __pydantic_config__: ClassVar = {"extra": "forbid", "alias_generator": camel}


def doc(text: str) -> dict[str, str]:
    """Metadata of a field: the sentence that the CRD and the reference page show."""
    return {"doc": text}
