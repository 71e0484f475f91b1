"""The same question for the fast table, for the list, and for the real Envoy."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml
from oracle.tables import CLUSTERS

from trimtab import Match, RouteTable
from trimtab.errors import InvalidDocument
from trimtab.testbed.telling_envoy import Asked, Seen, TellingEnvoy


class Answers(NamedTuple):
    """Route and cluster by each of the three; empty names where nothing matches."""

    fast: tuple[str, str]
    listed: tuple[str, str]
    envoy: tuple[str, str] | None

    @property
    def agree(self) -> bool:
        return self.fast == self.listed == self.envoy


@dataclass(eq=False)
class DifferenceError(Exception):
    """A case in which the answers differ; ``str`` of it is all that is needed to see it again."""

    document: dict[str, Any]
    asked: Asked | None
    answers: Answers | None
    refusal: str = ""

    def __str__(self) -> str:
        table = yaml.safe_dump(self.document, sort_keys=False, allow_unicode=True)
        if self.refusal:
            return f"taken by one, refused by the other: {self.refusal}\n{table}"
        return f"{self.answers}\nrequest: {self.asked}\ntable:\n{table}"


Read = Callable[[dict[str, Any]], RouteTable]


@contextmanager
def envoy_of(
    documents: Sequence[dict[str, Any]], refused: Sequence[str] = ()
) -> Iterator[TellingEnvoy]:
    """An Envoy that serves them. Raises DifferenceError when it refuses one of them, or takes one
    of the patterns ``refused``, which we refuse."""
    patterns = [_with_pattern(pattern) for pattern in refused]
    with TellingEnvoy.serving([*documents, *patterns], CLUSTERS) as envoy:
        refused_here = envoy.refused()
        for number, document in enumerate([*documents, *patterns]):
            if (number in refused_here) != (number >= len(documents)):
                reason = envoy.refusals().get(number, "Envoy takes a pattern that we refuse")
                raise DifferenceError(document, None, None, reason.splitlines()[-1])
        yield envoy


def _with_pattern(pattern: str) -> dict[str, Any]:
    match = {"safe_regex": {"regex": pattern}}
    route = {"name": "r", "match": match, "route": {"cluster": CLUSTERS[0]}}
    return {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [route]}]}


def number_of(asked: Asked) -> int:
    """What ``x-rand`` holds: the number that weighted clusters are picked by."""
    return next((int(value) for name, value in asked.fields if name == b"x-rand"), 0)


def fast_answer(table: RouteTable, asked: Asked) -> Match | None:
    return table.route(
        asked.path,
        asked.host,
        asked.method,
        asked.fields,
        value=number_of(asked),
        scheme=asked.scheme,
    )


def answers_of(table: RouteTable, asked: Asked, fast: Match | None, envoy: Seen | None) -> Answers:
    listed = table.match_listed(
        asked.path, asked.host, asked.method, asked.fields, scheme=asked.scheme
    )
    picked = listed.pick(number_of(asked)) if listed and listed.targets else ""
    return Answers(
        (fast.route, fast.target or "") if fast else ("", ""),
        (listed.route, picked) if listed else ("", ""),
        (envoy.route, envoy.cluster) if envoy else None,
    )


def smallest(difference: DifferenceError, read: Read) -> DifferenceError:
    """The same difference on the smallest table: parts are left out for as long as it stays.

    All tables that lack one part are asked at once, each at a listener of one Envoy.
    """
    while True:
        for smaller in _still_different(difference, read):
            difference = smaller
            break
        else:
            return difference


def _still_different(difference: DifferenceError, read: Read) -> Iterator[DifferenceError]:
    asked = difference.asked
    tables: list[tuple[dict[str, Any], RouteTable]] = []
    answered = difference.answers or ()
    for document in _smaller(difference.document, {route for route, _ in filter(None, answered)}):
        if document == difference.document or len(tables) == 100:
            continue
        try:
            tables.append((document, read(document)))
        except InvalidDocument:
            continue
    if asked is None or not tables:
        return
    with TellingEnvoy.serving([document for document, _ in tables], CLUSTERS) as envoy:
        refused = envoy.refused()
        for number, (document, table) in enumerate(tables):
            if number in refused:
                continue
            (seen,) = envoy.ask(number, [asked])
            answers = answers_of(table, asked, fast_answer(table, asked), seen)
            if not answers.agree:
                yield DifferenceError(document, asked, answers)


def _smaller(document: dict[str, Any], names: set[str]) -> Iterator[dict[str, Any]]:
    """The document with the routes called ``names`` alone, and without one of its virtual hosts,
    domains, routes or conditions."""
    yield _only(document, names)
    for path in _items(document, ()):
        smaller = copy.deepcopy(document)
        inner: Any = smaller
        for step in path[:-1]:
            inner = inner[step]
        del inner[path[-1]]
        yield smaller


def _only(document: dict[str, Any], names: set[str]) -> dict[str, Any]:
    hosts = [
        {**host, "routes": [route for route in host["routes"] if route["name"] in names]}
        for host in document["virtual_hosts"]
    ]
    return {**document, "virtual_hosts": [host for host in hosts if host["routes"]]}


def _items(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("grpc", "headers", "query_parameters", "queryParameters", "invert_match"):
                yield (*path, key)
            yield from _items(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield (*path, index)
            yield from _items(inner, (*path, index))
