"""VirtualGateways and the GatewayRoutes that belong to them: who claims whom, and what wins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from trimtab.core.model import Diagnostic, ObjectRef
from trimtab.providers.appmesh import codes, hops
from trimtab.providers.appmesh.codes import Problem, diagnostic
from trimtab.providers.appmesh.model import GatewayRoute, VirtualGateway
from trimtab.providers.appmesh.order import Entry, Ordering

if TYPE_CHECKING:
    from trimtab.providers.appmesh.owners import Owners
    from trimtab.providers.appmesh.reading import AppMeshReading


class GatewayChecks:
    """The findings at all gateways. A route is looked at when it, its gateway or its owner has
    changed; the order of a gateway's routes where they have changed."""

    def __init__(self) -> None:
        self._owners: Owners | None = None
        self._homes: dict[ObjectRef, ObjectRef] = {}  # of the routes that have a gateway
        self._routes: dict[ObjectRef, set[ObjectRef]] = {}  # by gateway
        self._orders: dict[ObjectRef, Ordering[ObjectRef]] = {}  # by gateway
        self._unowned: dict[ObjectRef, Problem] = {}  # and those whose owner is a guess
        self._unfit: dict[ObjectRef, tuple[Problem, ...]] = {}

    def update(self, reading: AppMeshReading, changed: Iterable[ObjectRef]) -> None:
        again = {ref for ref in changed if ref.kind == "GatewayRoute"}
        gateways = {ref for ref in changed if ref.kind == "VirtualGateway"}
        again = again.union(*(self._routes.get(ref, ()) for ref in gateways))
        if reading.owners is not self._owners:
            self._owners = reading.owners
            again |= reading.gateway_routes.keys()
        for ref in again:
            self._again(reading, ref)

    def _again(self, reading: AppMeshReading, ref: ObjectRef) -> None:
        self._unowned.pop(ref, None)
        self._unfit.pop(ref, None)
        route = reading.gateway_routes.get(ref)
        owner = reading.owners.gateway_of_route(route) if route is not None else None
        home = owner.found if owner else None
        old = self._homes.get(ref)
        if old is not None and old != home:
            self._leave(ref, old)
        if route is None or owner is None:
            return
        if owner.problem is not None:
            self._unowned[ref] = owner.problem
        if home is not None:
            self._settle(route, reading.gateways[home])

    def _settle(self, route: GatewayRoute, gateway: VirtualGateway) -> None:
        self._homes[route.ref] = gateway.ref
        self._routes.setdefault(gateway.ref, set()).add(route.ref)
        order = self._orders.setdefault(gateway.ref, Ordering[ObjectRef]())
        order.put(route.ref, _entries(route, gateway))
        if unfit := tuple(_unfit(route, gateway)):
            self._unfit[route.ref] = unfit

    def _leave(self, ref: ObjectRef, gateway: ObjectRef) -> None:
        del self._homes[ref]
        self._routes[gateway].discard(ref)
        self._orders[gateway].drop(ref)
        if not self._routes[gateway]:
            del self._routes[gateway], self._orders[gateway]

    def findings(self, reading: AppMeshReading) -> Iterator[Diagnostic]:
        for ref, problem in sorted(self._unowned.items()):
            yield diagnostic(problem, reading.gateway_routes[ref].object)
        yield from self._idle(reading)
        for ref, problems in sorted(self._unfit.items()):
            yield from (diagnostic(p, reading.gateway_routes[ref].object) for p in problems)
        for _, order in sorted(self._orders.items()):
            for ref, problems in sorted(order.findings().items()):
                yield from (diagnostic(p, reading.gateway_routes[ref].object) for p in problems)

    def _idle(self, reading: AppMeshReading) -> Iterator[Diagnostic]:
        """Gateways that select no GatewayRoute, though there are some and none is claimed twice."""
        twice = any(p.code is codes.SEVERAL_GATEWAYS for p in self._unowned.values())
        if twice or not reading.gateway_routes:
            return
        for ref in sorted(reading.gateways.keys() - self._routes.keys()):
            gateway = reading.gateways[ref]
            field, why = "spec.gatewayRouteSelector", "its selectors select no GatewayRoute"
            if gateway.spec.namespace_selector is None:
                field, why = "spec.namespaceSelector", "is missing, which selects nothing"
            remedy = "Change the selectors, or the labels of the routes or their namespace."
            problem = Problem(codes.IDLE_GATEWAY, field, f"{why}; it serves nothing.", remedy)
            yield diagnostic(problem, gateway.object)


# --- one route at its gateway -------------------------------------------------------------------


def _entries(route: GatewayRoute, gateway: VirtualGateway) -> Iterator[Entry[ObjectRef]]:
    """The entries of a route in its gateway's lists. Of a gateway with one port all are in one."""
    ports = _ports(gateway)
    host, port, matches = hops.gateway_matches(route)
    if port is not None and ports and port not in ports:
        return  # it stands in no list
    field = f"spec.{route.spec.protocol}Route.match"
    port = port if len(ports) > 1 else None
    title, priority = str(route.ref), route.spec.priority
    for match in matches:
        yield Entry(route.ref, route.title, title, field, priority, match, host, port)


def _unfit(route: GatewayRoute, gateway: VirtualGateway) -> Iterator[Problem]:
    """The form and the port of a route against the gateway's listeners."""
    _, port, _ = hops.gateway_matches(route)
    ports = _ports(gateway)
    form = f"spec.{route.spec.protocol}Route"
    if port is not None and ports and port not in ports:
        shown = ", ".join(map(str, ports))
        message = f"names port {port}, but {gateway.ref} listens on {shown}; it never matches."
        yield Problem(codes.NO_SUCH_PORT, f"{form}.match.port", message, f"Write {shown}.")
        return
    protocols = {
        listener.port_mapping.protocol
        for listener in gateway.spec.listeners
        if port in (None, listener.port_mapping.port)
    }
    if protocols and route.spec.protocol not in protocols:
        spoken = ", ".join(sorted(protocols))
        message = f"is a {route.spec.protocol} route, but {gateway.ref} listens for {spoken}."
        remedy = "Use the form of the listener's protocol."
        yield Problem(codes.WRONG_PROTOCOL, form, message, remedy)


def _ports(gateway: VirtualGateway) -> list[int]:
    return [listener.port_mapping.port for listener in gateway.spec.listeners]
