"""Documents broken at random: read, diagnosed, matched and served, and never a traceback."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from trimtab.core.matching import MatchQuery
from trimtab.core.model import Object, ObjectRef
from trimtab.errors import InvalidDocument
from trimtab.providers.appmesh import AppMesh, MeshTable, lint_xds
from trimtab.providers.appmesh.graph import graph_of
from trimtab.providers.appmesh.legacy import upgrade

JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 2**70, "", "x", "/", "${VAR}", "\ud800", "a\0b", [], {}, [None], [[]],
    {"": {}}, "(", "*", 65536, ["x"] * 11, {"name": "n"}, {1: 2},
)  # fmt: skip
TRIALS = int(os.environ.get("TRIMTAB_MUTANTS", "2500"))


def sources(fixtures: Path) -> list[list[dict[str, Any]]]:
    """Meshes to break: the base with what each pair adds, and the older shapes."""
    base = list(yaml.safe_load_all((fixtures / "base.yaml").read_text()))
    files = sorted((*fixtures.glob("pairs/*.yaml"), *fixtures.glob("legacy/*.yaml")))
    return [base + [d for d in yaml.safe_load_all(f.read_text()) if d] for f in files]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) below a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


def mutate(chance: random.Random, body: dict[str, Any], others: list[dict[str, Any]]) -> None:
    """Replace, remove, double, rename or exchange something below spec or metadata."""
    for _ in range(chance.choice((0, 1, 1, 2, 5))):
        found = [p for p in places(body) if not (p[0] is body and p[1] in ("kind", "metadata"))]
        if not found:
            return
        container, key = chance.choice(found)
        action = chance.randrange(5)
        if action == 0:
            container[key] = copy.deepcopy(chance.choice(JUNK))
        elif action == 1:
            del container[key]
        elif action == 2 and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        elif action == 3 and isinstance(container, dict):
            container[f"{key}s" if chance.random() < 0.5 else chance.choice(("", "x"))] = (
                container.pop(key)
            )
        else:
            donor, donor_key = chance.choice(list(places(chance.choice(others))))
            container[key] = copy.deepcopy(donor[donor_key])


def as_object(body: dict[str, Any], version: int) -> Object | None:
    """As a store would: an object needs a kind and a name, whatever else it says."""
    meta = body.get("metadata")
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
        return None
    group, _, _ = str(body.get("apiVersion", "")).rpartition("/")
    cluster_scoped = body["kind"] in ("Mesh", "Namespace")
    namespace = "" if cluster_scoped else str(meta.get("namespace") or "default")
    return Object(ObjectRef(group, body["kind"], namespace, meta["name"]), str(version), body)


def exercise(provider: AppMesh, objects: dict[ObjectRef, Object]) -> None:
    """Everything that is done with documents."""
    upgraded = upgrade(objects)
    reading = provider.load(upgraded.objects)
    for diagnostic in (*upgraded.diagnostics, *reading.diagnostics, *lint_xds(reading, ())):
        assert diagnostic.message
        str(diagnostic)
    for ref in (*reading.documents,):
        reading.resolve(ref, ())
    graph_of(reading).as_text()
    table = MeshTable(reading)
    for entry in ({"gateway": "door"}, {"service": "cart"}):
        for path in ("/", "/cart/1?x=y"):
            try:
                table.answer(MatchQuery(path, random=5, **entry))
            except InvalidDocument:
                continue  # several of that name
            table.explain(MatchQuery(path, **entry))


def test_no_mutant_ends_in_a_traceback(fixtures: Path) -> None:
    """Thousands of broken documents, each in a mesh: one broken document never stops the others."""
    meshes = sources(fixtures)
    chance = random.Random(20)
    provider, documents = AppMesh(), 0
    for trial in range(TRIALS):
        bodies = copy.deepcopy(chance.choice(meshes))
        objects = {}
        for body in bodies:
            mutate(chance, body, bodies)
            obj = as_object(body, trial)
            if obj is not None:
                objects[obj.ref] = obj
                documents += 1
        exercise(provider, objects)
    assert documents > TRIALS * 6


def test_looking_again_finds_what_a_first_look_finds(fixtures: Path) -> None:
    """After any change the kept findings and the new ones are those of a fresh reading, in order,
    and so are the routes."""
    chance = random.Random(25)
    meshes = sources(fixtures)
    for _ in range(TRIALS // 25):
        provider = AppMesh()
        bodies = copy.deepcopy(chance.choice(meshes))
        objects = {o.ref: o for o in (as_object(b, 0) for b in bodies) if o is not None}
        for step in range(1, 8):
            place = chance.randrange(len(bodies))
            old = as_object(bodies[place], step)
            bodies[place] = copy.deepcopy(bodies[place])
            mutate(chance, bodies[place], bodies)
            new = as_object(bodies[place], step)
            if old is not None:
                objects.pop(old.ref, None)
            if new is not None:
                objects[new.ref] = new
            again, first = provider.load(dict(objects)), AppMesh().load(dict(objects))
            assert again.diagnostics == first.diagnostics
            for ref in first.routers:
                assert again.resolve(ref, ()) == first.resolve(ref, ())
