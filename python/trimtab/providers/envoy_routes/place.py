"""Where in a RouteConfiguration something stands, for errors that name it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.errors import InvalidDocument


@dataclass(frozen=True, slots=True)
class Place:
    """A field, and the fields that it is in. Written out only when there is an error to tell."""

    field: str
    inside: Place | None = None
    name: str = ""

    def at(self, field: str) -> Place:
        """A field of this one."""
        return Place(field, self)

    def item(self, field: str, index: int, name: str = "") -> Place:
        """One of a repeated field; ``name`` is what it calls itself."""
        return Place(f"{field}[{index}]", self, name)

    def refusal(self, why: str) -> InvalidDocument:
        """The error that says why this cannot be honoured, and what to do."""
        return InvalidDocument(f"{self}: {why}")

    def __str__(self) -> str:
        named = f" {json.dumps(self.name, ensure_ascii=False)}" if self.name else ""
        here = f"{self.field}{named}"
        if self.inside is None:
            return here
        # What is named, or a whole document, is a step of its own; fields are joined by dots.
        joint = ": " if self.inside.name or self.inside.inside is None else "."
        return f"{self.inside}{joint}{here}"


def refuse_fields(message: Any, fields: Mapping[str, str], place: Place) -> None:
    """Raise InvalidDocument where one of ``fields`` of a protobuf message is set; each comes with
    why it is not honoured and what to do instead."""
    for field, remedy in fields.items():
        presence = message.DESCRIPTOR.fields_by_name[field].has_presence
        if message.HasField(field) if presence else getattr(message, field):
            raise place.at(field).refusal(f"not honoured: {remedy}")
