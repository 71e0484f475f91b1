"""What one Envoy is told, but for what changes with the weights: that is filled in later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from trimtab.providers.appmesh.envoy.services import ServicePort
from trimtab.providers.appmesh.model import GatewayListener, NodeListener
from trimtab.providers.appmesh.traffic import TlsMode
from trimtab.providers.appmesh.values import Protocol


class Ports(NamedTuple):
    """Where the proxy of a VirtualNode listens; App Mesh's injector redirects to these ports.

    In a gateway ``egress`` is only part of names.
    """

    ingress: int = 15000
    egress: int = 15001


@dataclass(frozen=True, slots=True)
class Plan:
    """``first``: finished route configurations. ``second``: the services in each route
    configuration of the egress, by the port on which they are meant (None: their first).
    ``connections``: the service that TCP connections to a port are for."""

    gateway: bool
    clusters: Mapping[str, bytes]
    listeners: dict[str, bytes]
    first: Mapping[str, bytes]
    second: Mapping[int | None, tuple[ServicePort, ...]]
    connections: Mapping[int, ServicePort] = field(default_factory=dict)


def suffix(port: int | None) -> str:
    """Tells apart the egress to services on another port than their first."""
    return "" if port is None else f"_{port}"


def listener_name(direction: str, port: int, service_port: int | None = None) -> str:
    return f"lds_{direction}_0.0.0.0_{port}{suffix(service_port)}"


def routes_name(direction: str, port: int, service_port: int | None = None) -> str:
    return f"rds_{direction}_http_{port}{suffix(service_port)}"


def opened(listeners: Iterable[GatewayListener | NodeListener]) -> dict[int, Protocol]:
    """The ports that are opened, and what is spoken there; of several listeners on one the first.

    One that insists on TLS, which is not served yet, stays closed rather than open to everybody.
    """
    found: dict[int, Protocol] = {}
    for listener in listeners:
        if not insists_on_tls(listener):
            found.setdefault(listener.port_mapping.port, listener.port_mapping.protocol)
    return found


def insists_on_tls(listener: GatewayListener | NodeListener) -> bool:
    return listener.tls is not None and listener.tls.mode is TlsMode.STRICT
