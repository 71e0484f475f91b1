"""A real Envoy and our control plane prove to each other who they are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import trustme
from xds_harness.documents import gateway, gateway_route, mesh, node, service
from xds_harness.world import Client, applications, control_plane, envoy_of

from trimtab.edges.xds.bootstrap import ClientTls
from trimtab.serving import Tls
from trimtab.testbed.processes import Envoy, free_port, poll

pytestmark = pytest.mark.usefixtures("envoy_binary")


def issue(ca: trustme.CA, directory: Path, name: str, *identities: str) -> tuple[Path, Path]:
    """Certificate and key files."""
    made = ca.issue_cert(*identities)
    chain, key = directory / f"{name}.pem", directory / f"{name}.key"
    made.cert_chain_pems[0].write_to_path(chain)
    made.private_key_pem.write_to_path(key)
    return chain, key


async def test_both_sides_show_certificates(tmp_path: Path) -> None:
    """With a CA on both sides an Envoy with a certificate is served; one without, or one that
    knows another CA, hears nothing."""
    ca, port = trustme.CA(), free_port()
    root, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    ca.cert_pem.write_to_path(root)
    trustme.CA().cert_pem.write_to_path(other)
    server = Tls(*issue(ca, tmp_path, "server", "127.0.0.1"), root)
    chain, key = (str(path) for path in issue(ca, tmp_path, "envoy", "envoy.test"))
    async with applications("app") as [app]:
        route = gateway_route("r", {"prefix": "/"}, "s")
        documents = [mesh(), gateway(port), route, service("s", node="app"), node("app", app.port)]
        async with control_plane(*documents, tls=server) as plane:
            for wrong in (ClientTls(str(root)), ClientTls(str(other), chain, key)):
                async with envoy_of(plane, tmp_path / "wrong", live=False, tls=wrong) as envoy:
                    assert await asyncio.to_thread(poll, lambda: failures(envoy) > 0, 30.0)
                    assert plane.server.status() == ()
            good = ClientTls(str(root), chain, key)
            async with envoy_of(plane, tmp_path / "good", tls=good), Client(port) as client:
                assert (await client.ask()).status == 200


def failures(envoy: Envoy) -> int:
    """How often the Envoy tried to reach its control plane in vain."""
    stats = envoy.admin("/stats?filter=cluster.trimtab_xds")
    found = dict(line.rsplit(": ", 1) for line in stats.splitlines())
    names = ("upstream_cx_connect_fail", "upstream_rq_pending_failure_eject", "upstream_cx_destroy")
    return sum(int(found.get(f"cluster.trimtab_xds.{name}", "0")) for name in names)
