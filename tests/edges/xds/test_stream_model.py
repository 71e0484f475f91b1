"""Whatever happens in whatever order, an Envoy ends with the newest snapshot, unharmed."""

from __future__ import annotations

from edges.xds.envoy_model import EnvoyModel, make
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trimtab.edges.xds.snapshot import CLUSTER, EMPTY, LISTENER, ROUTE, Resources, snapshot
from trimtab.edges.xds.stream import Stream
from trimtab.edges.xds.subscription import Response

CLUSTERS = [f"c{i}" for i in range(5)]
ROUTES = [f"r{i}" for i in range(3)]
USED = st.lists(st.sampled_from(CLUSTERS), max_size=3, unique=True)


@st.composite
def consistent(draw: st.DrawFn, bad: bool = False) -> dict[str, dict[str, bytes]]:
    """Resources of which every name that one says is there; ``bad``: Envoy may refuse some."""
    words = [*"123456789", *("!" if bad else "")]
    word = st.sampled_from(words)
    routes = {r: " ".join([*draw(USED), draw(word)]) for r in draw(st.permutations(ROUTES))}
    used = {c for body in routes.values() for c in body.split() if c in CLUSTERS}
    clusters = {c: draw(word) for c in CLUSTERS if c in used or draw(st.booleans())}
    listeners = {f"l{i}": draw(st.sampled_from(ROUTES)) for i in range(draw(st.integers(0, 3)))}
    return make(clusters, listeners, routes)


class Conversation(RuleBasedStateMachine):
    """An Envoy and the stream, their messages delivered in any interleaving."""

    bad = False

    @initialize()
    def start(self) -> None:
        self.stream, self.envoy = Stream(), EnvoyModel()
        self.in_flight: list[Response] = []
        self.memory: dict[tuple[str, str], Resources] = {}
        self.target = EMPTY

    @rule(data=st.data())
    def publish(self, data: st.DataObject) -> None:
        self.target = snapshot(data.draw(consistent(self.bad)), self.target)
        self.stream.offer(self.target)

    @rule()
    def serve(self) -> None:
        response = self.stream.next(0.0)
        if response is not None:
            self.in_flight.append(response)

    @precondition(lambda self: self.in_flight)
    @rule()
    def deliver(self) -> None:
        self.envoy.take(self.in_flight.pop(0))

    @precondition(lambda self: self.envoy.requests)
    @rule()
    def ask(self) -> None:
        self.stream.receive(self.envoy.requests.popleft(), 0.0)

    @rule()
    def reconnect(self) -> None:
        """The same server: it knows what the Envoy had when it left."""
        for type_url, version, resources in self.stream.known():
            self.memory[type_url, version] = resources
        self.fresh_stream()

    @rule()
    def restart(self) -> None:
        """Another server, which knows nothing, and offers the same until the Envoy is back."""
        if self.target is not EMPTY:
            self.settle()
            self.memory.clear()
            self.fresh_stream()
            self.settle()

    def fresh_stream(self) -> None:
        self.in_flight.clear()
        self.envoy.reconnect()
        self.stream = Stream(recall=lambda t, v: self.memory.get((t, v)))
        if self.target is not EMPTY:
            self.stream.offer(self.target)

    @invariant()
    def no_route_without_its_cluster(self) -> None:
        assert not hasattr(self, "envoy") or self.envoy.serves_nothing_broken()

    @rule()
    def settle(self) -> None:
        while self.in_flight or self.envoy.requests:
            if self.in_flight:
                self.deliver()
            while self.envoy.requests:
                self.ask()
        self.envoy.pump(self.stream)

    def teardown(self) -> None:
        if not hasattr(self, "target") or self.target is EMPTY:
            return
        self.settle()
        for type_url in (CLUSTER, LISTENER):
            expected = {n: r.body for n, r in self.target.of(type_url).items()}
            held = self.envoy.held[type_url]
            # What an Envoy that came back may still need is not known until it asks for routes.
            unsure = type_url == CLUSTER and ROUTE not in self.envoy.asked
            assert held == expected or (unsure and expected.items() <= held.items())
        asked = self.envoy.asked.get(ROUTE, ())
        expected = {n: r.body for n, r in self.target.of(ROUTE).items() if n in asked}
        assert self.envoy.held[ROUTE] == expected
        assert self.stream.missing() == []
        assert self.envoy.pump(self.stream) == 0


class Refusals(Conversation):
    """The same with resources that the Envoy refuses, on one stream."""

    bad = True

    @precondition(lambda self: False)
    @rule()
    def reconnect(self) -> None:
        """What an Envoy holds that refused something is only known as long as the stream lives."""

    @precondition(lambda self: False)
    @rule()
    def restart(self) -> None:
        """Likewise."""

    def teardown(self) -> None:
        if not hasattr(self, "target") or self.target is EMPTY:
            return
        self.settle()
        assert self.envoy.serves_nothing_broken()
        # And once the resources are mended, it has them all.
        mended = {
            t: {n: r.body.replace(b"!", b"") for n, r in resources.items()}
            for t, resources in self.target.types.items()
        }
        self.target = snapshot(mended, self.target)
        self.stream.offer(self.target)
        super().teardown()


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestRefusals = Refusals.TestCase
TestRefusals.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
