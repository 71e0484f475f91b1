"""VirtualGateways and the GatewayRoutes that belong to them: who claims whom, and what wins."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from trimtab.core.model import Diagnostic, ObjectRef
from trimtab.providers.appmesh import codes, hops
from trimtab.providers.appmesh.codes import Problem, diagnostic
from trimtab.providers.appmesh.hops import Match
from trimtab.providers.appmesh.model import GatewayRoute, VirtualGateway
from trimtab.providers.appmesh.names import Owner
from trimtab.providers.appmesh.order import Entry, Ordering
from trimtab.providers.appmesh.owners import seeks
from trimtab.providers.appmesh.values import Protocol

if TYPE_CHECKING:
    from trimtab.providers.appmesh.owners import Owners
    from trimtab.providers.appmesh.reading import AppMeshReading


Entries: TypeAlias = tuple[Entry[ObjectRef], ...]


class GatewayChecks:
    """The findings at all gateways. Routes that are alike are given to a gateway, and held against
    its listeners, as one; the order of a gateway's routes is looked at where they have changed."""

    def __init__(self) -> None:
        self._owners: Owners | None = None
        self._routes: dict[ObjectRef, _Route] = {}
        self._groups: dict[Hashable, _Group] = {}
        self._lists: dict[ObjectRef, _List] = {}  # by gateway
        self._told: tuple[Diagnostic, ...] = ()

    def update(self, reading: AppMeshReading, changed: Iterable[ObjectRef]) -> None:
        routes = [ref for ref in changed if ref.kind == "GatewayRoute"]
        gateways = [ref for ref in changed if ref.kind == "VirtualGateway"]
        if not routes and not gateways and reading.owners is self._owners:
            return
        again = {group for ref in routes for group in self._take(reading, ref)}
        for ref in gateways:
            if ref in self._lists:
                again |= self._lists[ref].groups
                if ref not in reading.gateways:
                    del self._lists[ref]
        if reading.owners is not self._owners:
            self._owners = reading.owners
            again = set(self._groups.values())
        unfit = cache(lambda *form: tuple(_unfit(reading, *form)))
        for group in again:
            owner = reading.owners.gateway_of_route(reading.gateway_routes[group.refs[0]])
            self._place(group, owner)
            group.unfit = unfit(group.home, group.protocol, group.port) if group.home else ()
        self._told = tuple(self._tell(reading))

    def findings(self) -> Iterable[Diagnostic]:
        return self._told

    def _take(self, reading: AppMeshReading, ref: ObjectRef) -> Iterator[_Group]:
        """Take in a change of a route; gives the group that it is in now."""
        if (old := self._routes.pop(ref, None)) is not None:
            self._leave(ref, old.group)
        route = reading.gateway_routes.get(ref)
        if route is None:
            return
        host, port, matches = hops.gateway_matches(route)
        alike = seeks(route), route.spec.protocol, port
        if (group := self._groups.get(alike)) is None:
            group = self._groups[alike] = _Group(alike, route.spec.protocol, port)
        insort(group.refs, ref)
        self._routes[ref] = _Route(route, group, host, matches)
        self._touch(group.home, (ref,))
        yield group

    def _leave(self, ref: ObjectRef, group: _Group) -> None:
        del group.refs[bisect_left(group.refs, ref)]
        self._touch(group.home, (ref,))
        if not group.refs:
            del self._groups[group.alike]
            if group.home in self._lists:
                self._lists[group.home].groups.discard(group)

    def _touch(self, gateway: ObjectRef | None, routes: Iterable[ObjectRef]) -> None:
        """Something that the place of these routes in a gateway's list depends on has changed."""
        if gateway in self._lists:
            self._lists[gateway].stale.update(routes)

    def _place(self, group: _Group, owner: Owner) -> None:
        """Give a group to its gateway, which may be another one now, or listen otherwise."""
        group.unowned, old, home = owner.problem, group.home, owner.found
        if old == home:
            if group.port is not None:
                self._touch(home, group.refs)
            return
        if old in self._lists:
            self._lists[old].groups.discard(group)
            self._touch(old, group.refs)
        group.home = home
        if home is not None:
            its = self._lists[home] = self._lists.get(home) or _List()
            its.groups.add(group)
            self._touch(home, group.refs)

    # --- what is told ---------------------------------------------------------------------------

    def _tell(self, reading: AppMeshReading) -> Iterator[Diagnostic]:
        groups = self._groups.values()
        yield from _each(reading, ((g.refs, (g.unowned,)) for g in groups if g.unowned))
        yield from self._idle(reading)
        yield from _each(reading, ((g.refs, g.unfit) for g in groups if g.unfit))
        for gateway, its in sorted(self._lists.items()):
            if its.groups:
                self._settle(reading.gateways[gateway], its)
                found = its.order.findings()
                yield from _each(reading, (((ref,), problems) for ref, problems in found.items()))

    def _settle(self, gateway: VirtualGateway, its: _List) -> None:
        """Put into the list of a gateway what has changed there."""
        ports = _ports(gateway)
        for ref in its.stale:
            route = self._routes.get(ref)
            here = route is not None and route.group.home == gateway.ref
            its.put(ref, route.entries(ports) if route is not None and here else ())
        its.stale.clear()

    def _idle(self, reading: AppMeshReading) -> Iterator[Diagnostic]:
        """Gateways that select no GatewayRoute, though there are some and none is claimed twice."""
        groups = self._groups.values()
        twice = any(g.unowned and g.unowned.code is codes.SEVERAL_GATEWAYS for g in groups)
        if twice or not groups:
            return
        for ref in sorted(reading.gateways.keys() - {group.home for group in groups}):
            gateway = reading.gateways[ref]
            field, why = "spec.gatewayRouteSelector", "its selectors select no GatewayRoute"
            if gateway.spec.namespace_selector is None:
                field, why = "spec.namespaceSelector", "is missing, which selects nothing"
            remedy = "Change the selectors, or the labels of the routes or their namespace."
            problem = Problem(codes.IDLE_GATEWAY, field, f"{why}; it serves nothing.", remedy)
            yield diagnostic(problem, gateway.object)


def _each(
    reading: AppMeshReading, told: Iterable[tuple[Iterable[ObjectRef], Iterable[Problem]]]
) -> Iterator[Diagnostic]:
    """Of each route what is told of it, by their names."""
    pairs = [(ref, problems) for refs, problems in told for ref in refs]
    for ref, problems in sorted(pairs, key=itemgetter(0)):
        obj = reading.gateway_routes[ref].object
        for problem in problems:
            yield diagnostic(problem, obj)


@dataclass(eq=False, slots=True)
class _Group:
    """Routes that say the same of their owner, and ask the same of its listeners: ``alike``."""

    alike: Hashable
    protocol: Protocol
    port: int | None
    refs: list[ObjectRef] = field(default_factory=list)  # by name, so that many are soon sorted
    home: ObjectRef | None = None
    unowned: Problem | None = None  # also of an owner that is a guess
    unfit: tuple[Problem, ...] = ()


class _List:
    """The routes of one gateway. What is known of their order is kept while they are all away, as
    happens when a selector is being changed."""

    def __init__(self) -> None:
        self.groups: set[_Group] = set()
        self.stale: set[ObjectRef] = set()
        self.order = Ordering[ObjectRef]()
        self._entries: dict[ObjectRef, Entries] = {}

    def put(self, ref: ObjectRef, entries: Entries) -> None:
        if self._entries.get(ref, ()) is not entries:
            self._entries[ref] = entries
            self.order.put(ref, entries)
        if not entries:
            self._entries.pop(ref, None)


# --- one route at its gateway -------------------------------------------------------------------


class _Route:
    """What a route asks for, worked out once."""

    def __init__(
        self, route: GatewayRoute, group: _Group, host: str, matches: Iterable[Match]
    ) -> None:
        self.group = group
        field = f"spec.{route.spec.protocol}Route.match"
        rule, name, title = route.ref, route.title, str(route.ref)
        self._entries = tuple(
            Entry(rule, name, title, field, route.spec.priority, match, host) for match in matches
        )

    def entries(self, ports: Collection[int]) -> Entries:
        """Its entries in the lists of a gateway with these ports: of one port all are in one."""
        port = self.group.port
        if port is None or not ports:
            return self._entries
        if port not in ports:
            return ()
        if len(ports) == 1:
            return self._entries
        return tuple(replace(entry, port=port) for entry in self._entries)


def _ports(gateway: VirtualGateway) -> list[int]:
    return [listener.port_mapping.port for listener in gateway.spec.listeners]


def _unfit(
    reading: AppMeshReading, home: ObjectRef, spoken: Protocol, port: int | None
) -> Iterator[Problem]:
    """The form and the port of a route against the listeners of its gateway."""
    gateway = reading.gateways[home]
    form, ports = f"spec.{spoken}Route", _ports(gateway)
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
