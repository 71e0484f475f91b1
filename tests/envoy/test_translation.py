"""From documents to xDS resources, without an Envoy: what depends on what, and what is shared."""

from __future__ import annotations

import subprocess
import sys
import typing
from dataclasses import is_dataclass
from types import UnionType
from typing import Any

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from xds_harness.documents import (
    GATEWAY_ID,
    Store,
    document,
    gateway,
    gateway_route,
    mesh,
    node,
    router,
    rule,
    service,
    weigh,
)

from trimtab.edges.xds import snapshot as edge
from trimtab.providers.appmesh import AppMesh, AppMeshReading, lint_xds
from trimtab.providers.appmesh.envoy import HONOURED, NodeId, Translator
from trimtab.providers.appmesh.envoy.translate import CLUSTER, LISTENER, ROUTE
from trimtab.providers.appmesh.model import (
    BackendGroupSpec,
    GatewayRouteSpec,
    MeshSpec,
    VirtualGatewaySpec,
    VirtualNodeSpec,
    VirtualRouterSpec,
    VirtualServiceSpec,
)

CALLER = "mesh/m/virtualNode/caller_shop"
EGRESS = "rds_egress_http_15001"


def shop(*more: dict) -> list[dict]:
    """Two services split over two nodes each, a gateway to both, and a node that calls both."""
    made = [mesh(), gateway(8080), node("caller", 80, backends=["s0", "s1"])]
    for i in range(2):
        nodes = [f"n{i}a", f"n{i}b"]
        made += [node(n, 9000 + i, hostname=f"{n}.test") for n in nodes]
        made += [
            gateway_route(f"g{i}", {"prefix": f"/{i}"}, f"s{i}"),
            service(f"s{i}", router=f"s{i}"),
            router(f"s{i}", rule("all", dict.fromkeys(nodes, 50))),
        ]
    return [*made, *more]


class World:
    """A store, and what is made of it."""

    def __init__(self, *documents: dict) -> None:
        self.store = Store(*(documents or shop()))
        self.provider, self.translator = AppMesh(), Translator()

    def read(self) -> AppMeshReading:
        return self.provider.load(self.store.objects)

    def resources(self, node_id: str = GATEWAY_ID) -> Any:
        return self.translator.resources(self.read(), node_id)

    def routes(self, name: str = EGRESS, node_id: str = GATEWAY_ID) -> Any:
        return route_pb2.RouteConfiguration.FromString(self.resources(node_id)[ROUTE][name])

    def cluster(self, name: str, node_id: str = GATEWAY_ID) -> Any:
        return cluster_pb2.Cluster.FromString(self.resources(node_id)[CLUSTER][name])


@pytest.mark.parametrize("node_id", [GATEWAY_ID, CALLER])
def test_a_weight_change_touches_one_route_configuration(node_id: str) -> None:
    """After a change of weights one route configuration differs, and everything else is not even
    a new object: nobody compares it."""
    world = World()
    before = edge.snapshot(world.resources(node_id))
    world.store.put(weigh(world.store.get("VirtualRouter", "s1"), [10, 90]))
    after = edge.snapshot(world.resources(node_id), before)
    assert edge.changes(before, after) == {ROUTE: (frozenset({EGRESS}), frozenset())}
    assert after.of(CLUSTER) is before.of(CLUSTER)
    assert after.of(LISTENER) is before.of(LISTENER)


def test_only_the_changed_virtual_host_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of one router rebuilds the virtual host of its service alone."""
    world, made = World(), []
    world.resources()
    from trimtab.providers.appmesh.envoy import services

    original = services.service_host
    monkeypatch.setattr(
        services, "service_host", lambda name, entries: made.append(name) or original(name, entries)
    )
    world.store.put(weigh(world.store.get("VirtualRouter", "s1"), [10, 90]))
    world.resources()
    assert made == ["s1.shop"]


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("weigh"), st.integers(0, 1), st.integers(0, 100)),
        st.tuples(st.just("move"), st.integers(0, 1), st.integers(9000, 9003)),
        st.tuples(st.just("aim"), st.integers(0, 1), st.integers(0, 2)),
        st.tuples(st.just("drop"), st.integers(0, 1), st.integers(0, 3)),
        st.tuples(st.just("back"), st.just(0), st.just(0)),
    ),
    max_size=8,
)


def apply(store: Store, what: str, which: int, value: int) -> None:
    if what == "weigh":
        nodes = [f"n{which}a", f"n{which}b"]
        weights = dict(zip(nodes, (value, 100 - value), strict=True))
        store.put(router(f"s{which}", rule("all", weights)))
    elif what == "move":
        store.put(node(f"n{which}a", value))
    elif what == "aim":
        store.put(gateway_route(f"g{which}", {"prefix": f"/{which}"}, f"s{value}"))
    elif what == "drop":
        kind = ["VirtualService", "VirtualRouter", "VirtualNode", "Mesh"][value]
        names = {"VirtualNode": f"n{which}a", "Mesh": "m"}
        store.remove(kind, names.get(kind, f"s{which}"))
    else:
        store.put(*shop())


@settings(max_examples=60, deadline=None)
@given(CHANGES)
def test_what_is_remembered_never_shows(sequence: list[tuple[str, int, int]]) -> None:
    """After any changes the answer is that of a translator which has seen nothing before; in a
    gateway services that were once needed may stay in the second hop, and nothing else."""
    world = World()
    world.resources()
    world.resources(CALLER)
    for step in sequence:
        apply(world.store, *step)
        fresh = World(*(dict(o.body) for o in world.store.objects.values()))
        assert world.resources(CALLER) == fresh.resources(CALLER)
        found, expected = world.resources(), fresh.resources()
        if expected is None:
            assert found is None
            continue
        assert found[LISTENER] == expected[LISTENER]
        assert expected[CLUSTER].items() <= found[CLUSTER].items()
        kept = {host.name: host for host in world.routes().virtual_hosts}
        assert all(kept[host.name] == host for host in fresh.routes().virtual_hosts)
        assert found[ROUTE]["rds_ingress_http_8080"] == expected[ROUTE]["rds_ingress_http_8080"]


def test_the_second_hop_stands_before_the_first() -> None:
    """Route configurations are sent in this order, so nobody is led to where nothing is yet."""
    assert list(World().resources()[ROUTE]) == [EGRESS, "rds_ingress_http_8080"]


def test_clusters_are_found_as_the_document_says() -> None:
    """By one address (LOADBALANCER, the default) or by all of a name (ENDPOINTS), as the Mesh
    prefers; an IP address needs no look-up; Cloud Map is not served: no endpoint, a 503."""
    cloud = document(
        "VirtualNode",
        "n1b",
        {
            "listeners": [{"portMapping": {"port": 9001, "protocol": "grpc"}}],
            "serviceDiscovery": {"awsCloudMap": {"namespaceName": "x", "serviceName": "y"}},
        },
    )
    world = World(
        *shop(
            mesh(meshServiceDiscovery={"ipPreference": "IPv6_ONLY"}),
            node("n0b", 9000, hostname="n0b.test", endpoints=True),
            node("n1a", 9001, "http2", hostname="::1"),
            cloud,
        )
    )
    kinds = cluster_pb2.Cluster
    one, all_of_it, address, none = (
        world.cluster(f"cds_egress_m_{name}")
        for name in (
            "n0a_shop_http_9000",
            "n0b_shop_http_9000",
            "n1a_shop_http2_9001",
            "n1b_shop_grpc_9001",
        )
    )
    assert (one.type, all_of_it.type) == (kinds.LOGICAL_DNS, kinds.STRICT_DNS)
    assert one.dns_lookup_family == all_of_it.dns_lookup_family == kinds.V6_ONLY
    assert (address.type, none.type) == (kinds.STATIC, kinds.STATIC)
    socket = address.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address
    assert (socket.address, socket.port_value) == ("::1", 9001)
    assert not none.load_assignment.endpoints
    assert [d.field for d in lint_xds(world.read(), HONOURED)] == [
        "spec.serviceDiscovery.awsCloudMap"
    ]


def test_zero_weights_stand_where_they_stood() -> None:
    """The targets keep the order of the document, those of zero weight too."""
    world = World(*shop(router("s0", rule("all", {"n0b": 0, "n0a": 7}))))
    clusters = world.routes().virtual_hosts[0].routes[0].route.weighted_clusters.clusters
    assert [(c.name, c.weight.value) for c in clusters] == [
        ("cds_egress_m_n0b_shop_http_9000", 0),
        ("cds_egress_m_n0a_shop_http_9000", 7),
    ]


def test_two_services_of_one_name_do_not_spoil_the_rest() -> None:
    """Envoy would refuse the whole route configuration; so the first has the name, and it is told."""
    twin = service("twin", node="n0a")
    twin["spec"]["awsName"] = "S0.shop"
    world = World(*shop(twin, gateway_route("twin", {"prefix": "/twin"}, "twin")))
    names = [host.name for host in world.routes().virtual_hosts]
    assert names == ["s0.shop", "s1.shop"]
    [found] = world.translator.diagnostics(world.read())
    assert (found.code, found.ref.name, found.field) == ("AM501", "twin", "spec.awsName")


def test_two_tcp_services_on_one_port_are_told() -> None:
    """TCP has no names: the first backend has the port, and the caller's document is told."""
    tcp = {5432: "tcp"}
    rules = [rule("all", {"n0a": 1}, form="tcpRoute")]
    world = World(
        mesh(),
        node("caller", 80, backends=["x", "y"]),
        node("n0a", 5432, "tcp"),
        *(service(name, router=name) for name in "xy"),
        *(router(name, *rules, ports=tcp) for name in "xy"),
    )
    [found] = world.translator.diagnostics(world.read())
    assert (found.ref.name, found.field) == ("caller", "spec.backends")
    listener = listener_pb2.Listener.FromString(
        world.resources(CALLER)[LISTENER]["lds_egress_0.0.0.0_15001"]
    )
    assert [c.filter_chain_match.destination_port.value for c in listener.filter_chains] == [5432]


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("mesh/m/virtualGateway/gw_shop", True),
        ("mesh/m@123456789012/virtualGateway/gw_shop", True),
        ("arn:aws:appmesh:eu-west-1:123456789012:mesh/m/virtualGateway/gw_shop", True),
        ("arn:aws:appmesh:eu-west-1:1:mesh/m@123456789012/virtualNode/caller_shop", True),
        ("mesh/m@999999999999/virtualGateway/gw_shop", False),
        ("mesh/other/virtualGateway/gw_shop", False),
        ("mesh/m/virtualGateway/caller_shop", False),
        ("mesh/m/virtualNode/gw_shop", False),
        ("mesh/m/virtualRouter/s0_shop", False),
        ("gw_shop", False),
        ("", False),
    ],
)
def test_node_ids(text: str, known: bool) -> None:
    """An Envoy is known by the name of its resource or by the ARN, in its own mesh and account."""
    world = World(*shop(mesh(meshOwner="123456789012")))
    assert (world.resources(text) is not None) == known
    parsed = NodeId.parse(text)
    assert parsed is None or NodeId.parse(str(parsed)) == parsed


def test_every_honoured_path_is_a_field() -> None:
    """The list of honoured fields has no path that no document can have."""
    kinds = {
        "Mesh": MeshSpec,
        "VirtualGateway": VirtualGatewaySpec,
        "GatewayRoute": GatewayRouteSpec,
        "VirtualService": VirtualServiceSpec,
        "VirtualRouter": VirtualRouterSpec,
        "VirtualNode": VirtualNodeSpec,
        "BackendGroup": BackendGroupSpec,
    }
    for path in HONOURED:
        kind, *names = path.split(".")
        classes = {kinds[kind]}
        for name in names:
            hints = [(c, typing.get_type_hints(c)) for c in classes]
            found = {
                t
                for _, h in hints
                for f, t in h.items()
                if f.replace("_", "").lower() == name.lower()
            }
            assert found, f"{path}: no {name}"
            classes = {c for t in found for c in dataclasses_in(t)}


def dataclasses_in(hint: object) -> set[type]:
    if is_dataclass(hint) and isinstance(hint, type):
        return {hint}
    inner = typing.get_args(hint) if typing.get_origin(hint) or isinstance(hint, UnionType) else ()
    return {c for part in inner for c in dataclasses_in(part)}


def test_the_list_of_honoured_fields_costs_nothing() -> None:
    """Linting documents needs no protobuf."""
    code = (
        "import sys; from trimtab.providers.appmesh.envoy import HONOURED; "
        "sys.exit(any(m.split('.')[0] in ('google', 'grpc') for m in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
