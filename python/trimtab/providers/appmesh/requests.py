"""Requests that two matches both take: the examples of findings, asked of the real matcher."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trimtab._core import RouteTable
from trimtab.core.matching import MatchQuery
from trimtab.providers.appmesh.hops import ANYTHING, EVERY_PATH, Match, PathKind
from trimtab.providers.appmesh.matching import rule_of
from trimtab.providers.appmesh.paths import is_normal
from trimtab.providers.appmesh.sample import path_samples, sample
from trimtab.providers.appmesh.values import HeaderMatch, QueryMatch


def example(a: Match, b: Match, host: str | None) -> str | None:
    """What both match, in a sentence: `` (for example GET /a, x: 1)``; None when nothing was found."""
    if a.path == b.path == ANYTHING:
        return " (any connection)"
    request = common_request(a, b, host)
    if request is None:
        return None
    headers = "".join(f", {name}: {value}" for name, value in request.headers)
    scheme = "https://" if request.scheme == "https" else ""
    return f" (for example {request.method} {scheme}{request.host}{request.path}{headers})"


def common_request(a: Match, b: Match, host: str | None) -> MatchQuery | None:
    """A request that both match, asked of the matcher; None when none was found. Its path is one
    that arrives as it is."""
    if _clash(a.method, b.method) or _clash(a.scheme, b.scheme):
        return None
    headers = _common_headers((*a.headers, *b.headers))
    query = _common_query((*a.query, *b.query))
    if headers is None or query is None:
        return None
    if a.grpc or b.grpc:
        headers["content-type"] = "application/grpc"
    for path in _common_paths(a, b):
        request = MatchQuery(
            path + (f"?{query}" if query else ""),
            host=host or "",
            method=a.method or b.method or ("POST" if a.grpc or b.grpc else "GET"),
            scheme=a.scheme or b.scheme or "http",
            headers=tuple(headers.items()),
        )
        if all(_matches(m, request) for m in (a, b)):
            return request
    return None


def _matches(match: Match, request: MatchQuery) -> bool:
    table = RouteTable([rule_of("one", match)])
    found = table.match(request.path, None, request.method, request.headers, scheme=request.scheme)
    return found is not None


def _clash(a: str | None, b: str | None) -> bool:
    return a is not None and b is not None and a != b


def _common_paths(a: Match, b: Match) -> Iterator[str]:
    """What the more demanding of the two asks for: an exact path, a regex, the longer prefix."""
    by_kind = {a.path.kind: a.path.text, b.path.kind: b.path.text}
    if PathKind.EXACT in by_kind:
        yield from filter(is_normal, (by_kind[PathKind.EXACT],))
    elif PathKind.REGEX in by_kind:
        yield from path_samples(by_kind[PathKind.REGEX])
    else:
        prefix = max(a.path.text, b.path.text, key=len)
        yield from filter(is_normal, (prefix or "/", f"{prefix}x"))  # /a/. begins /a/.x


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
