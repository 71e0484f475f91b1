"""Our normal form of a path is the one that a real Envoy makes of it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from xds_harness.documents import gateway, gateway_route, mesh, node, router, rule, service
from xds_harness.world import Client, applications, control_plane, envoy_of

from trimtab.core.matching import MatchQuery
from trimtab.providers.appmesh import MeshTable
from trimtab.providers.appmesh.envoy import Ports
from trimtab.providers.appmesh.paths import normal
from trimtab.testbed.processes import free_port

pytestmark = pytest.mark.usefixtures("envoy_binary")

PIECES = [*"//////", *"....", *"ab", "..", "/../", "/./", "//", "\\", "%2e", "%2E", "%2f", "%5C"]
PIECES += ["%61", "%7e", "%C3%A9", "%", "%z", "%4", "%25", "%34", ";x=1", "*", "~", "..."]


def paths(count: int) -> list[str]:
    """Every printable character by itself, and random paths of pieces that may be trouble."""
    chance = random.Random(7)
    singles = [f"/x{chr(c)}y" for c in range(0x21, 0x7F) if c != ord("#")]
    mixed = ["/" + "".join(chance.choices(PIECES, k=chance.randint(0, 9))) for _ in range(count)]
    tails = ["", "", "?q=//a/../%61"]
    return [*singles, *(path + chance.choice(tails) for path in mixed)]


async def test_the_normal_form_is_that_of_envoy(tmp_path: Path) -> None:
    """For every path that Envoy accepts the application sees exactly our normal form."""
    ports, accepted = Ports(free_port(), free_port()), 0
    async with applications("app") as [app]:
        documents = [mesh(), node("caller", 80, backends=["s"])]
        documents += [service("s", node="app"), node("app", app.port)]
        async with (
            control_plane(*documents, ports=ports) as plane,
            envoy_of(plane, tmp_path, "mesh/m/virtualNode/caller_shop"),
            Client(ports.egress) as client,
        ):
            for path in paths(3000):
                answer = await client.ask(path, "s.shop")
                if answer.status == 200:
                    accepted += 1
                    assert answer.seen["path"] == normal(path), path
    assert accepted > 2900


async def test_each_hop_of_a_gateway_normalises(tmp_path: Path) -> None:
    """What the first hop unescaped may be a dot segment for the second: the matcher knows."""
    port, odd = free_port(), "/%2e;x/b"
    assert normal(normal(odd)) != normal(odd)
    async with applications("app") as [app]:
        documents = [mesh(), gateway(port), gateway_route("r", {"prefix": "/"}, "s")]
        documents += [service("s", router="s"), node("app", app.port)]
        documents += [router("s", rule("exact", {"app": 1}, {"path": {"exact": "/b"}}))]
        async with (
            control_plane(*documents) as plane,
            envoy_of(plane, tmp_path),
            Client(port) as client,
        ):
            assert (await client.ask(odd)).seen["path"] == "/b"
            found = MeshTable(plane.reading).answer(MatchQuery(odd, random=0))
            assert found is not None
            assert found.target == "app"


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/", "/"),
        ("//x///y", "/x/y"),
        ("/a/./b/../c", "/a/c"),
        ("/..", "/"),
        ("///", "//"),
        ("/a/..", "/"),
        ("/a/.", "/a/"),
        ("/a/..;x/b", "/b"),
        ("/%61%2Fb", "/a%2Fb"),
        ("/%2e%2e/b", "/b"),
        ("/%4%61", "/%254a"),
        ("/a\\b", "/a/b"),
        ("/a?x=//../%61", "/a?x=//../%61"),
    ],
)
def test_examples(path: str, form: str) -> None:
    """What the normal form is, to be read."""
    assert normal(path) == form
