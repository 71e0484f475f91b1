"""The node id by which an Envoy says who it is: the name of an App Mesh resource, or its ARN."""

from __future__ import annotations

import re
from typing import NamedTuple

_FORM = re.compile(
    r"(?:arn:[^:]+:appmesh:[^:]*:[^:]*:)?"
    r"mesh/(?P<mesh>[^/@]+)(?:@(?P<owner>[^/]+))?/(?P<kind>virtualGateway|virtualNode)/(?P<name>.+)"
)


class NodeId(NamedTuple):
    """``mesh`` and ``name`` are awsNames; ``owner`` is the account of a shared mesh, or ""."""

    mesh: str
    kind: str  # virtualGateway or virtualNode
    name: str
    owner: str = ""

    @classmethod
    def parse(cls, text: str) -> NodeId | None:
        """``mesh/M[@OWNER]/virtualGateway/NAME``, ``…/virtualNode/NAME``, or either as an ARN."""
        found = _FORM.fullmatch(text)
        if found is None:
            return None
        return cls(found["mesh"], found["kind"], found["name"], found["owner"] or "")

    def __str__(self) -> str:
        owner = f"@{self.owner}" if self.owner else ""
        return f"mesh/{self.mesh}{owner}/{self.kind}/{self.name}"
