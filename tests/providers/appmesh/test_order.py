"""A list that is kept while its rules come and go is wrong in what a list made anew is wrong in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trimtab.providers.appmesh.hops import Match, Path, PathKind
from trimtab.providers.appmesh.order import Entry, Ordering, covers
from trimtab.providers.appmesh.overlaps import Overlaps

texts = st.sampled_from(["/", "/a", "/a/", "/a/b", "/ab", "/b"])
patterns = st.sampled_from(["/a.*", "/(a|b)", ".*b", "/a/[^/]+", "/(?i)x"])
paths = st.one_of(
    texts.map(lambda t: Path(PathKind.PREFIX, t)),
    texts.map(lambda t: Path(PathKind.EXACT, t)),
    patterns.map(lambda t: Path(PathKind.REGEX, t)),
)
matches = st.builds(Match, paths, st.sampled_from([None, "GET", "POST"]))


def entry(rule: int, match: Match, priority: int | None, host: str, port: int | None) -> Entry[int]:
    return Entry(rule, f"r{rule}", f"route {rule}", f"field {rule}", priority, match, host, port)


entries = st.builds(
    entry,
    st.integers(0, 5),
    matches,
    st.none() | st.integers(0, 2),
    st.sampled_from(["*", "a.b"]),
    st.sampled_from([None, None, 1, 2]),
)
steps = st.lists(st.lists(entries, min_size=1, max_size=3), min_size=1, max_size=12)


@given(steps=steps, gone=st.lists(st.integers(0, 5), max_size=4))
def test_kept_findings_are_those_of_a_list_made_anew(
    steps: list[list[Entry[int]]], gone: list[int]
) -> None:
    """After every step: rules of one to three entries that are put, put again, and taken out."""
    kept = Ordering[int]()
    rules: dict[int, list[Entry[int]]] = {}
    changes: list[tuple[int, list[Entry[int]]]] = []
    for step in steps:
        rule = step[0].rule
        changes.append((rule, [e for e in step if e.rule == rule]))
    changes += [(rule, []) for rule in gone]
    for rule, own in changes:
        kept.put(rule, own)
        rules[rule] = own
        anew = Ordering[int]()
        for number, its in rules.items():
            anew.put(number, its)
        assert kept.findings() == anew.findings()


@given(a=entries, b=entries)
def test_what_may_meet_is_found_from_both_sides(a: Entry[int], b: Entry[int]) -> None:
    """Whoever counts an entry among the earlier ones is among those that are later than it; and a
    covered entry always finds the one that covers it, if that has a path to be found by."""
    if a.rule == b.rule or a.host != b.host or a.key == b.key:
        return
    first, second = sorted((a, b), key=lambda e: e.key)
    overlaps = Overlaps[int]()
    overlaps.add(first)
    overlaps.add(second)
    found = first in overlaps.earlier(second)
    if found:
        assert second in overlaps.later(first)
    together = first.port is None or second.port is None or first.port == second.port
    sampled = "(?i)" not in second.match.path.text
    if covers(first.match, second.match) and together and sampled:
        assert found
    overlaps.remove(first)
    assert list(overlaps.earlier(second)) == []
