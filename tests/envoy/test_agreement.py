"""The matcher and a real Envoy with our xDS give every request the same way through a mesh."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_pb2
from xds_harness.documents import (
    Store,
    annotated,
    gateway,
    gateway_route,
    mesh,
    node,
    router,
    rule,
    service,
)
from xds_harness.world import Answer, Client, applications, control_plane, envoy_of

from trimtab.core.matching import MatchAnswer, MatchQuery
from trimtab.edges.xds.snapshot import ROUTE
from trimtab.providers.appmesh import MeshTable
from trimtab.testbed.processes import free_port

pytestmark = pytest.mark.usefixtures("envoy_binary")

TABLES, REQUESTS = 60, 80
WORDS = ["a", "b", "ab", "abc", "x1"]
ODD = ["/%61", "//", "/./", "/../", "/..", "\\", "/%2F", "/%2e;x"]  # what is normalised, or not
HEADERS = ["x-a", "x-b"]
VALUES = ["1", "7", "red", "reddish", "blue", ""]
HOSTS = ["one.org", "www.one.org", "deep.www.one.org", "two.org", "else"]


def telling(resources: dict[str, dict[str, bytes]]) -> dict[str, dict[str, bytes]]:
    """The same routes, which say who they are, and take the random number from a header."""

    def changed(name: str, body: bytes) -> bytes:
        message = route_pb2.RouteConfiguration.FromString(body)
        hop = name.split("_")[1]
        header = base_pb2.HeaderValue(key=f"x-hop-{hop}", value="%ROUTE_NAME%")
        message.response_headers_to_add.add(header=header)
        for host in message.virtual_hosts:
            for route in host.routes:
                if route.route.HasField("weighted_clusters"):
                    route.route.weighted_clusters.header_name = f"x-random-{hop}"
        return message.SerializeToString()

    told = {name: changed(name, body) for name, body in resources[ROUTE].items()}
    return {**resources, ROUTE: told}


class Maker:
    """Random meshes and requests over so few words that they meet."""

    def __init__(self, seed: int, ports: dict[str, int], listener: int) -> None:
        self.random = random.Random(seed)
        self.ports = ports
        self.listener = listener

    def path(self) -> str:
        count = self.random.choice([0, 1, 1, 2, 2, 3])
        end = self.random.choice(["", "", "/"]) if count else ""
        return "/" + "/".join(self.random.choices(WORDS, k=count)) + end

    def pattern(self) -> str:
        tail = self.random.choice(["", ".*", "[a-c]+", "/?", "(/.*)?", r"\d"])
        return self.path().rstrip("/") + "/" + tail

    def header(self) -> dict[str, Any]:
        kind = self.random.choice(["exact", "prefix", "suffix", "regex", "range", "present"])
        value = self.random.choice(VALUES[:-1])
        match: dict[str, Any] = {
            "exact": {"exact": value},
            "prefix": {"prefix": value[:2]},
            "suffix": {"suffix": value[-2:]},
            "regex": {"regex": self.random.choice(["r.*", "[0-9]+", ".*d", "red|blue"])},
            "range": {"range": {"start": 0, "end": self.random.choice([1, 7, 8])}},
        }
        found: dict[str, Any] = {"name": self.random.choice(HEADERS)}
        if kind in match:
            found["match"] = match[kind]
        if self.random.random() < 0.3:
            found["invert"] = True
        return found

    def match(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        kind = self.random.choice(["prefix", "prefix", "exact", "regex"])
        if kind == "prefix":
            found["prefix"] = self.path()
        else:
            found["path"] = {kind: self.path() if kind == "exact" else self.pattern()}
        if self.random.random() < 0.2:
            found["method"] = self.random.choice(["GET", "POST"])
        if self.random.random() < 0.35:
            found["headers"] = [self.header() for _ in range(self.random.choice([1, 1, 2]))]
        if self.random.random() < 0.2:
            query: dict[str, Any] = {"name": self.random.choice(["q", "p"])}
            if self.random.random() < 0.7:
                query["match"] = {"exact": self.random.choice(["1", "x", ""])}
            found["queryParameters"] = [query]
        return found

    def gateway_route(self, name: str) -> dict[str, Any]:
        match = self.match()
        host = self.random.random()
        if host < 0.15:
            match["hostname"] = {"exact": self.random.choice(HOSTS)}
        elif host < 0.3:
            match["hostname"] = {
                "suffix": self.random.choice(["*.one.org", ".org", "*.www.one.org"])
            }
        rewrite: dict[str, Any] | None = None
        if "prefix" in match and self.random.random() < 0.5:
            default = {"defaultPrefix": "DISABLED"}
            rewrite = {"prefix": self.random.choice([default, {"value": "/a/"}])}
        elif "path" in match and self.random.random() < 0.5:
            rewrite = {"path": {"exact": self.random.choice(["/ab/x1", "/b//x1", "/ab/../a"])}}
        if self.random.random() < 0.2:
            rewrite = {**(rewrite or {}), "hostname": {"defaultTargetHostname": "DISABLED"}}
        lead = self.service()
        route = gateway_route(name, match, lead, rewrite=rewrite, priority=self.priority())
        if self.random.random() < 0.7:
            return route
        share = self.random.choice([0, 1, 30, 100])
        other = self.random.choice([s for s in ("s0", "s1", "s2", "s3") if s != lead])
        return annotated(route, f"{lead}={100 - share},{other}={share}")

    def service(self) -> str:
        return self.random.choice(["s0", "s1", "s2", "s3"])

    def priority(self) -> int | None:
        return self.random.choice([None, None, None, 0, 5, 1000])

    def rule(self, name: str) -> dict[str, Any]:
        match = self.match()
        if self.random.random() < 0.1:
            match["scheme"] = self.random.choice(["http", "https"])
        chosen = self.random.sample(sorted(self.ports), k=self.random.choice([1, 2, 3]))
        targets = {target: self.random.choice([0, 1, 3, 10]) for target in chosen}
        targets[chosen[0]] = max(1, targets[chosen[0]])
        return rule(name, targets, match, priority=self.priority())

    def documents(self) -> list[dict[str, Any]]:
        count = self.random.randint(3, 14)
        routes = [self.gateway_route(f"g{i:02}") for i in range(count)]
        routers = [
            router(f"s{s}", *(self.rule(f"r{i}") for i in range(self.random.randint(1, 6))))
            for s in range(3)
        ]
        services = [service(f"s{s}", router=f"s{s}") for s in range(3)]
        nodes = [node(name, port) for name, port in self.ports.items()]
        last = service("s3", node="n0")
        return [mesh(), gateway(self.listener), *routes, *routers, *services, last, *nodes]

    def query(self) -> MatchQuery:
        tail = self.random.choice(["", "", "", "?q=1", "?q=x&p=1", "?p", "?p=", "?q=1&q=x"])
        headers = [(h, self.random.choice(VALUES)) for h in HEADERS if self.random.random() < 0.6]
        odd = self.random.choice(ODD) + self.path() if self.random.random() < 0.3 else ""
        return MatchQuery(
            path=self.path() + odd + tail,
            host=self.random.choice([*HOSTS, f"www.one.org:{self.listener}"]),
            method=self.random.choice(["GET", "GET", "POST"]),
            headers=tuple(headers),
            random=self.random.randrange(10_000),
            port=self.listener,
        )


def drawn(query: MatchQuery, found: MatchAnswer, store: Store) -> list[tuple[str, str]]:
    """The random numbers of the two hops: a gateway that divides takes its part of the number."""
    number, rest = query.random or 0, query.random or 0
    if found.route is not None:
        body = store.get("GatewayRoute", found.route.split("/")[1])
        rest = number // 100 if "annotations" in body["metadata"] else number
    return [("x-random-ingress", str(number)), ("x-random-egress", str(rest))]


def served(answer: Answer) -> tuple[str | None, str | None, str | None, str | None]:
    """The GatewayRoute, VirtualService, rule and target, as far as the answer tells them."""
    route, rule_name = answer.headers.get("x-hop-ingress"), answer.headers.get("x-hop-egress")
    backend = answer.seen["backend"] if answer.status == 200 else None
    router_title, _, name = (rule_name or "").rpartition("/")
    return route or None, router_title or None, name or None, backend


def expected(answer: MatchAnswer) -> tuple[str | None, str | None, str | None, str | None]:
    return answer.route, answer.router if answer.rule else None, answer.rule, answer.target


async def test_every_request_goes_the_way_that_the_matcher_says(tmp_path: Path) -> None:
    """Route, router, rule and weighted target are the same for random meshes and requests."""
    port = free_port()
    names = ["n0", "n1", "n2", "n3"]
    ways: set[Any] = set()
    async with applications(*names) as apps:
        ports = {app.name: app.port for app in apps}
        async with control_plane(*Maker(0, ports, port).documents()) as plane:
            plane.patch = telling
            async with envoy_of(plane, tmp_path), Client(port) as client:
                for seed in range(TABLES):
                    maker = Maker(seed, ports, port)
                    for known in list(plane.store.objects):
                        plane.store.remove(known.kind, known.name)
                    assert await plane.apply(*maker.documents()) == {}
                    table = MeshTable(plane.reading)
                    for _ in range(REQUESTS):
                        query = maker.query()
                        found = table.answer(query)
                        assert found is not None
                        answer = await client.ask(
                            query.path,
                            query.host,
                            method=query.method,
                            headers=[*query.headers, *drawn(query, found, plane.store)],
                        )
                        assert served(answer) == expected(found), (seed, query, answer)
                        ways.add(served(answer))
    assert len({way[0] for way in ways}) > 10
    assert len({way[2] for way in ways}) > 5
    assert {way[3] for way in ways} >= set(names)
