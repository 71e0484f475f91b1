"""Weights of a GatewayRoute, which App Mesh does not know: an annotation that we alone honour.

``trimtab.dev/weights: "pay-v1=90,till/pay-v2=10"`` divides the requests of a route among
VirtualServices, that of its target among them. Whoever else reads the document sees a route
to its target, so that an annotation which cannot be read is the same as none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from trimtab.providers.appmesh.model import GatewayRoute
from trimtab.providers.appmesh.values import Reference

ANNOTATION = "trimtab.dev/weights"
MAXIMUM = 100

_PART = re.compile(r"(?:(?P<space>[^=/,\s]+)/)?(?P<name>[^=/,\s]+)=(?P<weight>\d{1,3})", re.ASCII)


class Share(NamedTuple):
    """What one service gets; without a namespace it stands in that of the route."""

    reference: Reference
    weight: int


def shares_of(route: GatewayRoute) -> tuple[Share, ...]:
    """The shares of a route; none where nothing, or nothing readable, is annotated."""
    try:
        return read_shares(route)
    except ValueError:
        return ()


def read_shares(route: GatewayRoute) -> tuple[Share, ...]:
    """The shares of a route, none without an annotation. Raises ValueError, a sentence, for one
    that cannot be honoured."""
    text = route.annotations.get(ANNOTATION)
    if text is None:
        return ()
    shares = tuple(_share(part.strip()) for part in text.split(","))
    space = route.namespace
    named = [(s.reference.namespace or space, s.reference.name) for s in shares]
    if len(set(named)) < len(named):
        raise ValueError("it names a service twice.")
    total = sum(share.weight for share in shares)
    if not 0 < total <= MAXIMUM:
        raise ValueError(f"its weights add up to {total}, and not to 1 to {MAXIMUM}.")
    target = route.spec.target.virtual_service.virtual_service_ref
    if target is None or (target.namespace or space, target.name) not in named:
        raise ValueError("it leaves out the VirtualService that the route leads to.")
    return shares


def text_of(weights: Iterable[tuple[str, int]]) -> str:
    """The annotation for services, each by its name or ``namespace/name``."""
    return ",".join(f"{name}={weight}" for name, weight in weights)


def _share(part: str) -> Share:
    found = _PART.fullmatch(part)
    if found is None:
        raise ValueError(f"{part!r} is not of the form NAME=WEIGHT or NAMESPACE/NAME=WEIGHT.")
    return Share(Reference(name=found["name"], namespace=found["space"]), int(found["weight"]))
