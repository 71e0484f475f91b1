"""The routers that Trimtab is measured against, each used as its manual says.

None has hosts, headers, query, ranks and weights together; ``covers`` says what each looks at.
All are asked what Trimtab is asked too: which route has this method and this path.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from .rounds import Candidate
from .routes import HOST, Route

PARAMETER = "[^/]+"


def trimtab(routes: Sequence[Route]) -> Candidate:
    from trimtab import RouteTable

    return trimtab_of("trimtab", RouteTable(rules(routes)))


def rules(routes: Sequence[Route]) -> list[Any]:
    """The rules of these routes."""
    from trimtab import Rule

    return [Rule(**arguments(route)) for route in routes]


def arguments(route: Route) -> dict[str, Any]:
    """What a Rule is made of: a whole path where there is no parameter, else a regex, as Envoy's
    configuration has it."""
    kind = "regex" if None in route.segments else "path"
    path = route.template(lambda _: PARAMETER)
    return {"name": route.name, "hosts": [HOST], "methods": [route.method], kind: path}


def trimtab_of(name: str, table: Any) -> Candidate:
    return Candidate(
        name,
        "match(path, host, method)",
        {"match": table.match},
        lambda match: match and match.route,
        "host, path, method; and, where rules ask for them: scheme, port, gRPC, headers, query",
    )


def routrie(routes: Sequence[Route]) -> Candidate:
    from routrie import Router

    routers = {
        method: Router({r.template(lambda i: f":p{i}"): r.name for r in some})
        for method, some in _by_method(routes).items()
    }
    return Candidate(
        "routrie",
        "routers[method].find(path)",
        {"routers": routers},
        lambda found: found and found[0],
        "path (a tree of a kind for each method, in Rust); gives parameters",
    )


def werkzeug(routes: Sequence[Route]) -> Candidate:
    from werkzeug.routing import Map, Rule

    made = [
        Rule(r.template(lambda i: f"<p{i}>"), endpoint=r.name, methods=[r.method]) for r in routes
    ]
    return Candidate(
        "werkzeug",
        "adapter.match(path, method)",
        {"adapter": Map(made).bind(HOST)},
        lambda found: found[0],
        "path, method; gives parameters",
    )


def starlette(routes: Sequence[Route]) -> Candidate:
    from starlette.routing import Match
    from starlette.routing import Route as StarletteRoute

    def endpoint() -> None:
        """Is never called."""

    made = [
        StarletteRoute(r.template(lambda i: f"{{p{i}}}"), endpoint, methods=[r.method], name=r.name)
        for r in routes
    ]

    def find(path: str, method: str) -> StarletteRoute | None:
        """The loop at the head of starlette.routing.Router.app."""
        scope = {"type": "http", "path": path, "method": method}
        for route in made:
            match, _ = route.matches(scope)
            if match == Match.FULL:
                return route
        return None

    return Candidate(
        "starlette",
        "find(path, method)",
        {"find": find},
        lambda route: route and route.name,
        "path, method (a list, in Python); gives parameters",
    )


def falcon(routes: Sequence[Route]) -> Candidate:
    from falcon.routing import CompiledRouter

    router = CompiledRouter()
    paths: dict[str, dict[str, str]] = defaultdict(dict)
    for route in routes:
        paths[route.template(lambda i: f"{{p{i}}}")][route.method] = route.name
    for path, names in paths.items():
        router.add_route(path, _resource(names))
    router.find("/")  # the router compiles itself when it is first asked
    return Candidate(
        "falcon",
        "find(path)[1][method]",
        {"find": router.find},
        lambda responder: responder.__name__,
        "path (Python code made from the routes), then a dict of methods; gives parameters",
    )


def _resource(names: dict[str, str]) -> object:
    """A resource of Falcon: a method for each HTTP method, here called as its route."""

    def responder(name: str) -> Callable[..., None]:
        def respond(_self: object, _req: object, _resp: object) -> None:
            """Is never called."""

        respond.__name__ = name
        return respond

    methods = {f"on_{method.lower()}": responder(name) for method, name in names.items()}
    return type("Resource", (), methods)()


def list_of_re(routes: Sequence[Route]) -> Candidate:
    made = [
        (r.method, re.compile(r.template(lambda _: "([^/]+)")).fullmatch, r.name) for r in routes
    ]

    def find(path: str, method: str) -> str | None:
        for its, fullmatch, name in made:
            if its == method and fullmatch(path):
                return name
        return None

    return Candidate(
        "list of re", "find(path, method)", {"find": find}, _itself, "path, method; a loop"
    )


def re2_set(routes: Sequence[Route]) -> Candidate:
    import re2  # type: ignore[import-untyped]

    sets, names = {}, {}
    for method, some in _by_method(routes).items():
        made = re2.Set.FullMatchSet()
        for route in some:
            made.Add(route.template(lambda _: PARAMETER))
        made.Compile()
        sets[method], names[method] = made.Match, [r.name for r in some]

    return Candidate(
        "re2 Set",
        "names[method][min(match[method](path))]",
        {"match": sets, "names": names},
        _itself,
        "path (a set of RE2 regexes for each method, in C++); the first of those that match",
    )


def dictionary(routes: Sequence[Route]) -> Candidate:
    """The floor of whole paths: there is nothing to find but the key."""
    made = {
        method: {r.template(str): r.name for r in some}
        for method, some in _by_method(routes).items()
    }
    return Candidate(
        "dict",
        "routes[method][path]",
        {"routes": made},
        _itself,
        "whole paths without parameters only, method",
    )


def _by_method(routes: Sequence[Route]) -> dict[str, list[Route]]:
    made: dict[str, list[Route]] = defaultdict(list)
    for route in routes:
        made[route.method].append(route)
    return made


def _itself(name: str) -> str:
    return name


Router = Callable[[Sequence[Route]], Candidate]

# Up to how many routes each is asked for: beyond, building it alone takes longer than all the rest,
# or it refuses (the set of RE2, at its limit of memory).
LIMITS: dict[Router, int] = {
    trimtab: 100_000,
    routrie: 100_000,
    werkzeug: 3_500,
    falcon: 203,
    starlette: 10_000,
    list_of_re: 10_000,
    re2_set: 203,
}


def routers(size: int, *, whole_paths: bool) -> list[Router]:
    """Trimtab, then each rival that can be built for a table of this size."""
    fitting = [make for make, limit in LIMITS.items() if size <= limit]
    return [*fitting, dictionary] if whole_paths else fitting


def built(make: Router, table: Sequence[Route]) -> Candidate:
    """One of them, with the time that it took to build."""
    start = time.perf_counter()
    candidate = make(table)
    return replace(candidate, built_s=time.perf_counter() - start)
