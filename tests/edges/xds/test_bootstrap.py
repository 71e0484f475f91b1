"""The bootstrap is what a plain Envoy needs to find its control plane."""

from __future__ import annotations

import pytest
import yaml
from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.extensions.bootstrap.internal_listener.v3 import internal_listener_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from google.protobuf import json_format

from trimtab.edges.xds.bootstrap import ClientTls, as_yaml, bootstrap

NODE = "mesh/m/virtualGateway/gw_shop"
MESSAGES = (internal_listener_pb2, tls_pb2, http_protocol_options_pb2)  # packed inside


def read(document: dict) -> bootstrap_pb2.Bootstrap:
    """Strictly: an unknown field is an error."""
    return json_format.ParseDict(document, bootstrap_pb2.Bootstrap())


@pytest.mark.parametrize("tls", [None, ClientTls("/ca.pem"), ClientTls("/ca", "/crt", "/key")])
@pytest.mark.parametrize("address", ["127.0.0.1:18000", "[::1]:1", "trimtab.mesh:443"])
def test_it_is_a_legal_bootstrap(address: str, tls: ClientTls | None) -> None:
    """Every field exists in Envoy's API; node, addresses and ADS are what was asked for."""
    found = read(bootstrap(NODE, address, "127.0.0.1:9902", tls=tls))
    assert found.node.id == NODE
    assert found.admin.address.socket_address.port_value == 9902
    assert found.stats_flush_on_admin
    [service] = found.dynamic_resources.ads_config.grpc_services
    back_off = service.envoy_grpc.retry_policy.retry_back_off
    assert back_off.max_interval.seconds == 5  # until a restarted control plane is found again
    [cluster] = found.static_resources.clusters
    socket = cluster.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address
    host, _, port = address.rpartition(":")
    assert (socket.address, socket.port_value) == (host.strip("[]"), int(port))
    assert cluster.HasField("transport_socket") == (tls is not None)


def test_a_socket_is_an_address_too() -> None:
    """unix:path is a pipe."""
    [cluster] = read(bootstrap(NODE, "unix:/run/xds.sock")).static_resources.clusters
    endpoint = cluster.load_assignment.endpoints[0].lb_endpoints[0].endpoint
    assert endpoint.address.pipe.path == "/run/xds.sock"


@pytest.mark.parametrize(
    "address", ["", "host", "host:", ":1", "host:http", "host:65536", "host:-1"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """A bad address is named, with what to write instead."""
    with pytest.raises(ValueError, match="host:port or unix:path"):
        bootstrap(NODE, address)


def test_the_text_says_the_same() -> None:
    """The YAML text reads back as the document, without anchors."""
    document = bootstrap(NODE)
    assert yaml.safe_load(as_yaml(document)) == document
    assert "&" not in as_yaml(document)
