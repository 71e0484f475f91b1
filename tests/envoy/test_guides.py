"""Guide-style documents, fixed by lint, route on a real Envoy as the guide meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from app.linting import codes, linted
from xds_harness.documents import mesh, node, service
from xds_harness.world import Client, applications, control_plane, envoy_of

from trimtab.clock import SystemClock
from trimtab.edges.manifests import ManifestStore, as_yaml
from trimtab.providers.appmesh import AppMesh
from trimtab.providers.appmesh.documents import KINDS
from trimtab.testbed.processes import free_port

pytestmark = pytest.mark.usefixtures("envoy_binary")
GUIDES = Path(__file__).parents[1] / "fixtures" / "appmesh" / "guides"
# Path of a request, and the application that the guide leads it to.
MEANT = {
    "/cart": "cart",
    "/cart/1?q=2": "cart",
    "/stock/7": "stock",
    "/help/me": "help",
    "/other": None,
}


async def test_fixed_guides_route_as_they_meant(tmp_path: Path) -> None:
    """--fix writes the forms; a store that takes v1beta2 alone reads them without a finding; Envoy
    sends each path to the service that the guide names, with the path as it was."""
    port = free_port()
    manifests = tmp_path / "mesh"
    manifests.mkdir()
    async with applications("cart", "stock", "help") as apps:
        world = [mesh(), *(node(app.name, app.port) for app in apps)]
        world += [service(name, node=name) for name in ("cart", "stock")]
        (manifests / "world.yaml").write_text("---\n".join(map(as_yaml, world)))
        for name in ("gateway", "routes", "rewrite", "node"):
            text = (GUIDES / f"{name}.yaml").read_text()
            (manifests / f"{name}.yaml").write_text(text.replace("port: 443", f"port: {port}"))
        status, answer = linted(manifests, fix=True)
        assert (status, codes(answer, "error", "warning")) == (0, [])
        assert [w["refused"] for w in answer["written"]] == [None] * 4

        store = ManifestStore([manifests], KINDS, SystemClock())
        objects = await store.read()
        assert store.problems == ()
        assert AppMesh().load(objects).broken == {}
        async with (
            control_plane(*(dict(o.body) for o in objects.values())) as plane,
            envoy_of(plane, tmp_path, "mesh/m/virtualGateway/storefront_shop"),
            Client(port) as client,
        ):
            for path, backend in MEANT.items():
                answer = await client.ask(path)
                assert answer.status == (200 if backend else 404), path
                if backend:
                    assert (answer.seen["backend"], answer.seen["path"]) == (backend, path)
