"""Weights that somebody wrote at a GatewayRoute, where only our own xDS looks for them."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.checks.view import View
from trimtab.providers.appmesh.codes import Problem
from trimtab.providers.appmesh.model import GatewayRoute
from trimtab.providers.appmesh.shares import ANNOTATION, read_shares

_FIELD = f"metadata.annotations[{ANNOTATION}]"


def gateway_route(view: View, route: GatewayRoute) -> Iterator[Problem]:
    """What is wrong with the annotation; where nothing is, who honours it."""
    try:
        shares = read_shares(route)
    except ValueError as error:
        message = f"cannot be used, so that all requests go to the one target: {error}"
        remedy = "Write NAME=WEIGHT for each VirtualService, with commas between, 100 in all."
        yield Problem(codes.WEIGHTS_UNREAD, _FIELD, message, remedy)
        return
    for share in shares:
        if view.service(share.reference, route) is None:
            ref = view.target("VirtualService", share.reference, route)
            message = f"gives a share to {ref}, which is not there: those requests get a 503."
            remedy = "Create it, or give its share to another one."
            yield Problem(codes.WEIGHTS_UNREAD, _FIELD, message, remedy)
    if shares:
        message = (
            "divides the requests where Trimtab serves the Envoys; whatever else reads this "
            "document sends all of them to its one target."
        )
        yield Problem(codes.WEIGHTS_OURS, _FIELD, message)
