"""Tables of routes of the shape that real sites have, and requests for them; all words are ours.

A *shape* spells the segments of a path: ``s`` is static, ``p`` a parameter; ``spps`` is
``/shops/{}/{}/orders``. How often each shape and set of methods occurs was counted in two public
lists that routers are measured with: GitHub's API (203 routes) and GitLab's web routes (1,782 paths;
a wildcard counts as a parameter). Where a list is to be longer, shapes are drawn by the same odds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from random import Random
from typing import NamedTuple

HOST = "api.shop.example"

# shape -> methods of one path -> how many such paths: 142 paths, 203 routes
GITHUB = {
    "s": {"GET": 9, "GET POST": 2, "GET PUT": 1, "POST": 1},
    "sp": {"GET": 2, "GET DELETE": 3},
    "spp": {"GET DELETE": 1},
    "spps": {"GET": 15, "GET POST": 8, "GET PUT DELETE": 1, "GET PUT": 1, "POST": 1},
    "sppsp": {"GET": 5, "GET DELETE": 7, "GET PUT DELETE": 1, "GET POST": 1},
    "sppsps": {"GET": 5, "GET POST": 2, "GET PUT": 2, "GET POST PUT DELETE": 1, "POST": 1},
    "sppspsp": {"DELETE": 1},
    "sppss": {"GET": 5, "GET POST": 1, "POST": 4},
    "sppssp": {"GET": 4},
    "sps": {"GET": 16, "GET POST": 2, "GET PUT DELETE": 1, "DELETE": 1, "POST": 1},
    "spsp": {"GET": 1, "GET DELETE": 2, "GET PUT DELETE": 2},
    "spspp": {"GET PUT DELETE": 1},
    "spss": {"GET": 2},
    "spssp": {"GET": 1},
    "ss": {"GET": 12, "GET POST": 2, "GET POST DELETE": 1, "POST": 1},
    "ssp": {"GET": 2, "GET DELETE": 1, "GET PUT DELETE": 1},
    "sspp": {"GET PUT DELETE": 2},
    "ssps": {"GET PUT DELETE": 1},
    "sssp": {"GET": 3},
    "ssspppp": {"GET": 1},
}
# the 30 commonest shapes: 88 of 100 paths
GITLAB = {
    "sss": 248,
    "ppssps": 169,
    "ss": 141,
    "ppsss": 120,
    "spsss": 84,
    "ppss": 78,
    "ppssp": 73,
    "ssps": 70,
    "spss": 65,
    "pps": 58,
    "ppssss": 50,
    "ppsp": 47,
    "ssss": 45,
    "spssps": 45,
    "ssp": 31,
    "spssp": 30,
    "sssp": 27,
    "sssps": 23,
    "ppsspsp": 21,
    "spssss": 18,
    "sps": 17,
    "ppsssp": 15,
    "s": 15,
    "spsssps": 15,
    "spsp": 13,
    "ppsspss": 11,
    "ppsps": 11,
    "sp": 11,
    "ppsssps": 10,
    "spsspsp": 10,
}
METHODS = {"GET": 131, "POST": 29, "DELETE": 28, "PUT": 15}  # GitHub's

NOUNS = """
    accounts alerts archives audits badges baskets batches bills boards bookings brands bundles
    carriers carts catalogs channels claims clients coupons couriers credits crews depots deposits
    discounts drafts drivers events exports feeds fleets forecasts gifts grants imports invoices
    items ledgers lockers margins markets menus notices offers orders parcels partners payments
    pickups plans policies prices products quotas quotes receipts refunds regions returns reviews
    shelves shifts stores suppliers
""".split()  # noqa: SIM905 - words
QUALIFIERS = """
    active by-day by-region by-store by-week closed count current details disputed draft due expired
    export failed flagged health history import index latest limits locked merged open owners
    pending preview recent rejected scheduled search settings shared sorted status summary totals
    unpaid verified
""".split()  # noqa: SIM905 - words
WORDS = [*NOUNS, *(f"{noun}-{qualifier}" for noun, qualifier in product(NOUNS, QUALIFIERS))]


class Route(NamedTuple):
    """A method and the segments of a path; None is a parameter, which takes one segment."""

    name: str
    method: str
    segments: tuple[str | None, ...]

    def template(self, parameter: Callable[[int], str]) -> str:
        """The path as a router writes it: ``parameter`` makes the segment of a parameter."""
        return "".join(
            "/" + (parameter(i) if segment is None else segment)
            for i, segment in enumerate(self.segments)
        )


class Request(NamedTuple):
    path: str
    host: str
    method: str


def github_like() -> list[Route]:
    """142 paths with 203 methods, shape by shape and method by method those of GitHub's API."""
    rng = Random(203)
    paths: dict[tuple[str | None, ...], str] = {}
    for shape, sets in GITHUB.items():
        for methods in (m for m, count in sets.items() for _ in range(count)):
            # Nearly half of the list stands below /repos/{owner}/{repo}.
            first = ["shops"] if shape.startswith("spp") else NOUNS[:20]
            while (path := _path(shape, first, rng)) in paths:
                pass
            paths[path] = methods
    return _in_order((m, path) for path, methods in paths.items() for m in methods.split())


def gitlab_like(count: int = 3_500) -> list[Route]:
    """``count`` paths by the odds of GitLab's shapes, each with a method by GitHub's odds."""
    rng = Random(count)
    shapes, odds = list(GITLAB), list(GITLAB.values())
    paths: dict[tuple[str | None, ...], None] = {}
    while len(paths) < count:
        shape = rng.choices(shapes, odds)[0]
        first = WORDS if shape == "s" else NOUNS
        paths.setdefault(_path(shape, first, rng))
    methods = rng.choices(list(METHODS), list(METHODS.values()), k=count)
    return _in_order(zip(methods, paths, strict=True))


def whole_paths(count: int) -> list[Route]:
    """Paths of two to four segments without a parameter, of which a dict can find each."""
    rng = Random(count)
    paths: dict[tuple[str | None, ...], None] = {}
    while len(paths) < count:
        paths.setdefault(_path(rng.choice(("ss", "sss", "ssss")), NOUNS, rng))
    return _in_order(("GET", path) for path in paths)


def requests(routes: Sequence[Route], count: int, rng: Random) -> Iterator[tuple[Request, str]]:
    """Uniformly random routes, each with parameters that were not seen before, and its name."""
    for route in rng.choices(routes, k=count):
        path = route.template(lambda _: f"{rng.getrandbits(40):010x}7")  # no word ends in a digit
        yield Request(path, HOST, route.method), route.name


def _path(shape: str, first: Sequence[str], rng: Random) -> tuple[str | None, ...]:
    return tuple(
        None if kind == "p" else rng.choice(WORDS if i else first) for i, kind in enumerate(shape)
    )


def _in_order(routes: Iterable[tuple[str, tuple[str | None, ...]]]) -> list[Route]:
    """A static segment before a parameter, so that the first that matches is the most specific:
    lists and trees then give the same answer."""
    ordered = sorted(routes, key=lambda route: ([(s is None, s or "") for s in route[1]], route[0]))
    return [Route(f"r{i}", method, path) for i, (method, path) in enumerate(ordered)]
