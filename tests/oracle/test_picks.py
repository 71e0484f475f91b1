"""Which cluster a route gives a request to: asked of the real Envoy, and answered by us."""

from __future__ import annotations

import pytest
from oracle.documents import host, table, to, with_x

from trimtab import RouteTable
from trimtab.core.matching import MatchQuery
from trimtab.providers.envoy_routes import answer
from trimtab.testbed.telling_envoy import Asked, TellingEnvoy


def test_weighted_clusters_are_picked_by_half_open_intervals(envoy: TellingEnvoy) -> None:
    """3, 0 and 7 of 10: over a whole number of cycles exactly these shares, in list order."""
    weights = [("c0", 3), ("c1", 0), ("c2", 7)]
    clusters = [{"name": name, "weight": weight} for name, weight in weights]
    picked = {"weighted_clusters": {"clusters": clusters, "header_name": "x-rand"}}
    document = table(host("v", ["*"], to("w", route=picked)))
    numbers = [*range(50), 2**64 - 1, 2**63, 10**19]
    asked = [Asked(b"/", fields=((b"x-rand", b"%d" % number),)) for number in numbers]
    seen = envoy.ask(envoy.add(document), asked)
    match = RouteTable.from_envoy(document).match("/")
    assert match is not None
    assert [one.cluster for one in seen if one] == [match.pick(number) for number in numbers]
    assert [one.cluster for one in seen[:10] if one] == ["c0"] * 3 + ["c2"] * 7


def test_a_total_weight_of_older_envoys_counts_for_nothing(envoy: TellingEnvoy) -> None:
    """Only the sum does."""
    clusters = [{"name": "c0", "weight": 1}, {"name": "c1", "weight": 1}]
    picked = {"clusters": clusters, "header_name": "x-rand", "total_weight": 100}
    document = table(host("v", ["*"], to("w", route={"weighted_clusters": picked})))
    asked = [Asked(b"/", fields=((b"x-rand", b"%d" % number),)) for number in range(6)]
    seen = envoy.ask(envoy.add(document), asked)
    match = RouteTable.from_envoy(document).match("/")
    assert match is not None
    assert [one.cluster for one in seen if one] == [match.pick(n) for n in range(6)]


HALVES = [{"name": "c0", "weight": 1}, {"name": "c1", "weight": 1}]
BY_HEADER = {"weighted_clusters": {"clusters": HALVES, "header_name": "x"}}


@pytest.mark.parametrize("value", ["0", "1", " 1", "+1", "01", "18446744073709551615"])
def test_a_header_may_hold_the_number_to_pick_by(envoy: TellingEnvoy, value: str) -> None:
    """A whole number of 64 bits without a minus: a plus, zeros and spaces do no harm."""
    document = table(host("v", ["*"], to("w", route=BY_HEADER)))
    seen = {one.cluster for one in envoy.ask(envoy.add(document), [with_x(value)] * 20) if one}
    query = MatchQuery("/", headers=(("x", value),))
    assert seen == {answer(RouteTable.from_envoy(document), query).cluster}


@pytest.mark.parametrize(
    "values", [["-1"], ["0x1"], ["1.0"], [""], ["18446744073709551616"], ["1", "1"]]
)
def test_what_is_not_one_number_leaves_the_pick_to_chance(
    envoy: TellingEnvoy, values: list[str]
) -> None:
    """Also one that stands twice. Both halves are picked in sixty requests (or once in 2**59 runs
    they are not); ours picks by the number that the request was given instead."""
    document = table(host("v", ["*"], to("w", route=BY_HEADER)))
    seen = {one.cluster for one in envoy.ask(envoy.add(document), [with_x(*values)] * 60) if one}
    assert seen == {"c0", "c1"}
    ours = RouteTable.from_envoy(document)
    headers = tuple(("x", value) for value in values)
    picked = [
        answer(ours, MatchQuery("/", headers=headers, random=n)).cluster for n in (0, 1, None)
    ]
    assert picked == ["c0", "c1", None]


def test_a_header_may_name_the_cluster(envoy: TellingEnvoy) -> None:
    """Its first value; without it there is a route, and no cluster."""
    document = table(host("v", ["*"], to("h", route={"cluster_header": "X"})))
    for values in (["c3"], ["c2", "c1"], []):
        (seen,) = envoy.ask(envoy.add(document), [with_x(*values)])
        query = MatchQuery("/", headers=tuple(("x", value) for value in values))
        found = answer(RouteTable.from_envoy(document), query)
        assert seen is not None
        assert (seen.route, seen.cluster or None) == (found.route, found.cluster)
