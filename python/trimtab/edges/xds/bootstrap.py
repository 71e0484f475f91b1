"""The bootstrap of a plain Envoy: who it is, where its control plane is, and nothing else."""

from __future__ import annotations

import ipaddress
from typing import Any, NamedTuple

import yaml

_CONTROL_PLANE = "trimtab_xds"
_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
_HTTP = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_INTERNAL = "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener"


class ClientTls(NamedTuple):
    """Paths as the Envoy sees them: who signed the server's certificate, and its own, if any."""

    ca: str
    certificate: str = ""
    key: str = ""


def bootstrap(
    node: str,
    xds_address: str = "127.0.0.1:18000",
    admin_address: str = "127.0.0.1:9901",
    *,
    tls: ClientTls | None = None,
) -> dict[str, Any]:
    """The document that makes an Envoy serve ``node`` (``mesh/M/virtualGateway/NAME`` or
    ``mesh/M/virtualNode/NAME``); addresses are ``host:port``, for xDS also ``unix:path``.

    Raises ValueError for an address that is neither.
    """
    # Without a timeout: an Envoy that has heard nothing is not ready, rather than empty.
    source = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    # Envoy's own limit is 30 s: that long it would hear nothing of a restarted control plane.
    back_off = {"retry_back_off": {"base_interval": "0.25s", "max_interval": "5s"}}
    service = {"envoy_grpc": {"cluster_name": _CONTROL_PLANE, "retry_policy": back_off}}
    ads = {
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [service],
    }
    return {
        "node": {"id": node, "cluster": node},
        "admin": {"address": _address(admin_address)},
        # Counters and histograms are brought up to date when they are read, not every 5 s.
        "stats_flush_on_admin": True,
        "dynamic_resources": {"ads_config": ads, "lds_config": source, "cds_config": source},
        "static_resources": {"clusters": [_control_plane(xds_address, tls)]},
        # A gateway hands requests from its ingress to its egress listener inside the process.
        "bootstrap_extensions": [
            {"name": "envoy.bootstrap.internal_listener", "typed_config": {"@type": _INTERNAL}}
        ],
    }


def as_yaml(document: dict[str, Any]) -> str:
    """The text that ``envoy -c`` reads."""
    text: str = yaml.dump(document, Dumper=_Plain, sort_keys=False)
    return text


def _control_plane(address: str, tls: ClientTls | None) -> dict[str, Any]:
    http2 = {"connection_keepalive": {"interval": "30s", "timeout": "5s"}}
    protocol = {"@type": _HTTP, "explicit_http_config": {"http2_protocol_options": http2}}
    endpoint = {"endpoint": {"address": _address(address)}}
    cluster: dict[str, Any] = {
        "name": _CONTROL_PLANE,
        "type": "STATIC" if address.startswith("unix:") else "STRICT_DNS",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {_HTTP.rsplit("/", 1)[1]: protocol},
        "load_assignment": {
            "cluster_name": _CONTROL_PLANE,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
    if tls is not None:
        host = address.rsplit(":", 1)[0].strip("[]")
        cluster["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": _tls(tls, host),
        }
    return cluster


def _tls(tls: ClientTls, host: str) -> dict[str, Any]:
    san = {"san_type": "IP_ADDRESS" if _is_ip(host) else "DNS", "matcher": {"exact": host}}
    context: dict[str, Any] = {
        "alpn_protocols": ["h2"],
        "validation_context": {
            "trusted_ca": {"filename": tls.ca},
            "match_typed_subject_alt_names": [san],
        },
    }
    if tls.certificate:
        context["tls_certificates"] = [
            {
                "certificate_chain": {"filename": tls.certificate},
                "private_key": {"filename": tls.key},
            }
        ]
    return {"@type": _TLS, "sni": host, "common_tls_context": context}


def _address(address: str) -> dict[str, Any]:
    if address.startswith("unix:"):
        return {"pipe": {"path": address.removeprefix("unix:")}}
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ValueError(f"{address!r} is no address. Remedy: write host:port or unix:path.")
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _Plain(yaml.SafeDumper):
    """Without anchors and aliases: a person reads it."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature of yaml
        return True
