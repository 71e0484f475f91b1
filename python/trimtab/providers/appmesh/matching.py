"""Matches of App Mesh in the words of the matcher, and which of them it would refuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from trimtab._core import HeaderMatch, QueryMatch, Rule, RuleError
from trimtab.providers.appmesh import values
from trimtab.providers.appmesh.hops import Match, PathKind


class Weighted(Protocol):
    """What a request can be given to."""

    @property
    def name(self) -> str: ...
    @property
    def weight(self) -> int: ...


def rule_of(
    name: str,
    match: Match,
    *,
    hosts: Sequence[str] = (),
    targets: Sequence[Weighted] = (),
    data: object = None,
) -> Rule:
    """A rule for one entry of a first-match list.

    Weights that are all zero become no targets at all: nothing can be picked from them.
    """
    kind, text = match.path
    path = {PathKind.EXACT: "path", PathKind.REGEX: "regex", PathKind.PREFIX: "prefix"}[kind]
    asked: dict[str, Any] = {path: text}
    weights = [(t.name, t.weight) for t in targets]
    return Rule(
        name,
        hosts=hosts,
        methods=(match.method,) if match.method else (),
        scheme=match.scheme,
        grpc=match.grpc,
        headers=[header_of(h) for h in match.headers],
        query=[query_of(q) for q in match.query],
        targets=weights if any(w for _, w in weights) else (),
        data=data,
        **asked,
    )


def header_of(header: values.HeaderMatch) -> HeaderMatch:
    asked = header.match
    if asked is None:
        return HeaderMatch(header.name, invert=header.invert)
    bounds = asked.range
    return HeaderMatch(
        header.name,
        exact=asked.exact,
        prefix=asked.prefix,
        suffix=asked.suffix,
        regex=asked.regex,
        range=(bounds.start, bounds.end) if bounds else None,
        invert=header.invert,
    )


def query_of(query: values.QueryMatch) -> QueryMatch:
    return QueryMatch(query.name, exact=query.match.exact if query.match else None)


# --- what the matcher, and so Envoy, would refuse ---------------------------------------------


def header_fault(header: values.HeaderMatch) -> str | None:
    """Why a header match cannot be honoured, None when it can."""
    return _fault(lambda: header_of(header))


def regex_fault(regex: str) -> str | None:
    """Why a pattern for paths cannot be honoured, None when it can."""
    return _fault(lambda: Rule("path", regex=regex))


def host_fault(domain: str) -> str | None:
    """Why a virtual host domain cannot be honoured, None when it can."""
    return _fault(lambda: Rule("host", hosts=(domain,)))


def _fault(build: Callable[[], object]) -> str | None:
    try:
        build()
    except RuleError as error:
        return str(error).partition(": ")[2] or str(error)
    return None
