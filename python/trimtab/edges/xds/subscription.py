"""What the two sides of a stream say, and what is known of one type of resources."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from trimtab.edges.xds.snapshot import WHOLE, Resource, Resources

# Envoy cuts long errors (at 4096 bytes), so the names in one may not be all that it means.
_CUT = 4000


class Request(NamedTuple):
    """What a DiscoveryRequest says. ``error`` is None for an acknowledgement."""

    type_url: str
    version: str
    nonce: str
    names: tuple[str, ...]
    error: str | None = None


class Response(NamedTuple):
    type_url: str
    version: str
    nonce: str
    resources: Resources


class Refusal(NamedTuple):
    """A NACK: when, which resources Envoy blamed (all that were new to it, if it named none), why."""

    at: float
    type_url: str
    version: str
    names: tuple[str, ...]
    message: str


class Missing(NamedTuple):
    """A resource that the Envoy has not as it was last changed. ``refused`` says why it will not
    have it before something else is offered; None: it is on its way."""

    type_url: str
    name: str
    refused: str | None


@dataclass(slots=True)
class Subscription:
    """What is known of one type. ``names`` is None for all; ``before`` is what the Envoy held
    when the response in flight was sent, None when none is in flight."""

    names: frozenset[str] | None
    claimed: str
    nonce: str = ""
    version: str = ""  # of the last response
    sent_at: float = 0.0
    answered: bool = False
    accepted: tuple[str, Resources] | None = None
    held: dict[str, Resource] = field(default_factory=dict)
    before: dict[str, Resource] | None = None
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)  # name -> version, error
    settled: Resources | None = None  # the resources of which nothing remains to be sent

    def wanted(self, resources: Resources) -> Resources:
        if self.names is None:
            return resources
        return {name: r for name, r in resources.items() if name in self.names}

    def acknowledged(self, name: str) -> Resource | None:
        return (self.held if self.before is None else self.before).get(name)

    def rejects(self, name: str, resource: Resource) -> bool:
        return name in self.refused and self.refused[name][0] == resource.version

    def mentioned(self, error: str) -> list[str]:
        """Of what was new in the response in flight, the names that Envoy blames; all, if none."""
        before = self.before or {}
        new = [name for name, resource in self.held.items() if before.get(name) != resource]
        blamed = [name for name in new if _named(name, error)]
        return new if not blamed or len(error) > _CUT else blamed


def subscribed(
    request: Request, before: frozenset[str] | None, *, first: bool
) -> frozenset[str] | None:
    """The subscription that a request asks for: None is everything. Empty is everything for a
    type in WHOLE, unless names were asked for before."""
    if "*" in request.names:
        return None
    if not request.names and request.type_url in WHOLE and (first or before is None):
        return None
    return frozenset(request.names)


def _named(name: str, error: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", error) is not None
