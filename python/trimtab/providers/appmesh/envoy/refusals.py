"""What in the documents cannot be served as it is written, and what is done instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trimtab.core.model import Diagnostic, Object
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.codes import Problem, diagnostic
from trimtab.providers.appmesh.envoy.plan import insists_on_tls
from trimtab.providers.appmesh.hops import offered_ports
from trimtab.providers.appmesh.model import (
    GatewayListener,
    NodeListener,
    VirtualNode,
    VirtualService,
)
from trimtab.providers.appmesh.reading import AppMeshReading
from trimtab.providers.appmesh.users import called
from trimtab.providers.appmesh.values import Protocol


def refusals(reading: AppMeshReading) -> Iterator[Diagnostic]:
    """Beside the fields that are not honoured at all, which ``trimtab lint --xds`` lists."""
    for gateway in reading.gateways.values():
        yield from _closed(gateway.object, gateway.spec.listeners)
    for node in reading.nodes.values():
        yield from _closed(node.object, node.spec.listeners)
    yield from _same_name(reading)
    for node in reading.nodes.values():
        yield from _same_port(reading, node)


def _closed(
    obj: Object, listeners: Sequence[GatewayListener | NodeListener]
) -> Iterator[Diagnostic]:
    for i, listener in enumerate(listeners):
        if insists_on_tls(listener):
            yield diagnostic(
                Problem(
                    codes.NOT_SERVED,
                    f"spec.listeners[{i}].tls.mode",
                    f"port {listener.port_mapping.port} stays closed: TLS is not served yet, and "
                    "STRICT forbids plaintext.",
                    "Use PERMISSIVE or DISABLED where plaintext may be accepted.",
                ),
                obj,
            )


def _same_name(reading: AppMeshReading) -> Iterator[Diagnostic]:
    """In one proxy only one VirtualService can have a name."""
    first: dict[tuple[str | None, str], VirtualService] = {}
    for ref in sorted(reading.services):
        service = reading.services[ref]
        name = reading.aws_name(service)
        owner = first.setdefault((reading.mesh_name(service), name.lower()), service)
        if owner is not service:
            yield diagnostic(
                Problem(
                    codes.NOT_SERVED,
                    "spec.awsName",
                    f"where both are needed, the requests for {name} go to {owner.ref}, "
                    "which has the same awsName.",
                    "Give each VirtualService of a mesh a name of its own.",
                ),
                service.object,
            )


def _same_port(reading: AppMeshReading, node: VirtualNode) -> Iterator[Diagnostic]:
    """TCP has no names: in one proxy only one backend can have a port."""
    first: dict[int, VirtualService] = {}
    for ref in called(reading, node):
        service = reading.services[ref]
        for mapping in offered_ports(reading, service):
            if mapping.protocol is not Protocol.TCP:
                continue
            owner = first.setdefault(mapping.port, service)
            if owner is not service:
                yield diagnostic(
                    Problem(
                        codes.NOT_SERVED,
                        "spec.backends",
                        f"connections to port {mapping.port} go to {owner.ref}; {service.ref} is "
                        "also TCP on that port.",
                        "Give TCP services that one node calls ports of their own.",
                    ),
                    node.object,
                )
