"""Random requests: each aims at one route of a table, and misses it often enough."""

from __future__ import annotations

from random import Random

from oracle.tables import (
    METHODS,
    PATHS,
    QUERY_NAMES,
    QUERY_TEXTS,
    TEXTS,
    Predicate,
    Route,
    TableCase,
)

from trimtab.testbed.telling_envoy import Asked

HOSTS = ["a.b", "b", "x.b", "x.y.b", ".b", "x.a.b", "c.foo", "c.", "a-b.c", "x-b.c", "a.b:80"]
HOSTS += ["a.b.c", "A.B", "a.b.", "a.b:81", "q", "a.b:", "[::1]:80", "[::1]", "x", "a.q", "X.A.b"]
NUMBERS = ["0", "1", "9", "10", "-1", "+9", "09", " 9 ", "9.0", "-", "", "9223372036854775808", "5"]
VALUES = [*TEXTS, *NUMBERS, "", "xabx", "bab", "a-b"]
# What HTTP/2 carries in a path: Envoy itself answers 400 to a fragment.
PLAIN = frozenset(range(0x21, 0x7F)) | frozenset(range(0x80, 0x100))


class Questions:
    """Draws requests."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def draw(self, case: TableCase) -> Asked:
        domain, route = self._aim(case)
        fields = self._fields(route)
        method, scheme = (
            self._wished(route, ":method", METHODS),
            self._wished(route, ":scheme", ["http"]),
        )
        if self._chance(0.15):
            scheme = "https" if scheme == "http" else "http"
        grpc = self._chance(0.8 if route and route.grpc else 0.03)
        if grpc:
            kind = self._random.choice(["", "", "+proto", "+json", "-web", ";x"])
            fields.append((b"content-type", b"application/grpc" + kind.encode()))
        asked = Asked(
            self._path(route) + self._query(route),
            self._host(domain).encode(),
            method.encode(),
            scheme.encode(),
            tuple(fields),
        )
        return self._for_http1(asked) if asked.is_grpc else asked

    def _aim(self, case: TableCase) -> tuple[str | None, Route | None]:
        """A domain and one of its routes, one of the last more often: those before are to fail."""
        if self._chance(0.08):
            return None, None
        domain = self._random.choice(list(case.domains))
        names = case.domains[domain]
        if not names:
            return domain, None
        return domain, case.routes[names[max(self._random.randrange(len(names)) for _ in range(2))]]

    def _host(self, domain: str | None) -> str:
        if domain is None or self._chance(0.1):
            return self._random.choice(HOSTS)
        filler = self._random.choice(["x", "y.z", "A", "", "x.a"])
        if domain == "*":
            host = self._random.choice(["q.q", "q", *HOSTS[-3:]])
        else:
            host = domain.replace("*", filler) or "q"
        if self._chance(0.1):
            host = self._random.choice([host.upper(), host + ":80", host + "."])
        return host.removeprefix("*") or "q"

    def _path(self, route: Route | None) -> bytes:
        wish = route.path.wish[1] if route else None
        text = wish if wish is not None and self._chance(0.85) else self._random.choice(PATHS)
        drawn = self._random.random()
        if drawn < 0.15:
            text += self._random.choice(["/", "x", "/x", "b", "/a"])
        elif drawn < 0.25:
            text = text.swapcase() if text.isascii() else text
        elif drawn < 0.253:
            text += "#f"
        path = bytes(byte for byte in text.encode() if byte in PLAIN).replace(b"?", b"")
        return path if path.startswith(b"/") else b"/" + path

    def _query(self, route: Route | None) -> bytes:
        parts = [
            name if value == "" and self._chance(0.5) else f"{name}={value}"
            for name, value in self._pairs(route.query if route else [], QUERY_NAMES, QUERY_TEXTS)
        ]
        if not parts and not self._chance(0.05):
            return b""
        if self._chance(0.05):
            parts.insert(0, self._random.choice(["", "kk=1", "%6b=1", "k;l"]))
        text = self._random.choice(["&", "&", "&", "&&", ";"]).join(parts)
        return b"?" + bytes(byte for byte in text.encode() if byte in PLAIN).replace(b"#", b"")

    def _fields(self, route: Route | None) -> list[tuple[bytes, bytes]]:
        asked = [p for p in (route.headers if route else []) if not p.wish[0].startswith(":")]
        pairs = self._pairs(asked, ["x-a", "x-b"], VALUES)
        fields = [(name.encode(), value.encode()) for name, value in pairs]
        fields.append((b"x-rand", str(self._random.randrange(200)).encode()))
        return fields

    def _pairs(
        self, asked: list[Predicate], names: list[str], texts: list[str]
    ) -> list[tuple[str, str]]:
        pairs = []
        for predicate in asked:
            name, text = predicate.wish
            if name and text is not None and self._chance(0.85):
                pairs.append((name, self._near(text)))
        pairs += [(n, self._random.choice(texts)) for n in names if self._chance(0.2)]
        if pairs and self._chance(0.25):
            pairs.append((pairs[0][0], self._random.choice(texts)))
        self._random.shuffle(pairs)
        return pairs

    def _near(self, text: str) -> str:
        drawn = self._random.random()
        if drawn < 0.6:
            return text
        if drawn < 0.75:
            return text.swapcase() if text.isascii() else text
        return self._random.choice([f"{text}x", f"x{text}", text[1:], f"x{text}x"])

    def _wished(self, route: Route | None, name: str, others: list[str]) -> str:
        wished = [p.wish[1] for p in (route.headers if route else []) if p.wish[0] == name]
        if wished and wished[0] and self._chance(0.8):
            return wished[0]
        return self._random.choice(others)

    def _for_http1(self, asked: Asked) -> Asked:
        """Without what HTTP/1 cannot carry as it is."""

        def plain(text: bytes) -> bytes:
            return bytes(byte for byte in text if byte < 0x7F).strip()

        fields = tuple((name, plain(value)) for name, value in asked.fields)
        return asked._replace(path=plain(asked.path), fields=fields, scheme=b"http")

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability
