"""Which predicates decided how many cases: read from what the table says of every rule."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from oracle.tables import TableCase

from trimtab import Match, RouteTable
from trimtab.testbed.telling_envoy import Asked

_KINDS = {
    "be present": "present",
    "be absent": "absent",
    "equal": "exact",
    "begin with": "prefix",
    "end with": "suffix",
    "contain": "contains",
    "match regex": "regex",
    "be a whole number in": "range",
}
_AS_EMPTY = " (absent counts as empty)"
_SUBJECT = re.compile(r'(header|query parameter) "([^"]*)" must (not )?(.*)', re.DOTALL)
_KIND = re.compile("|".join(_KINDS))

LABELS = (
    *(f"host: {kind}" for kind in ("exact", "suffix", "prefix", "any", "none", "port ignored")),
    *(f"path: {kind}" for kind in ("exact", "exact, any case", "prefix", "prefix, any case")),
    *(f"path: {kind}" for kind in ("separated", "separated, any case", "regex")),
    *("method", "scheme", "grpc", "header: present", "header: absent", "header: range"),
    *(f"header: {kind}" for kind in ("exact", "prefix", "suffix", "contains", "regex")),
    *(f"header: {kind}, any case" for kind in ("exact", "prefix", "suffix", "contains")),
    *("header: invert", "header: missing as empty", "header: repeated"),
    *("query: present", "query: absent", "query: exact", "query: prefix", "query: suffix"),
    *("query: contains", "query: regex", "query: repeated"),
    *(f"query: {kind}, any case" for kind in ("exact", "prefix", "suffix", "contains")),
    "weighted pick",
)


@dataclass
class Tally:
    """How many cases each predicate decided: some rule failed by it, or the winner passed it."""

    cases: int = 0
    matched: int = 0
    refused: int = 0  # patterns that Envoy refuses as we do
    failed: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)

    def count(self, case: TableCase, table: RouteTable, asked: Asked, found: Match | None) -> None:
        self.cases += 1
        self.matched += found is not None
        explained = table.explain(
            asked.path, asked.host, asked.method, asked.fields, scheme=asked.scheme
        )
        rank = len(explained) if found is None else found.rank
        reasons = (reason for _, _, reason in explained[:rank] if reason)
        failed = {label for reason in reasons for label in _failed(reason, asked)}
        passed = {_host(case, asked.host)}
        if case.document.get("ignore_port_in_host_matching") and b":" in asked.host:
            passed.add("host: port ignored")
        if found is not None:
            passed.update(_passed(case, asked, found))
        self.failed.update(failed)
        self.passed.update(passed)
        self.decided.update(failed | passed)

    def rows(self) -> Iterator[tuple[str, int, int, int]]:
        """Each predicate: cases that it decided, in which it failed a rule, passed with the winner."""
        for label in LABELS:
            yield label, self.decided[label], self.failed[label], self.passed[label]

    def rare(self, share: float = 0.01) -> list[str]:
        """The predicates that decided fewer cases than this share of all."""
        return [label for label, decided, _, _ in self.rows() if decided < share * self.cases]


def _failed(reason: str, asked: Asked) -> Iterator[str]:
    """The labels of the condition that a rule says it failed by."""
    labels, of, name = _read(reason)
    yield from labels
    if of and _repeats(asked, of, name):
        yield f"{of}: repeated"


@lru_cache(1 << 16)
def _read(reason: str) -> tuple[tuple[str, ...], str, str]:
    """The labels of a reason; for a header or query parameter which of the two, and its name."""
    if found := _SUBJECT.match(reason):
        subject, name, inverted, asks = found.groups()
        of = "header" if subject == "header" else "query"
        kind = _KINDS[_KIND.match(asks)[0]]  # type: ignore[index]
        labels = [f"{of}: {kind}{', any case' if _folds(asks) else ''}"]
        labels += ["header: invert"] if inverted else []
        labels += ["header: missing as empty"] if asks.endswith(_AS_EMPTY) else []
        return tuple(labels), of, name
    if reason.startswith("path must "):
        found = _KIND.match(reason.removeprefix("path must "))
        # The one kind that is told in other words: "be ... or continue it with '/'".
        kind = _KINDS[found[0]] if found else "separated"
        return (f"path: {kind}{', any case' if _folds(reason) else ''}",), "", ""
    known = {"method": "method", "scheme": "scheme", "content-type": "grpc"}
    first = reason.partition(" ")[0]
    return ((known[first],) if first in known else ()), "", ""


def _folds(text: str) -> bool:
    return text.removesuffix(_AS_EMPTY).endswith(" in any case")


def _passed(case: TableCase, asked: Asked, found: Match) -> Iterator[str]:
    route = case.routes[found.route]
    yield from route.labels
    if len(found.targets) > 1:
        yield "weighted pick"
    for predicate in route.headers:
        if _repeats(asked, "header", predicate.document["name"].lower()):
            yield "header: repeated"
    for predicate in route.query:
        if _repeats(asked, "query", predicate.document["name"]):
            yield "query: repeated"


def _repeats(asked: Asked, of: str, name: str) -> bool:
    if of == "header":
        return sum(header == name.encode() for header, _ in asked.fields) > 1
    parts = asked.path.partition(b"?")[2].split(b"&")
    return sum(part.partition(b"=")[0] == name.encode() for part in parts) > 1


def _host(case: TableCase, host: bytes) -> str:
    """The kind of domain that a host belongs to, by Envoy's order, written anew."""
    name = host.decode().lower()
    if case.document.get("ignore_port_in_host_matching") and ":" in name.rpartition("]")[2]:
        name = name.rpartition(":")[0]
    if name in case.domains:
        return "host: exact"
    wild = [domain for domain in case.domains if len(domain) > 1 and len(name) >= len(domain)]
    if any(domain[0] == "*" and name.endswith(domain[1:]) for domain in wild):
        return "host: suffix"
    if any(domain[-1] == "*" and name.startswith(domain[:-1]) for domain in wild):
        return "host: prefix"
    return "host: any" if "*" in case.domains else "host: none"
