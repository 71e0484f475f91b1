"""The weighted choice, seen from Python."""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab import Match, Picker, RouteTable, Rule, RuleError

WEIGHTS = st.lists(st.integers(0, 50), min_size=1, max_size=30).filter(any)


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


@given(WEIGHTS, st.integers(0, 2**50))
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


class Drawn(int):
    """A number of another type."""


@given(
    st.integers(0, 2**64 - 1)
    | st.integers(0, 64).flatmap(lambda n: st.integers(2**n - 2, 2**n + 1)),
    st.sampled_from([int, Drawn]),
)
def test_every_bit_of_a_value_counts(value: int, kind: type[int]) -> None:
    """However many digits Python keeps a number in, a match picks by all of them, as it says of 997
    targets of one weight; what has no 64 bits is refused."""
    arguments = ("/", "h", "GET", None)
    if not 0 <= value < 2**64:
        with pytest.raises(OverflowError):
            NUMBERED.route(*arguments, value=kind(value))
        return
    for match in (
        NUMBERED.route(*arguments, value=kind(value)),
        NUMBERED.route(*arguments, kind(value)),
    ):
        assert match is not None
        assert match.target == str(value % 997)


NUMBERED = RouteTable([Rule("r", targets=[(str(n), 1) for n in range(997)])])


def test_a_rule_without_targets_has_nothing_to_pick() -> None:
    """It matches, but a pick from it is an error."""
    table = RouteTable([Rule("r")])
    match = table.match("/")
    assert match is not None
    for pick in (
        lambda: match.pick(0),
        lambda: match.sticky("k"),
        lambda: match.split(1),
        match.picker,
    ):
        with pytest.raises(ValueError, match='rule "r" has no targets'):
            pick()
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


def test_the_value_of_a_route_may_stand_anywhere() -> None:
    """`value` is the fifth argument or a name, beside others or alone; it is a number of 64 bits."""
    table = RouteTable([Rule("r", methods=["GET"], targets=[("a", 1), ("b", 1)])])
    answers = [
        table.route("/", "h", "GET", {}, 1),
        table.route("/", "h", "GET", value=1),
        table.route("/", method="GET", value=1),
        table.route(b"/", b"h", b"GET", value=1),
    ]
    assert [match.target for match in answers if match] == ["b"] * 4
    for bad in (-1, 2**64):
        with pytest.raises(OverflowError):
            table.route("/", "h", "GET", None, bad)
        with pytest.raises(OverflowError):
            table.route("/", "h", "GET", value=bad)
    wrong: Any = "1"
    with pytest.raises(TypeError):
        table.route("/", "h", "GET", value=wrong)


def targets_of(table: RouteTable, count: int) -> list[str | None]:
    return [match and match.target for match in (table.route("/") for _ in range(count))]


def test_a_table_draws_what_it_is_not_given() -> None:
    """Without a value the picks follow the weights and the table's seed."""
    rule = Rule("r", targets=[("a", 75), ("none", 0), ("b", 25)])
    picked = targets_of(RouteTable([rule], seed=1), 4000)
    assert picked == targets_of(RouteTable([rule], seed=1), 4000)
    assert picked != targets_of(RouteTable([rule], seed=2), 4000)
    assert targets_of(RouteTable([rule]), 100) != targets_of(RouteTable([rule]), 100)
    counts = Counter(picked)
    assert counts.keys() == {"a", "b"}
    assert 2850 < counts["a"] < 3150


@given(WEIGHTS, st.integers(0, 2**64 - 1))
def test_smooth_picks_stay_within_five_of_their_share(weights: list[int], seed: int) -> None:
    """At any time each target has had its share of the picks so far, to within five."""
    picker = match_of(*weights).picker("smooth", seed=seed)
    counts = [0] * len(weights)
    for turn, name in enumerate(picker.pick_many(2000), start=1):
        counts[int(name)] += 1
        owed = turn * weights[int(name)] / sum(weights)
        assert abs(counts[int(name)] - owed) <= 5


@given(WEIGHTS)
def test_round_robin_is_exact_over_each_round(weights: list[int]) -> None:
    """Nginx's sequence: over a round each target gets exactly its weight."""
    picker = Picker([(str(n), weight) for n, weight in enumerate(weights)], "swrr")
    for _ in range(2):
        counts = Counter(picker.pick_many(sum(weights)))
        assert counts == {str(n): weight for n, weight in enumerate(weights) if weight}


MODES: list[Literal["random", "smooth", "swrr"]] = ["random", "smooth", "swrr"]


@pytest.mark.parametrize("mode", MODES)
def test_one_pick_and_many_are_one_sequence(mode: Literal["random", "smooth", "swrr"]) -> None:
    """`pick` and `pick_many` take turns of the same sequence, which the seed fixes."""
    seed = None if mode == "swrr" else 5
    targets = [("a", 5), ("b", 1), ("none", 0), ("c", 3)]
    picker, same = Picker(targets, mode, seed=seed), Picker(targets, mode, seed=seed)
    picked = [picker.pick(), *picker.pick_many(50), picker.pick()]
    assert picked == same.pick_many(52)
    assert set(picked) == {"a", "b", "c"}
    assert (picker.mode, picker.seed, picker.targets) == (mode, seed, tuple(targets))
    assert picker.pick_many(0) == []


@pytest.mark.parametrize("mode", MODES)
def test_threads_share_one_sequence(mode: Literal["random", "smooth", "swrr"]) -> None:
    """Each turn is given once: what all threads got together is what one would have got."""
    seed = None if mode == "swrr" else 9
    targets = [("a", 5), ("b", 2), ("c", 1)]
    shared = Picker(targets, mode, seed=seed)
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(lambda _: [shared.pick() for _ in range(1000)], range(4))
        together = Counter(name for part in parts for name in part)
    assert together == Counter(Picker(targets, mode, seed=seed).pick_many(4000))


def test_forked_processes_do_not_go_in_step() -> None:
    """A seed that was not given is another one in a child; one that was given stays."""
    drawn, given_seed = Picker([("a", 1)]), Picker([("a", 1)], seed=1)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, f"{drawn.seed} {given_seed.seed}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(reading, 100).split()
    os.close(reading)
    os.close(writing)
    assert told[1] == b"1"
    assert int(told[0]) != drawn.seed


def test_a_picker_says_what_it_cannot_do() -> None:
    """Weights that cannot be picked from, modes that do not exist, a seed that would do nothing."""
    none: list[tuple[str, int]] = []
    for targets in ([("a", 0)], none):
        with pytest.raises(RuleError, match="sum to zero"):
            Picker(targets)
    with pytest.raises(RuleError, match="more than 4294967295"):
        Picker([("a", 2**32 - 1), ("b", 1)])
    wrong: Any = "best"
    with pytest.raises(ValueError, match="mode must be"):
        Picker([("a", 1)], wrong)
    with pytest.raises(ValueError, match="only one sequence"):
        Picker([("a", 1)], "swrr", seed=1)


def test_a_key_sticks_to_its_target() -> None:
    """The same key, text or bytes, gets the same target; a weight that grows moves keys to it alone."""
    before, after = match_of(90, 0, 10), match_of(90, 0, 30)
    keys = [f"user-{n}" for n in range(2000)]
    moved = [key for key in keys if before.sticky(key) != after.sticky(key)]
    assert all(after.sticky(key) == "2" for key in moved)
    assert 200 < len(moved) < 400  # from a tenth of the keys to a quarter
    assert [before.sticky(key.encode()) for key in keys] == [before.sticky(key) for key in keys]
    assert "1" not in {before.sticky(key) for key in keys}


@given(WEIGHTS, st.integers(0, 2**40))
def test_a_split_is_exact(weights: list[int], picks: int) -> None:
    """Nothing is lost, and nobody is a whole pick from what is owed."""
    parts = match_of(*weights).split(picks)
    assert [name for name, _ in parts] == [str(n) for n in range(len(weights))]
    assert sum(part for _, part in parts) == picks
    for (_, part), weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - weight * picks) < sum(weights)


def test_a_split_may_be_as_large_as_64_bits() -> None:
    assert match_of(1, 0).split(2**64 - 1) == (("0", 2**64 - 1), ("1", 0))
    with pytest.raises(OverflowError):
        match_of(1).split(-1)
