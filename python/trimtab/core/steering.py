"""Where the weights of a route stand that has none of its own. Words for the provider, no rule.

The core hands these on as they are: what a service is, and how a route is turned to another
one, is the provider's affair. Names of fields are single words, the same in documents and in
records of decisions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from annotated_types import Len

from trimtab.core.documented import Documented, Name, doc


class Way(StrEnum):
    RESOLVE = "resolve"
    RETARGET = "retarget"
    LANE = "lane"
    ANNOTATE = "annotate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(Documented):
    """One name of a request with the value that it must have."""

    name: Name = field(metadata=doc("The name; that of a header in any case."))
    value: Annotated[str, Len(1, 255)] | None = field(
        default=None, metadata=doc("The exact value; without it the name has to be there.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort(Documented):
    """Which requests take the lane: those for which everything that is listed holds."""

    headers: Annotated[tuple[Pair, ...], Len(0, 9)] = field(
        default=(), metadata=doc("Headers that a request must have.")
    )
    cookies: Annotated[tuple[Pair, ...], Len(0, 9)] = field(
        default=(), metadata=doc("Cookies that a request must have.")
    )
    query: Annotated[tuple[Pair, ...], Len(0, 10)] = field(
        default=(), metadata=doc("Query parameters that a request must have.")
    )
    host: Annotated[str, Len(0, 253)] = field(
        default="", metadata=doc("The host name that a request must be for; empty means any.")
    )

    @property
    def empty(self) -> bool:
        return not (self.headers or self.cookies or self.query or self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Steering(Documented):
    """How an object is steered that leads to one service and has no weights."""

    way: Way = field(
        default=Way.RESOLVE,
        metadata=doc(
            "resolve: follow it to the weights behind it. retarget: switch it from one service to "
            "the other. lane: a route beside it for some requests. annotate: weights in an "
            "annotation, which Trimtab's own xDS honours."
        ),
    )
    services: Annotated[tuple[Name, ...], Len(0, 10)] = field(
        default=(),
        metadata=doc(
            "The services to choose from, the one that it leads to now among them: two for "
            "retarget and lane, two to ten for annotate; namespace/name if elsewhere."
        ),
    )
    match: Cohort = field(
        default_factory=Cohort, metadata=doc("Which requests take the lane; for lane alone.")
    )
