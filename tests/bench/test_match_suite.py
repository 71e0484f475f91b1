"""The benchmark of the matcher measures what it says: its tables, its rivals' answers, its verdicts."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from bench.match import floor, kinds, picks, rivals, routes, suite
from bench.match.goals import Goal, Measured, goals
from bench.match.rounds import Candidate, Group, Spread, Times, difference, loop, measure, ratio

ROOT = Path(__file__).parents[2]
LIBRARIES = {"re2_set": "re2", "list_of_re": "re", "dictionary": "re"}


@pytest.fixture(scope="module")
def github() -> list[routes.Route]:
    return routes.github_like()


def installed(make: rivals.Router) -> rivals.Router:
    """Skips where the rival is not there, with the remedy; on CI it fails."""
    library = LIBRARIES.get(make.__name__, make.__name__)
    if importlib.util.find_spec(library) is None:
        says = f"{library} is not installed: pip install '.[bench]', as make test does"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(says)
    return make


def shape(route: routes.Route) -> str:
    return "".join("p" if segment is None else "s" for segment in route.segments)


def test_the_github_like_table_has_the_counts_of_githubs(github: list[routes.Route]) -> None:
    """203 routes on 142 paths, each shape with its methods as often; no two alike."""
    assert len({(route.method, route.segments) for route in github}) == len(github) == 203
    assert Counter(route.method for route in github) == routes.METHODS
    paths: dict[tuple[str | None, ...], set[str]] = {}
    for route in github:
        paths.setdefault(route.segments, set()).add(route.method)
    assert len(paths) == 142
    seen = Counter(
        ("".join("p" if s is None else "s" for s in path), frozenset(methods))
        for path, methods in paths.items()
    )
    assert seen == {
        (shape, frozenset(methods.split())): count
        for shape, sets in routes.GITHUB.items()
        for methods, count in sets.items()
    }


def test_a_gitlab_like_table_has_the_odds_of_gitlabs() -> None:
    """As many different paths as asked for; each common shape within a quarter of its odds."""
    table = routes.gitlab_like(3_500)
    assert len({route.segments for route in table}) == len(table) == 3_500
    seen, total = Counter(map(shape, table)), sum(routes.GITLAB.values())
    assert seen.keys() <= routes.GITLAB.keys()
    for name, odds in routes.GITLAB.items():
        if odds > total / 25:
            assert seen[name] == pytest.approx(3_500 * odds / total, rel=0.25)


def test_tables_and_requests_are_the_same_in_every_run(github: list[routes.Route]) -> None:
    assert routes.github_like() == github
    assert routes.gitlab_like(500) == routes.gitlab_like(500)
    first, second = ([*routes.requests(github, 50, Random(1))] for _ in range(2))
    assert first == second
    assert len({request.path for request, _ in first}) > 40  # parameters are fresh


@pytest.mark.parametrize("make", rivals.LIMITS, ids=lambda make: make.__name__)
def test_a_rival_answers_every_route_of_githubs(
    make: rivals.Router, github: list[routes.Route]
) -> None:
    """What is timed is a right answer, for each of the 203."""
    candidate = installed(make)(github)
    for route in github:
        ((key, name),) = routes.requests([route], 1, Random(1))
        assert candidate.answer(key, suite.TARGET) == name
    assert candidate.covers


@pytest.mark.parametrize(
    "make", rivals.routers(10_000, whole_paths=True), ids=lambda make: make.__name__
)
def test_a_rival_answers_whole_paths(make: rivals.Router) -> None:
    table = routes.whole_paths(300)
    candidate = installed(make)(table)
    for key, name in routes.requests(table, 300, Random(1)):
        assert candidate.answer(key, suite.TARGET) == name


@pytest.mark.parametrize("make", kinds.KINDS.values(), ids=kinds.KINDS)
def test_each_kind_of_rule_gets_its_requests(make: Callable[..., kinds.Kind]) -> None:
    kind = make(Random(1), 600)
    assert len(kind.table) == 600
    found = [kind.table.match(*key) for key in kind.keys[:600]]
    assert [match and match.route for match in found] == list(kind.expected[:600])


def test_three_headers_are_asked_for(github: list[routes.Route]) -> None:
    """The rules get their requests, and none of them without one of the three."""
    kind = kinds.three_headers(github, Random(1))
    for (*request, headers), name in zip(kind.keys[:200], kind.expected, strict=False):
        match = kind.table.match(*request, headers)
        assert match is not None
        assert match.route == name
        for header in kinds.THREE:
            fewer = {n: value for n, value in headers.items() if n != header}
            assert kind.table.match(*request, fewer) is None


def test_a_wrong_answer_is_not_timed(github: list[routes.Route]) -> None:
    """A candidate that errs once is refused, with the key, its answer and the right one."""
    asked = [*routes.requests(github, 20, Random(1))]
    wrong = replace(rivals.trimtab(github), read=lambda _: "r0")
    with pytest.raises(suite.WrongAnswerError, match=r"trimtab: .* is r\d+'s, not r0's"):
        suite.check([wrong], suite.TARGET, asked)


@pytest.mark.parametrize("count", picks.COUNTS)
def test_all_ways_to_pick_have_the_weights(count: int) -> None:
    """10,000 picks of each come within six standard deviations of a fair draw."""
    total = sum(picks.weights(count))
    share = max(picks.weights(count)) / total
    for strayed in picks.deviations(count).values():
        assert 0 < strayed < 6 * (picks.PICKS * share * (1 - share)) ** 0.5


def test_the_floor_reads_three_str_and_gives_what_is_there() -> None:
    """It is a call as a match is: another number or type of arguments is refused."""
    f3 = floor.load()
    assert f3("/a", "h", "GET") is f3("/b", "é", "")
    for wrong in (("a", "b"), ("a", "b", 3)):
        with pytest.raises(TypeError):
            f3(*wrong)


def test_without_a_compiler_the_floor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is two calls of len, and the report tells."""
    floor.load.cache_clear()
    monkeypatch.setattr(floor.sysconfig, "get_config_var", lambda _: "no-such-compiler")
    with pytest.raises(floor.NoCompilerError, match="no-such-compiler"):
        floor.load()
    three, length = suite.floors()
    assert three.expression == f"{length.expression}; {length.expression}"
    assert floor.says().startswith("2 calls of len, for want of a compiler")


def test_a_loop_evaluates_the_expression_for_each_key() -> None:
    seen: list[object] = []
    one = Candidate("one", "see((a, b))", {"see": seen.append})
    loop(one, "a, b", [(1, 2), (3, 4)])()
    assert seen == [(1, 2), (3, 4)]
    seen.clear()
    many = Candidate("many", "see(batch)", {"see": seen.append}, batch=2)
    loop(many, "a, b", [(1, 2), (3, 4), (5, 6)])()
    assert seen == [[(1, 2), (3, 4)], [(5, 6)]]


def test_every_candidate_is_measured_in_every_round() -> None:
    keys = [("/",)] * 100
    group = Group(
        "g", [Candidate("a", "len(path)", {}), Candidate("b", "path * 9", {})], keys, "path,"
    )
    times = measure(group, rounds=3, repeats=1)
    assert {name: len(one.rounds) for name, one in times.items()} == {"a": 3, "b": 3}


def test_ratios_are_taken_round_by_round() -> None:
    """A machine that turns twice as slow in one round does not change them."""
    assert ratio(Times([20, 40, 30]), Times([10, 20, 10])) == Spread(2, 2, 3)
    assert difference(Times([5, 9]), Times([1, 2])).rounds == [4, 7]


def measured(figures: Mapping[str, Mapping[str, Times]]) -> Measured:
    return Measured(figures, core={}, build={}, deviations={}, envoy=[])


@pytest.mark.parametrize(("ours", "holds"), [(39, True), (40, True), (41, False)])
def test_a_goal_is_a_bound_on_a_ratio(ours: float, holds: bool) -> None:
    """4 F3 for the 203 routes, and 6 times that for routrie: at the bound it holds."""
    figures = {"F3": Times([10]), "trimtab": Times([ours]), "routrie": Times([240])}
    by_name = {goal.what: goal for goal in goals(measured({"github-203": figures}))}
    assert by_name["match, GitHub-like, 203 routes"].holds is holds
    assert by_name["routrie takes for the same"].holds is holds


def test_what_was_not_measured_neither_holds_nor_fails() -> None:
    nothing = goals(measured({}))
    assert len({goal.what for goal in nothing}) == len(nothing) > 20
    assert {goal.holds for goal in nothing} == {None}
    assert Goal("x", 5, "picks", Spread(6, 6, 6)).holds is False


def test_the_groups_of_pytest_benchmark_run() -> None:
    """Each candidate of the smallest site and of the picks, once."""
    command = [sys.executable, "-m", "pytest", "-q", "bench/match", "-k", "github-203 or test_pick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


def test_a_run_writes_its_figures_and_check_fails_it(tmp_path: Path) -> None:
    """One small group: JSON and Markdown, the machine and the command in both; exit 1 with --check,
    since most goals were not measured."""
    command = [sys.executable, "-m", "bench.match", "--only", "picks-2", "--rounds", "2"]
    command += ["--repeats", "1", "--out", str(tmp_path), "--date", "today", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "| goal | asked | seen |" in done.stdout
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["date"] == "today"
    assert len(found["groups"]["picks-2"]["rounds"]["value"]) == 2
    page = (tmp_path / "results.md").read_text()
    assert "python -m bench.match --only picks-2" in page
    assert f"- cpu: {found['cpu']}" in page
