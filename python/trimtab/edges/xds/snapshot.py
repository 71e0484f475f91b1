"""The resources of one node at one instant, versioned by their content.

A version is a hash of what is in it, so equal content has an equal version in every
process: an Envoy that reconnects, also to another or a restarted server, is sent nothing
that it already has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

NodeResources: TypeAlias = Mapping[str, Mapping[str, bytes]]
"""Type URL -> name -> the serialised message. Within the routes the order says what is to be
in place first: a route configuration that others lead to stands before them."""

_PREFIX = "type.googleapis.com/envoy.config."
CLUSTER = f"{_PREFIX}cluster.v3.Cluster"
ENDPOINT = f"{_PREFIX}endpoint.v3.ClusterLoadAssignment"
LISTENER = f"{_PREFIX}listener.v3.Listener"
ROUTE = f"{_PREFIX}route.v3.RouteConfiguration"

ORDER = (CLUSTER, ENDPOINT, LISTENER, ROUTE)
"""Make before break: what a resource names is sent, and acknowledged, before it."""

WHOLE = frozenset({CLUSTER, LISTENER})
"""Types of which every answer holds the full set, and leaving one out removes it."""


class Resource(NamedTuple):
    version: str
    body: bytes


Resources: TypeAlias = Mapping[str, Resource]


class Changed(NamedTuple):
    """The names of one type that are new or different, and those that are gone."""

    updated: frozenset[str]
    removed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All resources of a node. ``version`` is that of the whole, ``versions`` those of the types,
    ``made_of`` what it was made of."""

    version: str
    types: Mapping[str, Resources]
    versions: Mapping[str, str] = field(default_factory=dict, repr=False)
    made_of: NodeResources = field(default_factory=dict, repr=False)

    def of(self, type_url: str) -> Resources:
        return self.types.get(type_url, {})


EMPTY = Snapshot("", {})


def snapshot(resources: NodeResources, previous: Snapshot = EMPTY) -> Snapshot:
    """Version ``resources``; whatever equals ``previous`` is the same object again.

    A mapping that is the same object as before costs nothing, an equal one a comparison; so a
    mapping must not be changed once it was given.
    """
    types = {
        type_url: previous.of(type_url)
        if bodies is previous.made_of.get(type_url)
        else _versioned(bodies, previous.of(type_url))
        for type_url, bodies in resources.items()
    }
    if len(types) == len(previous.types) and all(
        previous.types.get(type_url) is versioned for type_url, versioned in types.items()
    ):
        return previous
    versions = {
        t: previous.versions[t] if previous.types.get(t) is r else version_of(r)
        for t, r in types.items()
    }
    return Snapshot(digest(versions.items()), types, versions, resources)


def changes(old: Snapshot, new: Snapshot) -> dict[str, Changed]:
    """What differs, by type; types without a difference are left out."""
    found = {
        type_url: _changed(old.of(type_url), new.of(type_url))
        for type_url in {*old.types, *new.types}
    }
    return {type_url: change for type_url, change in found.items() if any(change)}


def version_of(resources: Resources) -> str:
    """The version of a set of resources, whatever their order."""
    return digest((name, resource.version) for name, resource in resources.items())


def digest(parts: Iterable[tuple[str, str]]) -> str:
    total = blake2b(digest_size=8)
    for name, version in sorted(parts):
        total.update(f"{len(name)}:{name}={version};".encode())
    return total.hexdigest()


def _versioned(bodies: Mapping[str, bytes], previous: Resources) -> Resources:
    found = {name: _resource(body, previous.get(name)) for name, body in bodies.items()}
    same = len(found) == len(previous) and all(
        resource is previous.get(name) for name, resource in found.items()
    )
    return previous if same and list(found) == list(previous) else found


def _resource(body: bytes, previous: Resource | None) -> Resource:
    if previous is not None and previous.body == body:
        return previous
    return Resource(blake2b(body, digest_size=8).hexdigest(), body)


def _changed(old: Resources, new: Resources) -> Changed:
    if old is new:
        return Changed(frozenset(), frozenset())
    updated = (n for n, r in new.items() if (o := old.get(n)) is None or o.version != r.version)
    return Changed(frozenset(updated), frozenset(old.keys() - new.keys()))
