"""The weighted choice, seen from Python."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab import Match, RouteTable, Rule


def match_of(*weights: int) -> Match:
    rule = Rule("r", targets=[(str(index), weight) for index, weight in enumerate(weights)])
    match = RouteTable([rule]).match("/")
    assert match is not None
    return match


def test_intervals_are_half_open_and_in_list_order() -> None:
    """Envoy's function: value modulo the total, then the first interval that holds it."""
    match = match_of(3, 0, 7)
    assert [match.pick(value) for value in (0, 2, 3, 9, 10, 12, 13)] == [
        "0",
        "0",
        "2",
        "2",
        "0",
        "0",
        "2",
    ]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30).filter(any), st.integers(0, 2**50))
def test_shares_are_exact_over_a_full_cycle(weights: list[int], start: int) -> None:
    """Over as many successive values as the weights sum to, each target gets exactly its weight."""
    match = match_of(*weights)
    picked = Counter(match.pick(value) for value in range(start, start + sum(weights)))
    assert picked == {str(index): weight for index, weight in enumerate(weights) if weight}


def test_a_value_has_64_bits() -> None:
    """All of Envoy's random values are taken, and nothing beyond."""
    match = match_of(2**32 - 2, 1)
    assert (match.pick(2**64 - 1), match.pick(2**64 - 2)) == ("0", "1")
    for bad in (-1, 2**64):
        with pytest.raises(OverflowError):
            match.pick(bad)


def test_a_rule_without_targets_has_nothing_to_pick() -> None:
    """It matches, but a pick from it is an error."""
    table = RouteTable([Rule("r")])
    match = table.match("/")
    assert match is not None
    with pytest.raises(ValueError, match='rule "r" has no targets'):
        match.pick(0)
    routed = table.route("/", value=0)
    assert routed is not None
    assert routed.target is None


def test_route_matches_and_picks_in_one_call() -> None:
    """`route` is `match` and `pick` together, and gives the same object for the same answer."""
    table = RouteTable([Rule("r", prefix="/r", targets=[("a", 1), ("b", 1)])])
    routed = [table.route("/r", value=value) for value in range(4)]
    assert [match.target for match in routed if match] == ["a", "b", "a", "b"]
    assert routed[0] is routed[2]
    assert routed[0] is not None
    assert routed[0].pick(1) == "b"
    assert table.route("/", value=0) is None
