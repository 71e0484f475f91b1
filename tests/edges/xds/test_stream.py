"""The protocol state of one stream, rule by rule."""

from __future__ import annotations

from typing import Any

from edges.xds.envoy_model import EnvoyModel, snap

from trimtab.edges.xds.snapshot import CLUSTER, ENDPOINT, LISTENER, ROUTE, Snapshot, snapshot
from trimtab.edges.xds.stream import Stream
from trimtab.edges.xds.subscription import Request

ONE = snap({"c1": "x"}, {"l1": "r1"}, {"r1": "c1 50"})
HEAVIER = snap({"c1": "x"}, {"l1": "r1"}, {"r1": "c1 60"})


def connected(snapshot: Snapshot, **options: Any) -> tuple[Stream, EnvoyModel]:
    stream, envoy = Stream(**options), EnvoyModel()
    stream.offer(snapshot)
    envoy.pump(stream)
    return stream, envoy


def test_an_envoy_gets_everything_it_asks_for() -> None:
    """Clusters, listeners, then the routes that the listeners name; one response each."""
    stream, envoy = Stream(), EnvoyModel()
    stream.offer(ONE)
    assert envoy.pump(stream) == 3
    assert envoy.held == {CLUSTER: {"c1": b"x"}, LISTENER: {"l1": b"r1"}, ROUTE: {"r1": b"c1 50"}}
    assert stream.complete
    assert stream.missing() == []


def test_a_weight_change_pushes_one_route_configuration() -> None:
    """Nothing but the changed route configuration is sent."""
    two = {"l1": "r1", "l2": "r2"}
    stream, _ = connected(snap({"c1": "x"}, two, {"r1": "c1 50", "r2": "c1"}))
    stream.offer(snap({"c1": "x"}, two, {"r1": "c1 60", "r2": "c1"}))
    response = stream.next(0)
    assert response.type_url == ROUTE
    assert list(response.resources) == ["r1"]
    assert stream.next(0) is None


def test_the_same_again_pushes_nothing() -> None:
    """A snapshot with equal content is no news, even if it is another object."""
    stream, envoy = connected(ONE)
    stream.offer(snap({"c1": "x"}, {"l1": "r1"}, {"r1": "c1 50"}))
    assert envoy.pump(stream) == 0


def test_only_the_newest_is_sent() -> None:
    """What was offered while a response was in flight is skipped if something newer came."""
    stream, envoy = connected(ONE)
    stream.offer(HEAVIER)
    in_flight = stream.next(0)
    for weight in (70, 80, 90):
        stream.offer(snap({"c1": "x"}, {"l1": "r1"}, {"r1": f"c1 {weight}"}))
        assert stream.next(0) is None
    envoy.take(in_flight)
    assert envoy.pump(stream) == 1
    assert envoy.held[ROUTE] == {"r1": b"c1 90"}


def test_a_stale_nonce_says_nothing() -> None:
    """A request about an older response neither acknowledges nor subscribes."""
    stream, envoy = connected(ONE)
    old = envoy.nonce[ROUTE]
    stream.offer(HEAVIER)
    stream.next(0)
    assert stream.receive(Request(ROUTE, "", old, ("r1", "r2"), "error"), 0) is None
    assert [m.name for m in stream.missing()] == ["r1"]
    assert stream.next(0) is None


def test_a_new_cluster_comes_first_and_an_old_one_goes_last() -> None:
    """Make before break: new cluster, route, and only then is the old cluster dropped."""
    stream, envoy = connected(ONE)
    stream.offer(snap({"c2": "x"}, {"l1": "r1"}, {"r1": "c2"}))
    sets = []
    while (response := stream.next(0)) is not None:
        sets.append((response.type_url, set(response.resources)))
        envoy.take(response)
        stream.receive(envoy.requests.popleft(), 0)
    assert sets == [(CLUSTER, {"c1", "c2"}), (ROUTE, {"r1"}), (CLUSTER, {"c2"})]


def test_the_old_cluster_stays_while_the_route_is_not_acknowledged() -> None:
    """Without the acknowledgement of the routes no cluster is dropped."""
    stream, envoy = connected(ONE)
    stream.offer(snap({}, {"l1": "r1"}, {"r1": ""}))
    assert stream.next(0).type_url == ROUTE
    assert stream.next(0) is None
    assert envoy.held[CLUSTER] == {"c1": b"x"}


def test_the_old_cluster_stays_while_the_new_route_is_refused() -> None:
    """A route that stays as it was needs its cluster, though the snapshot has no use for it."""
    stream, envoy = connected(ONE)
    stream.offer(snap({"c2": "x"}, {"l1": "r1"}, {"r1": "c2 !"}))
    envoy.pump(stream)
    assert envoy.held[ROUTE] == {"r1": b"c1 50"}
    assert envoy.held[CLUSTER] == {"c1": b"x", "c2": b"x"}
    stream.offer(snap({"c2": "x"}, {"l1": "r1"}, {"r1": "c2"}))
    envoy.pump(stream)
    assert envoy.held[CLUSTER] == {"c2": b"x"}


def test_route_configurations_go_in_their_order() -> None:
    """A route configuration that others lead to is acknowledged before they are sent."""
    listeners = {"l1": "r1", "l2": "r2"}
    stream, envoy = connected(snap({}, listeners, {"r2": "", "r1": ""}))
    stream.offer(snap({}, listeners, {"r2": "new", "r1": "new"}))
    first = stream.next(0)
    assert list(first.resources) == ["r2"]
    assert stream.next(0) is None
    envoy.take(first)
    stream.receive(envoy.requests.popleft(), 0)
    assert list(stream.next(0).resources) == ["r1"]


def test_a_refused_route_stays_as_it_was_and_is_not_sent_again() -> None:
    """A NACK is reported once with what Envoy said; the same content is not offered again."""
    stream, envoy = connected(ONE)
    stream.offer(snap({"c1": "x"}, {"l1": "r1"}, {"r1": "c1 !"}))
    envoy.take(stream.next(0))
    refusal = stream.receive(envoy.requests.popleft(), 7.0)
    assert (refusal.at, refusal.type_url, refusal.names) == (7.0, ROUTE, ("r1",))
    assert "a bad word" in refusal.message
    assert envoy.pump(stream) == 0
    assert envoy.held[ROUTE] == {"r1": b"c1 50"}
    assert [(m.name, m.refused) for m in stream.missing()] == [("r1", refusal.message)]
    assert not stream.complete
    stream.offer(HEAVIER)
    assert envoy.pump(stream) == 1
    assert stream.complete
    assert stream.missing() == []


def test_a_refused_cluster_holds_back_only_what_needs_it() -> None:
    """A route that names a cluster which is missing since it was refused waits; weights elsewhere
    go on moving."""
    listeners = {"l1": "r1", "l2": "r2"}
    stream, envoy = connected(snap({"c1": "x"}, listeners, {"r1": "c1 1", "r2": "c1 1"}))
    stream.offer(snap({"c1": "x", "c2": "!"}, listeners, {"r1": "c1 2", "r2": "c1 c2"}))
    envoy.pump(stream)
    assert envoy.held[ROUTE] == {"r1": b"c1 2", "r2": b"c1 1"}
    assert envoy.refused == 1
    assert {m.name: m.refused for m in stream.missing()} == {
        "c2": "Error adding/updating c2: a bad word",
        "r2": "held back, since c2 was refused",
    }
    stream.offer(snap({"c1": "x", "c2": "!"}, listeners, {"r1": "c1 3", "r2": "c1 c2"}))
    envoy.pump(stream)
    assert envoy.held[ROUTE] == {"r1": b"c1 3", "r2": b"c1 1"}
    assert envoy.refused == 1
    stream.offer(snap({"c1": "x", "c2": "y"}, listeners, {"r1": "c1 3", "r2": "c1 c2"}))
    envoy.pump(stream)
    assert stream.complete
    assert envoy.held[ROUTE] == {"r1": b"c1 3", "r2": b"c1 c2"}


def test_the_old_form_of_a_refused_cluster_is_kept() -> None:
    """A cluster whose change was refused is sent on in its last good form, so that it lives."""
    stream, envoy = connected(ONE)
    stream.offer(snap({"c1": "!"}, {"l1": "r1"}, {"r1": "c1 60"}))
    envoy.pump(stream)
    stream.offer(snap({"c1": "!", "c2": "x"}, {"l1": "r1"}, {"r1": "c1 c2"}))
    envoy.pump(stream)
    assert envoy.held[CLUSTER] == {"c1": b"x", "c2": b"x"}
    assert envoy.held[ROUTE] == {"r1": b"c1 c2"}
    assert envoy.refused == 1


def test_an_error_that_names_nothing_blames_all_that_was_new() -> None:
    """If Envoy does not say which resource is bad, none of the new ones is believed to be there."""
    stream, envoy = connected(ONE)
    stream.offer(snap({"c1": "x", "c2": "y", "c3": "z"}, {"l1": "r1"}, {"r1": "c1 c2"}))
    response = stream.next(0)
    refusal = stream.receive(Request(CLUSTER, "", response.nonce, (), "out of luck"), 0)
    assert set(refusal.names) == {"c2", "c3"}
    assert stream.next(0) is None
    assert envoy.held[ROUTE] == {"r1": b"c1 50"}


def test_a_name_inside_another_is_not_blamed() -> None:
    """An error about c1_8080 does not blame c1_80."""
    stream = Stream()
    stream.offer(snap({"c1_80": "x", "c1_8080": "!"}, {}, {}))
    stream.receive(Request(CLUSTER, "", "", ()), 0)
    nonce = stream.next(0).nonce
    refusal = stream.receive(Request(CLUSTER, "", nonce, (), "Error: c1_8080: bad"), 0)
    assert refusal.names == ("c1_8080",)


def test_subscriptions_grow_and_shrink() -> None:
    """A name asked for anew is answered although nothing changed; the others are not sent again."""
    stream = Stream()
    stream.offer(snap({}, {}, {"r1": "a", "r2": "b"}))
    stream.receive(Request(ROUTE, "", "", ("r1",)), 0)
    first = stream.next(0)
    assert list(first.resources) == ["r1"]
    stream.receive(Request(ROUTE, first.version, first.nonce, ("r1", "r2")), 0)
    second = stream.next(0)
    assert list(second.resources) == ["r2"]
    stream.receive(Request(ROUTE, second.version, second.nonce, ("r2",)), 0)
    assert stream.next(0) is None
    stream.receive(Request(ROUTE, second.version, second.nonce, ("r1", "r2")), 0)
    third = stream.next(0)
    assert list(third.resources) == ["r1"]
    stream.receive(Request(ROUTE, third.version, third.nonce, ()), 0)
    stream.offer(snap({}, {}, {"r1": "c", "r2": "d"}))
    assert stream.next(0) is None


def test_a_wildcard_is_asked_for_by_silence_or_by_a_star() -> None:
    """No names at first, or '*', means all; no names after names means none (LDS and CDS)."""
    for names in ((), ("*",)):
        stream = Stream()
        stream.offer(snap({"c1": "x", "c2": "y"}, {}, {}))
        stream.receive(Request(CLUSTER, "", "", names), 0)
        assert set(stream.next(0).resources) == {"c1", "c2"}
    stream = Stream()
    stream.offer(snap({"c1": "x", "c2": "y"}, {}, {}))
    stream.receive(Request(CLUSTER, "", "", ("c1",)), 0)
    response = stream.next(0)
    assert set(response.resources) == {"c1"}
    stream.receive(Request(CLUSTER, response.version, response.nonce, ()), 0)
    assert stream.next(0) is None
    stream.offer(snap({"c1": "y"}, {}, {}))
    assert stream.next(0) is None


def test_an_envoy_without_resources_hears_that_there_are_none() -> None:
    """Clusters and listeners are answered even if there are none, or Envoy would wait for ever."""
    stream = Stream()
    stream.offer(snap({}, {}, {}))
    stream.receive(Request(CLUSTER, "", "", ()), 0)
    response = stream.next(0)
    assert (response.type_url, response.resources) == (CLUSTER, {})
    stream.receive(Request(CLUSTER, response.version, response.nonce, ()), 0)
    assert stream.next(0) is None


def test_a_missing_route_configuration_is_not_answered() -> None:
    """A name that is not there is left open, and answered when it comes."""
    stream = Stream()
    stream.offer(snap({}, {}, {}))
    stream.receive(Request(ROUTE, "", "", ("r1",)), 0)
    assert stream.next(0) is None
    stream.offer(snap({}, {}, {"r1": "now"}))
    assert list(stream.next(0).resources) == ["r1"]


def test_a_node_that_nobody_declared_hears_nothing_until_it_is() -> None:
    """Without a snapshot every request waits."""
    stream, envoy = Stream(), EnvoyModel()
    assert envoy.pump(stream) == 0
    stream.offer(ONE)
    assert envoy.pump(stream) == 3


def test_who_comes_back_with_what_is_right_is_sent_nothing() -> None:
    """On a new stream the version says what the Envoy holds."""
    _, envoy = connected(ONE)
    envoy.reconnect()
    stream = Stream()
    stream.offer(ONE)
    assert envoy.pump(stream) == 0
    assert stream.complete


def test_who_comes_back_is_sent_what_changed() -> None:
    """On a new stream only the types that changed in between are sent."""
    _, envoy = connected(ONE)
    envoy.reconnect()
    stream = Stream()
    stream.offer(HEAVIER)
    assert envoy.pump(stream) == 1
    assert envoy.held[ROUTE] == {"r1": b"c1 60"}


def test_routes_that_were_dropped_in_between_are_sent_anew() -> None:
    """An Envoy keeps the version of routes that it has dropped; asked for again on another stream,
    after a listener brought them back, they are sent, or the listener would wait for ever."""
    stream, envoy = connected(ONE)
    stream.offer(snap({"c1": "x"}, {}, {"r1": "c1 50"}))
    envoy.pump(stream)
    assert envoy.held[ROUTE] == {}
    for recall in ({}, {(t, v): r for t, v, r in stream.known()}):
        envoy.reconnect()
        again = Stream(recall=lambda t, v, recall=recall: recall.get((t, v)))
        again.offer(ONE)
        envoy.pump(again)
        assert envoy.held[ROUTE] == {"r1": b"c1 50"}
        again.offer(snap({"c1": "x"}, {}, {"r1": "c1 50"}))
        envoy.pump(again)


def test_endpoints_follow_a_changed_cluster() -> None:
    """Envoy warms a changed cluster until it hears its endpoints, so they are sent again."""

    def resources(cluster: bytes) -> dict[str, dict[str, bytes]]:
        return {CLUSTER: {"c1": cluster, "c2": b"x"}, ENDPOINT: {"c1": b"1", "c2": b"2"}}

    stream = Stream()
    stream.offer(snapshot(resources(b"x")))
    stream.receive(Request(CLUSTER, "", "", ()), 0)
    clusters = stream.next(0)
    stream.receive(Request(CLUSTER, clusters.version, clusters.nonce, ()), 0)
    stream.receive(Request(ENDPOINT, "", "", ("c1", "c2")), 0)
    endpoints = stream.next(0)
    assert set(endpoints.resources) == {"c1", "c2"}
    stream.receive(Request(ENDPOINT, endpoints.version, endpoints.nonce, ("c1", "c2")), 0)
    stream.offer(snapshot(resources(b"y")))
    clusters = stream.next(0)
    stream.receive(Request(CLUSTER, clusters.version, clusters.nonce, ()), 0)
    assert set(stream.next(0).resources) == {"c1"}


def test_patience_with_clusters_ends() -> None:
    """Envoy acknowledges clusters when they are warm; if that takes too long the rest goes on, and
    nothing is dropped meanwhile."""
    stream, envoy = connected(ONE, patience_s=5.0)
    stream.offer(snap({"c2": "x"}, {"l1": "r1"}, {"r1": "c2"}))
    clusters = stream.next(10.0)
    assert clusters is not None
    assert stream.next(14.9) is None
    assert stream.wake_at == 15.0
    routes = stream.next(15.0)
    assert routes is not None
    assert routes.type_url == ROUTE
    envoy.take(clusters)
    envoy.take(routes)
    stream.receive(envoy.requests.pop(), 15.0)
    assert stream.next(16.0) is None
    assert [m.name for m in stream.missing()] == ["c2"]
    stream.receive(envoy.requests.popleft(), 16.0)
    assert envoy.pump(stream, 16.0) == 1
    assert envoy.held[CLUSTER] == {"c2": b"x"}


def test_an_unknown_type_is_left_alone() -> None:
    """A type that we do not serve (secrets, say) is never answered and disturbs nothing."""
    stream, envoy = connected(ONE)
    stream.receive(Request("type.googleapis.com/other", "", "", ("x",)), 0)
    assert stream.next(0) is None
    assert stream.complete
    stream.offer(HEAVIER)
    assert envoy.pump(stream) == 1


def test_versions_are_those_that_were_acknowledged() -> None:
    """A response in flight does not count before its acknowledgement."""
    stream, envoy = connected(ONE)
    before = stream.versions
    stream.offer(HEAVIER)
    response = stream.next(0)
    assert stream.versions == before
    envoy.take(response)
    stream.receive(envoy.requests.popleft(), 0)
    assert stream.versions == {**before, ROUTE: response.version}
    assert stream.sent == stream.acknowledged == 4
