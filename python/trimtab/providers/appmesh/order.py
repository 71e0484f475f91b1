"""First-match lists as people get them wrong: rules that never win, and order left to chance.

Every finding is proved: what is called shadowed is covered predicate by predicate, what is
called ambiguous comes with a request that both rules match, asked of the real matcher.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from trimtab._core import RouteTable
from trimtab.core.matching import MatchQuery
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.codes import Problem
from trimtab.providers.appmesh.hops import EVERY_PATH, Match, PathKind
from trimtab.providers.appmesh.matching import rule_of
from trimtab.providers.appmesh.paths import normal
from trimtab.providers.appmesh.sample import sample
from trimtab.providers.appmesh.values import UNSET_PRIORITY, HeaderMatch, QueryMatch

# A list in which everything overlaps is looked at so far, and no further.
_MOST_PAIRS = 20_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a first-match list. Entries of one ``owner`` are not held against each other."""

    owner: Any  # the resource that the finding is reported on
    title: str  # as a message names it
    field: str  # where its match stands
    priority: int | None
    match: Match

    @property
    def rank(self) -> int:
        return UNSET_PRIORITY if self.priority is None else self.priority


def findings(entries: Sequence[Entry], host: str | None = None) -> Iterator[tuple[Entry, Problem]]:
    """What is wrong with a list in match order; each pair of rules is reported once."""
    pairs = list(islice(_overlapping(entries), _MOST_PAIRS))
    shadowed = _shadowed(entries, pairs)
    for loser, winner in shadowed.values():
        yield loser, _shadow_problem(loser, winner, host)
    told: set[frozenset[str]] = set()
    for i, j in pairs:
        first, second = entries[i], entries[j]
        both = frozenset((first.title, second.title))
        if both in told or second.title in shadowed or first.rank != second.rank:
            continue
        if _is_ordered(first.match, second.match):
            continue
        request = common_request(first.match, second.match, host)
        if request is not None:
            told.add(both)
            yield second, _ambiguity_problem(first, second, request)


# --- which pairs are worth a look ---------------------------------------------------------------


def _overlapping(entries: Sequence[Entry]) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) of different rules whose paths may overlap, each at most twice."""
    prefixes: dict[str, list[int]] = {}
    exacts: dict[str, list[int]] = {}
    regexes: list[int] = []
    for index, entry in enumerate(entries):
        kind, text = entry.match.path
        if kind is PathKind.PREFIX:
            prefixes.setdefault(text, []).append(index)
        elif kind is PathKind.EXACT:
            exacts.setdefault(text, []).append(index)
        else:
            regexes.append(index)
    lengths = sorted({len(text) for text in prefixes})
    for index, entry in enumerate(entries):
        kind, text = entry.match.path
        near: set[int] = set()
        if kind is PathKind.REGEX:
            text = sample(text) or ""
            near.update(regexes)
        if kind is PathKind.EXACT:
            near.update(exacts[text])
            near.update(regexes)
        for length in lengths:
            if length <= len(text):
                near.update(prefixes.get(text[:length], ()))
        for other in near:
            if entries[other].title != entry.title:
                yield min(index, other), max(index, other)


def _is_ordered(first: Match, second: Match) -> bool:
    """Whether App Mesh documents which comes first at equal priority: the longer prefix."""
    both = first.path.kind is second.path.kind is PathKind.PREFIX
    return both and len(first.path.text) != len(second.path.text)


# --- shadowed -----------------------------------------------------------------------------------


def _shadowed(
    entries: Sequence[Entry], pairs: Sequence[tuple[int, int]]
) -> dict[str, tuple[Entry, Entry]]:
    """Rules of which every entry is covered by an earlier one that is known to come first."""
    covered: dict[int, int] = {}
    for i, j in pairs:
        first, second = entries[i], entries[j]
        certain = first.rank < second.rank or _is_ordered(first.match, second.match)
        if certain and j not in covered and covers(first.match, second.match):
            covered[j] = i
    by_title: dict[str, list[int]] = {}
    for index, entry in enumerate(entries):
        by_title.setdefault(entry.title, []).append(index)
    return {
        title: (entries[mine[-1]], entries[covered[mine[-1]]])
        for title, mine in by_title.items()
        if all(index in covered for index in mine)
    }


def covers(wide: Match, narrow: Match) -> bool:
    """Whether every request that ``narrow`` matches is matched by ``wide``: sound, not complete."""
    kind, text = wide.path
    if kind is PathKind.PREFIX:
        paths = narrow.path.kind is not PathKind.REGEX and narrow.path.text.startswith(text)
        paths = paths or text in ("", "/")
    else:
        paths = wide.path == narrow.path
    return (
        paths
        and wide.method in (None, narrow.method)
        and wide.scheme in (None, narrow.scheme)
        and (narrow.grpc or not wide.grpc)
        and set(wide.headers) <= set(narrow.headers)
        and set(wide.query) <= set(narrow.query)
    )


def _shadow_problem(loser: Entry, winner: Entry, host: str | None) -> Problem:
    request = _shown(common_request(winner.match, loser.match, host))
    more_specific = covers(winner.match, loser.match) and winner.match != loser.match
    if winner.rank < loser.rank and more_specific and loser.priority is not None:
        message = (
            f"never gets a request: {winner.title} takes all of them, as its priority "
            f"{winner.priority} goes before {loser.priority}{request}."
        )
        remedy = "The lowest number wins: give the more specific route the lower one."
        return Problem(codes.UPSIDE_DOWN, loser.field, message, remedy)
    message = f"never gets a request: {winner.title} takes all of them{request}."
    remedy = "Remove it, narrow the other, or give it a lower priority number than the other has."
    return Problem(codes.SHADOWED, loser.field, message, remedy)


def _ambiguity_problem(first: Entry, second: Entry, request: MatchQuery) -> Problem:
    message = (
        f"and {first.title} both match{_shown(request)}; App Mesh does not say which wins. "
        f"Here it is {first.title}."
    )
    remedy = "Give the one that should win a lower priority number."
    return Problem(codes.AMBIGUOUS, second.field, message, remedy)


# --- requests -----------------------------------------------------------------------------------


def common_request(a: Match, b: Match, host: str | None) -> MatchQuery | None:
    """A request that both match, asked of the matcher; None when none was found."""
    path = _common_path(a, b)
    if path is None or _clash(a.method, b.method) or _clash(a.scheme, b.scheme):
        return None
    headers = _common_headers((*a.headers, *b.headers))
    query = _common_query((*a.query, *b.query))
    if headers is None or query is None:
        return None
    if a.grpc or b.grpc:
        headers["content-type"] = "application/grpc"
    request = MatchQuery(
        normal(path) + (f"?{query}" if query else ""),
        host=host or "",
        method=a.method or b.method or "GET",
        scheme=a.scheme or b.scheme or "http",
        headers=tuple(headers.items()),
    )
    return request if all(_matches(m, request) for m in (a, b)) else None


def _matches(match: Match, request: MatchQuery) -> bool:
    table = RouteTable([rule_of("one", match)])
    found = table.match(request.path, None, request.method, request.headers, scheme=request.scheme)
    return found is not None


def _clash(a: str | None, b: str | None) -> bool:
    return a is not None and b is not None and a != b


def _common_path(a: Match, b: Match) -> str | None:
    """The most demanding of the two paths, as a text: an exact one, a regex, the longer prefix."""
    by_kind = {a.path.kind: a.path.text, b.path.kind: b.path.text}
    if PathKind.EXACT in by_kind:
        return by_kind[PathKind.EXACT]
    if PathKind.REGEX in by_kind:
        return sample(by_kind[PathKind.REGEX])
    return max(a.path.text, b.path.text, key=len)


def _common_headers(tests: Sequence[HeaderMatch]) -> dict[str, str] | None:
    """A value for each header that passes all tests of it; None when none was found."""
    values: dict[str, str] = {}
    by_name: dict[str, list[HeaderMatch]] = {}
    for test in tests:
        by_name.setdefault(test.name.lower(), []).append(test)
    for name, asked in by_name.items():
        if all(t.match is None and t.invert for t in asked):
            continue  # it has to be absent
        value = value_for(asked)
        if value is None:
            return None
        values[name] = value
    return values


def value_for(tests: Sequence[HeaderMatch]) -> str | None:
    """A value that passes all tests of one header; None when none was found."""
    matches = [t.match for t in tests if t.match is not None and not t.invert]
    if len({m.exact for m in matches if m.exact is not None}) > 1:
        return None
    starts = [m.prefix for m in matches if m.prefix] or [""]
    ends = [m.suffix for m in matches if m.suffix] or [""]
    candidates = [m.exact for m in matches if m.exact is not None]
    candidates += [str(m.range.start) for m in matches if m.range is not None]
    candidates += [sample(m.regex) or "" for m in matches if m.regex is not None]
    candidates += [max(starts, key=len) + max(ends, key=len), max(starts, key=len), "other"]
    return next((c for c in candidates if c and _passes(tests, c)), None)


def _passes(tests: Sequence[HeaderMatch], value: str) -> bool:
    match = Match(EVERY_PATH, headers=tuple(tests))
    header = ((tests[0].name, value),)
    return _matches(match, MatchQuery("/", headers=header))


def _common_query(tests: Sequence[QueryMatch]) -> str | None:
    """A query string that passes all tests; None when they exclude each other."""
    values: dict[str, str | None] = {}
    for test in tests:
        wanted = test.match.exact if test.match else None
        known = values.get(test.name)
        if known is not None and wanted is not None and known != wanted:
            return None
        values[test.name] = wanted if wanted is not None else known
    return "&".join(f"{name}={'1' if value is None else value}" for name, value in values.items())


def _shown(request: MatchQuery | None) -> str:
    """A request in a sentence: `` (for example GET /a with x: 1)``."""
    if request is None:
        return ""
    headers = "".join(f", {name}: {value}" for name, value in request.headers)
    return f" (for example {request.method} {request.host}{request.path}{headers})"
