"""The way of a request through a mesh: two route tables, the second sees what the first made of it.

One table stands for each listener of a VirtualGateway, one for each VirtualService. Both are
made of the lists in ``hops``, which is also what Envoys are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias, cast

from trimtab._core import Match, RouteTable, Rule
from trimtab.core.matching import MatchAnswer, MatchQuery, RuleQuery, TargetWeight
from trimtab.core.model import ObjectRef
from trimtab.errors import InvalidDocument
from trimtab.providers.appmesh import hops
from trimtab.providers.appmesh.hops import (
    GatewayEntry,
    PathKind,
    RewriteKind,
    ServiceEntry,
)
from trimtab.providers.appmesh.matching import Weighted, rule_of
from trimtab.providers.appmesh.model import VirtualGateway, VirtualService
from trimtab.providers.appmesh.named import ByName
from trimtab.providers.appmesh.paths import normal
from trimtab.providers.appmesh.reading import AppMeshReading
from trimtab.providers.appmesh.tables import gateway_rules, service_rules
from trimtab.providers.appmesh.targets import node_targets

_Door: TypeAlias = tuple[ObjectRef, int | None]  # a gateway or service, and its port


class RuleReason(NamedTuple):
    """What became of one rule of a hop: ``reason`` is empty for the one that got the request."""

    name: str
    matched: bool
    reason: str

    def as_json(self) -> dict[str, Any]:
        return self._asdict()


@dataclass(frozen=True, slots=True)
class Hop:
    """One table that a request went through, as it saw the request, with every rule in order."""

    title: str
    path: str
    rules: tuple[RuleReason, ...]

    def as_json(self) -> dict[str, Any]:
        rules = [rule.as_json() for rule in self.rules]
        return {"title": self.title, "path": self.path, "rules": rules}


class MeshTable:
    """Answers for requests to one reading. Tables are compiled when they are first asked for."""

    def __init__(self, reading: AppMeshReading) -> None:
        self._reading = reading
        self._gateways = ByName(reading.gateways.values())
        self._services = ByName(reading.services.values())
        self._routers = ByName(reading.routers.values())
        self._tables: dict[_Door, RouteTable] = {}
        self._picks: dict[tuple[str, str], _Pickable | None] = {}

    def answer(self, query: MatchQuery) -> MatchAnswer | None:
        """The way of a request; None when the named gateway or service does not exist.

        Paths are matched in their normal form, as Envoys see them. Raises InvalidDocument when it
        is not clear where the request enters.
        """
        query = _normalised(query)
        if query.service is not None:
            service = self._services.get(query.service, "VirtualService")
            return self._from_service(service, query, query.port) if service else None
        gateway = self._gateway(query)
        return self._from_gateway(gateway, query) if gateway else None

    def pick(self, query: RuleQuery) -> MatchAnswer | None:
        """The target of one weighted rule by its name; None when there is no such rule."""
        key = (query.router, query.rule)
        if key not in self._picks:
            self._picks[key] = self._pickable(*key)
        found = self._picks[key]
        if found is None:
            return None
        return replace(found.answer, target=_picked(found.match, query.random))

    def explain(self, query: MatchQuery) -> list[Hop]:
        """Each hop of a request with every rule there, and the predicate that beat it."""
        query = _normalised(query)
        if query.service is not None:
            service = self._services.get(query.service, "VirtualService")
            return [self._explained(service, query, query.port)] if service else []
        gateway = self._gateway(query)
        if gateway is None or not _listens(gateway, query.port):
            return []
        table = self._gateway_table(gateway, query.port)
        reasons = _reasons(table, query, query.host or None)
        seen = [Hop(f"VirtualGateway {gateway.title}", query.path, reasons)]
        found = _ask(table, query, query.host or None)
        entry = cast("GatewayEntry | None", found and found.data)
        if entry is not None:
            inner = _rewritten(query, entry)
            services = (s.service for s in entry.services if s.weight)
            seen += [self._explained(s, inner, entry.service_port) for s in services if s]
        return seen

    # --- hops ----------------------------------------------------------------------------------

    def _from_gateway(self, gateway: VirtualGateway, query: MatchQuery) -> MatchAnswer:
        if not _listens(gateway, query.port):
            return MatchAnswer()
        found = _ask(self._gateway_table(gateway, query.port), query, query.host or None)
        if found is None:
            return MatchAnswer()
        entry = cast("GatewayEntry", found.data)
        service, inner = entry.service, _rewritten(query, entry)
        if entry.shares:
            if query.random is None:  # which service it will be is not known
                return MatchAnswer(route=entry.route.title, targets=_weights(entry.shares))
            picked = _picked(found, query.random)
            service = next(s.service for s in entry.shares if s.name == picked)
            # An Envoy draws again for the second hop: the rest of the number is as good.
            rest = query.random // sum(s.weight for s in entry.shares)
            inner = replace(inner, random=rest)
        if service is None:
            return MatchAnswer(route=entry.route.title)
        answer = self._from_service(service, inner, entry.service_port)
        return replace(answer, route=entry.route.title)

    def _from_service(
        self, service: VirtualService, query: MatchQuery, port: int | None
    ) -> MatchAnswer:
        found = _ask(self._service_table(service, port), query, None)
        if found is None:
            return MatchAnswer(service=service.title, router=self._router_title(service))
        entry = cast("ServiceEntry", found.data)
        return MatchAnswer(
            service=service.title,
            router=entry.router.title if entry.router else None,
            rule=entry.rule.name if entry.rule else None,
            targets=_weights(entry.targets),
            target=_picked(found, query.random),
        )

    def _router_title(self, service: VirtualService) -> str | None:
        ref = service.spec.router_ref
        router = self._reading.router(ref, service) if ref else None
        return router.title if router else None

    def _explained(self, service: VirtualService, query: MatchQuery, port: int | None) -> Hop:
        table = self._service_table(service, port)
        return Hop(f"VirtualService {service.title}", query.path, _reasons(table, query, None))

    def _gateway(self, query: MatchQuery) -> VirtualGateway | None:
        if query.gateway is not None:
            return self._gateways.get(query.gateway, "VirtualGateway")
        titles = self._gateways.titles
        if len(titles) != 1:
            known = f"there are {', '.join(titles)}" if titles else "there is none"
            raise InvalidDocument(f"name the VirtualGateway that the request enters by: {known}")
        return self._gateways.get(titles[0], "VirtualGateway")

    def _pickable(self, title: str, name: str) -> _Pickable | None:
        router = self._routers.get(title, "VirtualRouter")
        if router is None:
            return None
        rule = next((r for r in router.spec.routes if r.name == name), None)
        if rule is None:
            return None
        targets = node_targets(self._reading, router, rule)
        match = RouteTable([rule_of(name, hops.Match(hops.ANYTHING), targets=targets)]).match("/")
        answer = MatchAnswer(router=router.title, rule=name, targets=_weights(targets))
        return _Pickable(answer, match)

    # --- tables --------------------------------------------------------------------------------

    def _gateway_table(self, gateway: VirtualGateway, port: int | None) -> RouteTable:
        build = partial(gateway_rules, self._reading, gateway, port)
        return _compiled(self._tables, (gateway.ref, port), build)

    def _service_table(self, service: VirtualService, port: int | None) -> RouteTable:
        build = partial(service_rules, self._reading, service, port)
        return _compiled(self._tables, (service.ref, port), build)


class _Pickable(NamedTuple):
    """One rule by itself: ``match`` picks from its targets."""

    answer: MatchAnswer
    match: Match | None


def _compiled(
    tables: dict[_Door, RouteTable], door: _Door, rules: Callable[[], Iterable[Rule]]
) -> RouteTable:
    if (table := tables.get(door)) is None:
        table = tables[door] = RouteTable(list(rules()))
    return table


def _ask(table: RouteTable, query: MatchQuery, host: str | None) -> Match | None:
    return table.match(query.path, host, query.method, query.headers, scheme=query.scheme)


def _picked(match: Match | None, random: int | None) -> str | None:
    if match is None or random is None or not match.targets:
        return None
    return match.pick(random % 2**64)


def _weights(targets: Iterable[Weighted]) -> tuple[TargetWeight, ...]:
    return tuple(TargetWeight(t.name, t.weight) for t in targets)


def _listens(gateway: VirtualGateway, port: int | None) -> bool:
    ports = [listener.port_mapping.port for listener in gateway.spec.listeners]
    return port is None or port in ports


def _rewritten(query: MatchQuery, entry: GatewayEntry) -> MatchQuery:
    """The request as the second hop sees it, which normalises once more: that is no idempotent
    thing (/%2e;x becomes /.;x, and that /)."""
    kind, text = entry.rewrite
    if kind is RewriteKind.KEEP:
        return _normalised(query)
    path, mark, rest = query.path.partition("?")
    if kind is RewriteKind.PREFIX and entry.match.path.kind is PathKind.PREFIX:
        text += path[len(entry.match.path.text) :]
    return replace(query, path=normal(f"{text}{mark}{rest}"))


def _normalised(query: MatchQuery) -> MatchQuery:
    """The request as a listener sees it, which normalises paths before anything else."""
    path = normal(query.path)
    return query if path == query.path else replace(query, path=path)


def _reasons(table: RouteTable, query: MatchQuery, host: str | None) -> tuple[RuleReason, ...]:
    told = table.explain(query.path, host, query.method, query.headers, scheme=query.scheme)
    return tuple(RuleReason(name, matched, reason or "") for name, matched, reason in told)
