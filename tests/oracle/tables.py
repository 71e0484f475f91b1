"""Random RouteConfigurations over every predicate, on alphabets so small that rules collide."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from oracle.patterns import Patterns

from trimtab import HeaderMatch, RuleError

CLUSTERS = [f"c{i}" for i in range(6)]
EXACT_HOSTS = ["a.b", "b", "x.b", "x.a.b", "c.foo", "a-b.c", "a.b:80", "a.b.c", "[::1]:80"]
OTHER_HOSTS = ["*.b", "*.a.b", "*b", "*-b.c", "*.c", "*:80", "a.*", "a.b.*", "c.*", "x*", "a*", "*"]
PATHS = [
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/A",
    "/ab",
    "/a/b/c",
    "//a",
    "/b",
    "/%61",
    "/a.b",
    "/é",
    "/b/A/c",
]
HEADERS = ["x-a", "x-b", "X-a"]
TEXTS = ["a", "b", "ab", "aB", "A", "a,b", "abab", "é", "a b", "1"]
QUERY_NAMES = ["k", "l", "K"]
QUERY_TEXTS = ["1", "a", "a+b", "v%20w", "ab", "A", "aba"]
RANGES = [(0, 10), (-5, 1), (9, 10), (1, 1), (5, 2), (-(2**63), 0), (10, 2**63 - 1)]
METHODS = ["GET", "POST", "PUT"]


@dataclass
class Predicate:
    """One condition as Envoy is told it, a wish that a request may fulfil, and what it is called."""

    document: dict[str, Any]
    labels: list[str]
    wish: tuple[str, str | None] = ("", None)


@dataclass
class Route:
    """A route, the wishes of a request that it might get, and the labels of what it asks."""

    document: dict[str, Any]
    path: Predicate
    headers: list[Predicate] = field(default_factory=list)
    query: list[Predicate] = field(default_factory=list)
    grpc: bool = False

    @property
    def labels(self) -> list[str]:
        asked = [self.path, *self.headers, *self.query]
        return [label for predicate in asked for label in predicate.labels] + ["grpc"] * self.grpc


@dataclass
class TableCase:
    """A RouteConfiguration with its routes by name and the names of the routes of each domain."""

    document: dict[str, Any]
    routes: dict[str, Route]
    domains: dict[str, list[str]]


class Tables:
    """Draws tables. ``refused`` collects the patterns that were drawn and are no RE2 to us."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._patterns = Patterns(random)
        self.refused: set[str] = set()

    def draw(self) -> TableCase:
        hosts = self._domains()
        case = TableCase({}, {}, {})
        documents = []
        for number, domains in enumerate(hosts):
            # Now and then so many that the fast table divides them by what they ask.
            count = (
                self._random.randint(20, 60) if self._chance(0.1) else self._random.randint(0, 9)
            )
            routes = [self.route(f"v{number}r{i}") for i in range(count)]
            for route in routes:
                case.routes[route.document["name"]] = route
            names = [route.document["name"] for route in routes]
            for domain in domains:
                case.domains[domain] = names
            listed = [route.document for route in routes]
            documents.append({"name": f"v{number}", "domains": domains, "routes": listed})
        case.document["virtual_hosts"] = documents
        if self._chance(0.15):
            case.document["ignore_port_in_host_matching"] = True
        return case

    def _domains(self) -> list[list[str]]:
        exact = self._random.sample(EXACT_HOSTS, k=self._random.randint(0, 3))
        other = self._random.sample(OTHER_HOSTS, k=self._random.randint(1, 4))
        chosen = [*exact, *other]
        self._random.shuffle(chosen)
        groups: list[list[str]] = []
        for domain in chosen:
            if groups and self._chance(0.4):
                self._random.choice(groups).append(domain)
            else:
                groups.append([domain])
        return groups

    def route(self, name: str) -> Route:
        path = self._path()
        match: dict[str, Any] = dict(path.document)
        route = Route({"name": name, "match": match}, path)
        count = self._random.choice([0, 1, 1, 2, 2, 3, 3])
        for _ in range(count):
            if self._chance(0.45):
                route.query.append(self._query())
            else:
                route.headers.append(self._header())
        if route.headers:
            match["headers"] = [predicate.document for predicate in route.headers]
        if route.query:
            match[self._random.choice(["query_parameters", "queryParameters"])] = [
                predicate.document for predicate in route.query
            ]
        if self._chance(0.1):
            route.grpc = True
            match["grpc"] = {}
        route.document.update(self._action())
        return route

    def _action(self) -> dict[str, Any]:
        drawn = self._random.random()
        if drawn < 0.5:
            return {"route": {"cluster": self._random.choice(CLUSTERS)}}
        if drawn < 0.9:
            names = self._random.choices(CLUSTERS, k=self._random.randint(1, 4))
            weights = [self._random.choice([0, 1, 2, 5, 100]) for _ in names]
            weights[0] = weights[0] or 3
            clusters = [{"name": n, "weight": w} for n, w in zip(names, weights, strict=True)]
            return {"route": {"weighted_clusters": {"clusters": clusters, "header_name": "x-rand"}}}
        if drawn < 0.95:
            return {"direct_response": {"status": 200}}
        if drawn < 0.98:
            return {"redirect": {"host_redirect": "elsewhere"}}
        return {"non_forwarding_action": {}}

    def _path(self) -> Predicate:
        kind = self._random.choice(
            ["path", "prefix", "prefix", "separated", "regex", "any", "any", "any"]
        )
        text = self._random.choice(PATHS)
        folds = self._chance(0.45) and kind not in ("regex", "any")
        if kind == "any":
            return Predicate({"prefix": self._random.choice(["/", "/", ""])}, ["path: prefix"])
        if kind == "regex":
            pattern, text = self._regex("/")
            return Predicate({"safe_regex": {"regex": pattern}}, ["path: regex"], ("", text))
        if kind == "separated":
            text = text.rstrip("/") or "/a"
        name = {"separated": "path_separated_prefix"}.get(kind, kind)
        document: dict[str, Any] = {name: text}
        if folds:
            document[self._random.choice(["case_sensitive", "caseSensitive"])] = False
        label = f"path: {'exact' if kind == 'path' else kind}{', any case' if folds else ''}"
        return Predicate(document, [label], ("", text))

    def _header(self) -> Predicate:
        drawn = self._random.random()
        if drawn < 0.13:
            return self._pseudo(":method", self._random.choice(METHODS), "method")
        if drawn < 0.24:
            return self._pseudo(":scheme", self._random.choice(["http", "https"]), "scheme")
        if drawn < 0.28:
            return self._other_pseudo()
        name = self._random.choice(HEADERS)
        asked, kind, text = self._header_kind()
        document: dict[str, Any] = {"name": name, **asked}
        labels = [f"header: {kind}"]
        if self._chance(0.2):
            document["invert_match"] = True
            labels.append("header: invert")
        if self._chance(0.2):
            document["treat_missing_header_as_empty"] = True
            labels.append("header: missing as empty")
        return Predicate(document, labels, (name.lower(), text))

    def _pseudo(self, name: str, text: str, label: str) -> Predicate:
        return Predicate({"name": name, "string_match": {"exact": text}}, [label], (name, text))

    def _other_pseudo(self) -> Predicate:
        name, text = self._random.choice(
            [
                (":path", "/a"),
                (":authority", "a"),
                ("host", "b"),
                (":method", "P"),
                (":scheme", "http"),
            ]
        )
        document = {"name": name, "string_match": {"prefix": text}}
        return Predicate(document, ["header: prefix"])

    def _header_kind(self) -> tuple[dict[str, Any], str, str | None]:
        drawn = self._random.random()
        if drawn < 0.1:
            form: dict[str, Any] = self._random.choice([{}, {"present_match": True}])
            return form, "present", self._random.choice(TEXTS)
        if drawn < 0.18:
            return {"present_match": False}, "absent", None
        if drawn < 0.3:
            start, end = self._random.choice(RANGES)
            return {"range_match": {"start": str(start), "end": end}}, "range", str(start)
        if drawn < 0.32:  # any value at all
            return {"exact_match": ""}, "regex", self._random.choice(TEXTS)
        asked, kind, text = self._text(TEXTS)
        (name,) = [key for key in asked if key != "ignore_case"]
        if "ignore_case" not in asked and self._chance(0.2) and asked[name]:
            flat = "safe_regex_match" if name == "safe_regex" else f"{name}_match"
            return {flat: asked[name]}, kind, text
        return {"string_match": asked}, kind, text

    def _query(self) -> Predicate:
        name = self._random.choice(QUERY_NAMES)
        drawn = self._random.random()
        if drawn < 0.2:
            form: dict[str, Any] = self._random.choice([{}, {"present_match": True}])
            return Predicate({"name": name, **form}, ["query: present"], (name, "1"))
        if drawn < 0.28:
            return Predicate(
                {"name": name, "present_match": False}, ["query: absent"], (name, None)
            )
        asked, kind, text = self._text(QUERY_TEXTS)
        document = {"name": name, "string_match": asked}
        return Predicate(document, [f"query: {kind}"], (name, text))

    def _text(self, texts: list[str]) -> tuple[dict[str, Any], str, str]:
        """A StringMatcher, what it is called, and a text that it likes."""
        kinds = ["exact", "exact", "prefix", "suffix", "contains", "regex"]
        kind = self._random.choice(kinds)
        if kind == "regex":
            pattern, text = self._regex("")
            return {"safe_regex": {"regex": pattern}}, kind, text
        text = self._random.choice(["", *texts]) if kind == "exact" else self._random.choice(texts)
        asked: dict[str, Any] = {kind: text}
        if self._chance(0.5):
            asked["ignore_case"] = True
            kind += ", any case"
        return asked, kind, text

    def _regex(self, head: str) -> tuple[str, str]:
        """A pattern that we take, and so Envoy must take too."""
        while True:
            pattern, text = self._patterns.draw(head, odd=0.15)
            try:
                HeaderMatch("x", regex=pattern)
            except RuleError as error:
                if "not RE2 syntax" in str(error):  # and not only more than we can do
                    self.refused.add(pattern)
                continue
            if pattern:
                return pattern, text

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability
