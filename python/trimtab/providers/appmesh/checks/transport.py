"""Ports, protocols and timeouts that do not fit each other across documents."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.providers.appmesh import codes, names
from trimtab.providers.appmesh.checks.view import View
from trimtab.providers.appmesh.codes import Problem
from trimtab.providers.appmesh.model import GatewayRoute, NodeListener, VirtualNode, VirtualRouter
from trimtab.providers.appmesh.routing import RouterRoute, TcpRoute
from trimtab.providers.appmesh.traffic import HttpTimeout
from trimtab.providers.appmesh.values import Duration, Protocol

DEFAULT_TIMEOUT_MS = 15_000  # of a request, at routes and at nodes alike


# --- gateways -----------------------------------------------------------------------------------


def gateway_route(view: View, route: GatewayRoute) -> Iterator[Problem]:
    """The port of a GatewayRoute's target against the listeners of the router behind it."""
    form = f"spec.{route.spec.protocol}Route"
    target = route.spec.target
    reference = target.virtual_service.virtual_service_ref
    service = view.service(reference, route) if reference else None
    ref = service.spec.router_ref if service else None
    router = view.router(ref, service) if ref and service else None
    if router is not None:
        ports = [listener.port_mapping.port for listener in router.spec.listeners or ()]
        yield from _port(target.port, ports, str(router.ref), f"{form}.action.target")


def _port(port: int | None, ports: list[int], where: str, field: str) -> Iterator[Problem]:
    shown = ", ".join(map(str, ports))
    if port is None and len(ports) > 1:
        message = f"does not say which port of {where} is meant: it listens on {shown}."
        yield Problem(codes.TARGET_PORT_NEEDED, field, message, f"Add port, one of {shown}.")
    if port is not None and ports and port not in ports:
        message = f"names port {port}, but {where} listens on {shown}."
        yield Problem(codes.NO_SUCH_PORT, f"{field}.port", message, f"Write {shown}.")


# --- routers ------------------------------------------------------------------------------------


def router(view: View, router: VirtualRouter) -> Iterator[Problem]:
    """Each rule against the router's listeners, and against the nodes that it leads to."""
    listeners = {
        listener.port_mapping.port: listener.port_mapping.protocol
        for listener in router.spec.listeners or ()
    }
    for i, rule in enumerate(router.spec.routes):
        form = f"spec.routes[{i}].{rule.form}"
        port = rule.route.match.port if rule.route.match else None
        if port is not None and listeners and port not in listeners:
            shown = ", ".join(map(str, listeners))
            message = f"names port {port}, but the router listens on {shown}; it never matches."
            yield Problem(codes.NO_SUCH_PORT, f"{form}.match.port", message, f"Write {shown}.")
        wanted = [listeners[port]] if port in listeners else list(listeners.values())
        if wanted and rule.protocol not in wanted:
            message = f"is a {rule.protocol} route, but the router listens for {wanted[0]}."
            remedy = "Use the form of the listener's protocol, or change the listener."
            yield Problem(codes.WRONG_PROTOCOL, form, message, remedy)
        yield from _targets(view, router, rule, form)


def _targets(view: View, router: VirtualRouter, rule: RouterRoute, form: str) -> Iterator[Problem]:
    for j, target in enumerate(rule.targets):
        ref = target.virtual_node_ref
        node = view.node(ref, router) if ref else None
        if node is None:
            continue
        field = f"{form}.action.weightedTargets[{j}]"
        ports = [listener.port_mapping.port for listener in node.spec.listeners]
        if not ports:
            message = f"{node.ref} has no listeners, so nothing can be sent to it."
            yield Problem(codes.NO_LISTENER, field, message, "Give the node a listener.")
        yield from _port(target.port, ports, str(node.ref), field)
        listener = names.listener_of(node, target.port)
        if listener is not None:
            yield from _fits(rule, node, listener, field)
            yield from _timeouts(rule, node, listener, form)


def _fits(
    rule: RouterRoute, node: VirtualNode, listener: NodeListener, field: str
) -> Iterator[Problem]:
    speaks = listener.port_mapping.protocol
    if speaks is not rule.protocol:
        message = f"{node.ref} speaks {speaks} on that port, the route is for {rule.protocol}."
        remedy = "Use one protocol for the route and for the listeners of its targets."
        yield Problem(codes.WRONG_PROTOCOL, field, message, remedy)


# --- timeouts -----------------------------------------------------------------------------------


def _timeouts(
    rule: RouterRoute, node: VirtualNode, listener: NodeListener, form: str
) -> Iterator[Problem]:
    """A request is cut by the shorter of two timeouts, each 15 s unless stated."""
    if isinstance(rule.route, TcpRoute):
        return
    at_route, at_node = _per_request(rule.route.timeout), _per_request(_node_timeout(listener))
    if (at_route is None) == (at_node is None):
        return  # neither is stated, or both are: somebody meant it
    stated = at_route if at_route is not None else at_node
    if stated is None or stated <= DEFAULT_TIMEOUT_MS:
        return
    long, short = ("the route", "the node") if at_node is None else ("the node", "the route")
    message = (
        f"{long} allows {_seconds(stated)}, but {short} cuts at the default of 15 s ({node.ref})."
    )
    remedy = f"State timeout.perRequest at {short} as well."
    yield Problem(codes.TIMEOUT_TWICE, f"{form}.timeout.perRequest", message, remedy)


def _node_timeout(listener: NodeListener) -> HttpTimeout | None:
    timeout = listener.timeout
    if timeout is None:
        return None
    return {
        Protocol.HTTP: timeout.http,
        Protocol.HTTP2: timeout.http2,
        Protocol.GRPC: timeout.grpc,
    }.get(listener.port_mapping.protocol)


def _per_request(timeout: HttpTimeout | None) -> float | None:
    """In milliseconds, infinite for zero; None when it is not stated."""
    stated: Duration | None = timeout.per_request if timeout else None
    return None if stated is None else stated.milliseconds or float("inf")


def _seconds(milliseconds: float) -> str:
    return "any time" if milliseconds == float("inf") else f"{milliseconds / 1000:g} s"
