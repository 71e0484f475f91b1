"""App Mesh: GatewayRoutes, VirtualServices, VirtualRouters and their weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from trimtab.core.model import Change, Decision, MetricFamilies, ObjectRef, Objects
from trimtab.ports import Asked, Kind, Reading
from trimtab.providers.appmesh import patch
from trimtab.providers.appmesh.checks import Checks
from trimtab.providers.appmesh.documents import KINDS
from trimtab.providers.appmesh.queries import FAMILIES
from trimtab.providers.appmesh.reading import AppMeshReading
from trimtab.providers.appmesh.routes import PROVIDER
from trimtab.providers.appmesh.rules import Hop, MeshTable
from trimtab.providers.appmesh.tables import client_routes, gateway_routes
from trimtab.providers.appmesh.unserved import lint_xds
from trimtab.providers.appmesh.ways import lane

__all__ = [
    "AppMesh",
    "AppMeshReading",
    "Hop",
    "MeshTable",
    "client_routes",
    "gateway_routes",
    "lint_xds",
]


class AppMesh:
    """Implements ``ports.Provider``. Holds the last reading, to read each document once.

    ``serves_xds`` says that the Envoys of the mesh get their configuration from us: what we alone
    honour may then be written.
    """

    def __init__(self, *, serves_xds: bool = False) -> None:
        self._serves_xds = serves_xds
        self._reading: AppMeshReading | None = None
        self._checks = Checks()

    @property
    def name(self) -> str:
        return PROVIDER

    @property
    def kinds(self) -> Sequence[Kind]:
        return KINDS

    @property
    def families(self) -> MetricFamilies:
        return FAMILIES

    def load(self, objects: Objects) -> AppMeshReading:
        """Typed view of the objects; what did not change since the last call is not read again."""
        self._reading = AppMeshReading(
            objects, self._reading, self._checks, serves_xds=self._serves_xds
        )
        return self._reading

    def changes(self, reading: Reading, decision: Decision) -> Iterable[Change]:
        """One JSON Patch for each router that is not as the Decision says."""
        if not isinstance(reading, AppMeshReading):
            raise TypeError(f"a reading of App Mesh is needed, not {type(reading).__name__}")
        return patch.changes(reading, decision)

    def leftovers(
        self, reading: Reading, asked: Mapping[ObjectRef, Asked | None]
    ) -> Iterable[Change]:
        """The deletion of every lane that no policy asks for."""
        if not isinstance(reading, AppMeshReading):
            raise TypeError(f"a reading of App Mesh is needed, not {type(reading).__name__}")
        return tuple(lane.leftovers(reading, asked))
