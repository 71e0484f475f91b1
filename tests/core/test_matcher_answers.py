"""Answers of a table: they may be given again, and whoever has one never sees it change."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from trimtab import Match, RouteTable, Rule

COUNT = 5_000
TABLE = RouteTable(
    [Rule(f"r{n}", path=f"/{n}", targets=[("even", 1), ("odd", 1)]) for n in range(COUNT)]
)

Said = tuple[str, int, str | None]


def said(match: Match | None) -> Said:
    """All that tells an answer from another one."""
    assert match is not None
    return match.route, match.rank, match.target


def matched(number: int) -> tuple[Match | None, Said]:
    return TABLE.match(f"/{number}"), (f"r{number}", number, None)


def routed(number: int) -> tuple[Match | None, Said]:
    target = "odd" if number % 2 else "even"
    return TABLE.route(f"/{number}", value=number), (f"r{number}", number, target)


# Numbers that differ by powers of two, so that answers want the place of one another.
NUMBERS = st.builds(lambda a, b: (a + b * 256) % COUNT, st.integers(0, 3), st.integers(0, 20))
WAYS = st.sampled_from([matched, routed])


@given(st.lists(st.tuples(WAYS, NUMBERS, st.booleans()), max_size=60))
def test_an_answer_that_somebody_has_never_changes(
    asked: Sequence[tuple[Callable[[int], tuple[Match | None, Said]], int, bool]],
) -> None:
    """Whatever is asked meanwhile, and whether other answers are kept or dropped."""
    held = []
    for way, number, is_held in asked:
        answer, expected = way(number)
        assert said(answer) == expected
        if is_held:
            held.append((answer, expected))
        del answer
    for answer, expected in held:
        assert said(answer) == expected


@given(st.lists(NUMBERS, max_size=60), st.lists(NUMBERS, max_size=60))
def test_answers_of_one_call_are_each_their_own(first: list[int], second: list[int]) -> None:
    """The answers of a list stay what they are while another one is made."""
    lists = [TABLE.match_many([f"/{number}" for number in numbers]) for numbers in (first, second)]
    for numbers, answers in zip((first, second), lists, strict=True):
        assert [said(answer) for answer in answers] == [matched(number)[1] for number in numbers]


def test_threads_have_answers_of_their_own() -> None:
    """Each asks for rules whose answers want the places of those of the others."""

    def ask(thread: int) -> None:
        for turn in range(3_000):
            number = (thread + turn % 4 * 1024) % COUNT
            answer, expected = matched(number)
            again, same = routed(number)
            assert (said(answer), said(again)) == (expected, same)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            for done in [threads.submit(ask, thread * 1024) for thread in range(4)]:
                done.result()
    finally:
        sys.setswitchinterval(interval)


def answers_there_are() -> int:
    return sum(isinstance(one, Match) for one in gc.get_objects())


def test_answers_that_nobody_has_do_not_pile_up() -> None:
    """Who asks for each rule of a large table in turn does not leave an object for each."""
    table = RouteTable([Rule(f"r{n}", path=f"/{n}") for n in range(COUNT)])
    before = answers_there_are()
    for number in range(COUNT):
        assert table.match(f"/{number}")
    assert 0 < answers_there_are() - before <= COUNT // 4
    kept = table.match_many([f"/{number}" for number in range(COUNT)])
    assert answers_there_are() - before >= COUNT
    del kept
    assert answers_there_are() - before <= COUNT // 4


def test_answers_are_equal_that_name_the_same() -> None:
    """The rule, its rank and the target count, not the table: a rule stays when others change."""
    rules = [Rule("a", path="/a", targets=[("v1", 1), ("v2", 1)]), Rule("b", targets=[("v1", 1)])]
    table = RouteTable(rules)
    a, first, second = table.match("/a"), table.route("/a", value=0), table.route("/a", value=1)
    distinct = [a, first, second, table.match("/"), RouteTable(rules[::-1]).match("/a"), None, "a"]
    assert [distinct.index(one) for one in distinct] == [*range(len(distinct))]
    after = table.with_targets({"b": [("v2", 1)]})
    assert (after.match("/a"), after.route("/a", value=0)) == (a, first)
    assert after.match("/") != table.match("/")
    assert len({a, first, second, after.match("/a"), after.route("/a", value=2)}) == 3
