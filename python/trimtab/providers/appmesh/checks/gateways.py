"""VirtualGateways and the GatewayRoutes that belong to them: who claims whom, and what wins."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from trimtab.core.model import Diagnostic, ObjectRef
from trimtab.providers.appmesh import codes, hops
from trimtab.providers.appmesh.codes import Problem, diagnostic
from trimtab.providers.appmesh.model import GatewayRoute, VirtualGateway
from trimtab.providers.appmesh.order import Entry, Ordering

if TYPE_CHECKING:
    from trimtab.providers.appmesh.owners import Owners
    from trimtab.providers.appmesh.reading import AppMeshReading


Entries: TypeAlias = tuple[Entry[ObjectRef], ...]


class GatewayChecks:
    """The findings at all gateways. A route is looked at when it, its gateway or its owner has
    changed; the order of a gateway's routes where they have changed."""

    def __init__(self) -> None:
        self._owners: Owners | None = None
        self._homes: dict[ObjectRef, ObjectRef] = {}  # of the routes that have a gateway
        self._lists: dict[ObjectRef, _List] = {}  # by gateway
        self._matches: dict[ObjectRef, _Matches] = {}  # by route
        self._unowned: dict[ObjectRef, Problem] = {}  # and those whose owner is a guess
        self._unfit: dict[ObjectRef, tuple[Problem, ...]] = {}

    def update(self, reading: AppMeshReading, changed: Iterable[ObjectRef]) -> None:
        again = {ref for ref in changed if ref.kind == "GatewayRoute"}
        for ref in changed:
            if ref in self._lists:
                again |= self._lists[ref].routes.keys()
                if ref not in reading.gateways:
                    del self._lists[ref]
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
        old = self._homes.pop(ref, None)
        if old is not None and old != home and old in self._lists:
            self._lists[old].leave(ref)
        if route is None or owner is None:
            self._matches.pop(ref, None)
            return
        if owner.problem is not None:
            self._unowned[ref] = owner.problem
        if home is not None:
            self._settle(route, reading.gateways[home])

    def _settle(self, route: GatewayRoute, gateway: VirtualGateway) -> None:
        ref = route.ref
        known = self._matches.get(ref)
        if known is None or known.route is not route:
            known = self._matches[ref] = _Matches(route)
        self._homes[ref] = gateway.ref
        if (routes := self._lists.get(gateway.ref)) is None:
            routes = self._lists[gateway.ref] = _List()
        ports = [listener.port_mapping.port for listener in gateway.spec.listeners]
        routes.join(ref, known.entries(ports))
        if unfit := tuple(_unfit(known, gateway, ports)):
            self._unfit[ref] = unfit

    def findings(self, reading: AppMeshReading) -> Iterator[Diagnostic]:
        routes = reading.gateway_routes
        for ref, problem in sorted(self._unowned.items()):
            yield diagnostic(problem, routes[ref].object)
        yield from self._idle(reading)
        for ref, problems in sorted(self._unfit.items()):
            yield from (diagnostic(p, routes[ref].object) for p in problems)
        for _, its in sorted(self._lists.items()):
            for ref, problems in sorted(its.findings().items()):
                yield from (diagnostic(p, routes[ref].object) for p in problems)

    def _idle(self, reading: AppMeshReading) -> Iterator[Diagnostic]:
        """Gateways that select no GatewayRoute, though there are some and none is claimed twice."""
        twice = any(p.code is codes.SEVERAL_GATEWAYS for p in self._unowned.values())
        if twice or not reading.gateway_routes:
            return
        for ref in sorted(reading.gateways.keys() - set(self._homes.values())):
            gateway = reading.gateways[ref]
            field, why = "spec.gatewayRouteSelector", "its selectors select no GatewayRoute"
            if gateway.spec.namespace_selector is None:
                field, why = "spec.namespaceSelector", "is missing, which selects nothing"
            remedy = "Change the selectors, or the labels of the routes or their namespace."
            problem = Problem(codes.IDLE_GATEWAY, field, f"{why}; it serves nothing.", remedy)
            yield diagnostic(problem, gateway.object)


class _List:
    """The routes of one gateway. What is known of their order is kept while they are all away, as
    happens when a selector is being changed."""

    def __init__(self) -> None:
        self.routes: dict[ObjectRef, Entries] = {}
        self._stale: set[ObjectRef] = set()
        self._order = Ordering[ObjectRef]()

    def join(self, ref: ObjectRef, entries: Entries) -> None:
        if self.routes.get(ref) is not entries:
            self.routes[ref] = entries
            self._stale.add(ref)

    def leave(self, ref: ObjectRef) -> None:
        del self.routes[ref]
        self._stale.add(ref)

    def findings(self) -> Mapping[ObjectRef, tuple[Problem, ...]]:
        if not self.routes:
            return {}
        for ref in self._stale:
            self._order.put(ref, self.routes.get(ref, ()))
        self._stale.clear()
        return self._order.findings()


# --- one route at its gateway -------------------------------------------------------------------


class _Matches:
    """What a route asks for, worked out once."""

    def __init__(self, route: GatewayRoute) -> None:
        self.route = route
        self.host, self.port, matches = hops.gateway_matches(route)
        field = f"spec.{route.spec.protocol}Route.match"
        self._entries = tuple(
            Entry(
                route.ref,
                route.title,
                str(route.ref),
                field,
                route.spec.priority,
                match,
                self.host,
            )
            for match in matches
        )

    def entries(self, ports: Collection[int]) -> Entries:
        """Its entries in the lists of a gateway with these ports: of one port all are in one."""
        if self.port is None or not ports:
            return self._entries
        if self.port not in ports:
            return ()
        if len(ports) == 1:
            return self._entries
        return tuple(replace(entry, port=self.port) for entry in self._entries)


def _unfit(matches: _Matches, gateway: VirtualGateway, ports: Collection[int]) -> Iterator[Problem]:
    """The form and the port of a route against the gateway's listeners."""
    spoken = matches.route.spec.protocol
    form = f"spec.{spoken}Route"
    port = matches.port
    if port is not None and ports and port not in ports:
        shown = ", ".join(map(str, ports))
        message = f"names port {port}, but {gateway.ref} listens on {shown}; it never matches."
        yield Problem(codes.NO_SUCH_PORT, f"{form}.match.port", message, f"Write {shown}.")
        return
    mappings = [listener.port_mapping for listener in gateway.spec.listeners]
    protocols = {m.protocol for m in mappings if port in (None, m.port)}
    if protocols and spoken not in protocols:
        message = (
            f"is a {spoken} route, but {gateway.ref} listens for {', '.join(sorted(protocols))}."
        )
        remedy = "Use the form of the listener's protocol."
        yield Problem(codes.WRONG_PROTOCOL, form, message, remedy)
