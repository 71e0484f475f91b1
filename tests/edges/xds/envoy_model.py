"""An Envoy as far as the ADS protocol sees it: what it holds, asks for, accepts and refuses."""

from __future__ import annotations

from collections import deque

from trimtab.edges.xds.snapshot import CLUSTER, LISTENER, ROUTE, WHOLE, Snapshot, snapshot
from trimtab.edges.xds.stream import Stream
from trimtab.edges.xds.subscription import Request, Response


def names_in(body: bytes) -> frozenset[str]:
    """Bodies here are names separated by spaces; a word with '!' is refused by the Envoy."""
    return frozenset(word for word in body.decode().split() if word[0] in "clr")


def make(
    clusters: dict[str, str], listeners: dict[str, str], routes: dict[str, str]
) -> dict[str, dict[str, bytes]]:
    """Resources by type; the text of each is its body."""
    return {
        t: {name: body.encode() for name, body in bodies.items()}
        for t, bodies in ((CLUSTER, clusters), (LISTENER, listeners), (ROUTE, routes))
    }


def snap(clusters: dict[str, str], listeners: dict[str, str], routes: dict[str, str]) -> Snapshot:
    return snapshot(make(clusters, listeners, routes))


class EnvoyModel:
    """Asks for clusters, then listeners, then the routes that its listeners name."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, bytes]] = {CLUSTER: {}, LISTENER: {}, ROUTE: {}}
        self.version: dict[str, str] = {}
        self.nonce: dict[str, str] = {}
        self.asked: dict[str, tuple[str, ...]] = {}
        self.requests: deque[Request] = deque()
        self.nonces: set[str] = set()
        self.refused = 0
        self.ever_asked: set[str] = set()
        self.may_repeat: set[str] = set()
        self.ask(CLUSTER, ())

    def ask(self, type_url: str, names: tuple[str, ...], error: str | None = None) -> None:
        self.asked[type_url] = names
        self.ever_asked.update(names)
        self.requests.append(
            Request(
                type_url,
                self.version.get(type_url, ""),
                self.nonce.get(type_url, ""),
                names,
                error,
            )
        )

    def reconnect(self) -> None:
        """A new stream: the state is kept, nonces are not, everything is asked for again.

        The version of the routes does not always say what is held of them: an Envoy that comes
        back may be sent them once more.
        """
        self.may_repeat = set(self.held[ROUTE])
        self.requests.clear()
        self.nonce.clear()
        self.nonces.clear()
        for type_url, names in list(self.asked.items()):
            self.ask(type_url, names)

    def take(self, response: Response) -> None:
        """Apply a response as Envoy does: what it can of it, and name what it could not."""
        assert response.nonce not in self.nonces, "a nonce was used twice"
        self.nonces.add(response.nonce)
        type_url, held = response.type_url, self.held[response.type_url]
        bodies = {name: resource.body for name, resource in response.resources.items()}
        if type_url in WHOLE:
            assert bodies != held or not self.version.get(type_url), "an unchanged set was sent"
        else:
            assert bodies.keys() <= self.ever_asked, "a resource that nobody asked for"
            # One that was asked for when the response was sent, and is not any more, is ignored.
            bodies = {n: b for n, b in bodies.items() if n in self.asked[type_url]}
            for name, body in bodies.items():
                assert held.get(name) != body or name in self.may_repeat, "an unchanged resource"
                self.may_repeat.discard(name)
        bad = sorted(name for name, body in bodies.items() if b"!" in body)
        if type_url in WHOLE:
            for name in held.keys() - bodies.keys():
                del held[name]
        held.update({name: body for name, body in bodies.items() if name not in bad})
        self.nonce[type_url] = response.nonce
        error = None
        if bad:
            self.refused += 1
            error = f"Error adding/updating {', '.join(bad)}: a bad word"
        else:
            self.version[type_url] = response.version
        self.ask(type_url, self.asked[type_url], error)
        self._follow()

    def _follow(self) -> None:
        if LISTENER not in self.asked:
            self.ask(LISTENER, ())
        wanted = frozenset(r for b in self.held[LISTENER].values() for r in names_in(b))
        if wanted != frozenset(self.asked.get(ROUTE, ())):
            for name in self.held[ROUTE].keys() - wanted:
                del self.held[ROUTE][name]
            self.ask(ROUTE, tuple(sorted(wanted)))

    def serves_nothing_broken(self) -> bool:
        """Whether every cluster that a route in use names is there."""
        return all(
            names_in(body) <= self.held[CLUSTER].keys() for body in self.held[ROUTE].values()
        )

    def pump(self, stream: Stream, now: float = 0.0) -> int:
        """Both sides talk until they are silent; the number of responses."""
        count = 0
        while True:
            while self.requests:
                stream.receive(self.requests.popleft(), now)
            response = stream.next(now)
            if response is None:
                return count
            count += 1
            self.take(response)
            assert self.serves_nothing_broken(), "a route before its cluster"
