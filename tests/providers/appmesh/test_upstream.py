"""Manifests and CRDs as they stand in other people's repositories, where they are at hand."""

from __future__ import annotations

import dataclasses
import os
import re
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest
import yaml
from annotated_types import Ge, Le, Len

from trimtab.core.model import Severity
from trimtab.providers.appmesh import AppMesh, MeshTable
from trimtab.providers.appmesh.documents import KINDS, SPECS
from trimtab.providers.appmesh.legacy import upgrade
from trimtab.providers.appmesh.reader import document_name, field_paths
from trimtab.providers.appmesh.values import Among

# Not YAML, as upstream has them: a key is indented below a value.
BROKEN = {
    "appserver_update.yaml",
    "redis_update.yaml",
    "yelb_db_update.yaml",
    "yelb_ui_update.yaml",
}
# Findings in whole examples, and why each is right.
JUSTIFIED = {
    # a snippet of a page: no Mesh, and groups of services that stand nowhere
    "controller-docs-backend-groups": ["AM201", "AM207"],
    # generated placeholders: an unknown field foo, and nothing that means anything
    "controller-samples": ["AM001", "AM007", "AM009", "AM208"],
    # the Mesh of these is made by a script, or stands in another account
    "eks-app-mesh-cross-account-acm": ["AM201"],
    "eks-app-mesh-multi-account": ["AM201"],
    "eks-getting-started": ["AM201"],
}
PINS = Path(__file__).parents[2] / "fixtures" / "appmesh" / "upstream.pins"


@pytest.fixture
def manifests(shared: Path) -> Path:
    return shared / "appmesh" / "manifests"


def described(load: Any, path: Path, name: str) -> list[str]:
    """What one file yields, a line each: rules with their targets, problems, diagnostics."""
    try:
        upgraded = upgrade(load(path, file=name))
    except yaml.YAMLError:
        return ["not YAML"]
    reading = AppMesh().load(upgraded.objects)
    MeshTable(reading)
    lines = []
    for ref in sorted((*reading.gateway_routes, *reading.services, *reading.routers)):
        found = reading.resolve(ref, ())
        lines += [f"{ref}: {problem}" for problem in found.problems]
        for route in found.routes:
            targets = ", ".join(f"{t.name}={t.weight} {t.telemetry or '-'}" for t in route.targets)
            lines.append(f"{ref}: {route.key.rule}: {targets}")
    for d in (*upgraded.diagnostics, *reading.diagnostics):
        lines.append(f"{d.code} {d.severity} {d.ref} {d.field}".rstrip())
    return lines


def test_what_each_manifest_yields_is_pinned(load: Any, manifests: Path) -> None:
    """Every file: its routes, what cannot be steered and why, its diagnostics; none fails."""
    found = []
    for path in sorted(manifests.rglob("*.yaml")):
        name = str(path.relative_to(manifests))
        lines = described(load, path, name)
        assert (lines == ["not YAML"]) == (path.name in BROKEN), name
        found += [f"== {name}", *lines]
    if os.environ.get("TRIMTAB_WRITE_PINS"):
        PINS.write_text("\n".join(found) + "\n")
    assert found == PINS.read_text().splitlines()


def test_whole_examples_have_no_false_alarms(load: Any, manifests: Path) -> None:
    """An example read as a whole has no errors but of its own making."""
    alarms = {}
    for folder in sorted(p for p in manifests.iterdir() if p.is_dir()):
        files = [f for f in sorted(folder.rglob("*.yaml")) if f.name not in BROKEN]
        files = [f for f in files if "v1beta1" not in f.name]
        found = AppMesh().load(load(*files, file=folder.name)).diagnostics
        alarms[folder.name] = sorted({d.code for d in found if d.severity is not Severity.INFO})
    assert {name: codes for name, codes in alarms.items() if codes} == JUSTIFIED


def test_kinds_and_fields_are_those_of_the_crds(shared: Path) -> None:
    """Group, version, plural, scope, and every field of the specs, as upstream's CRDs have them."""
    kinds = {k.kind: k for k in KINDS}
    for path in sorted((shared / "appmesh" / "crds").glob("*.yaml")):
        crd = yaml.safe_load(path.read_text())["spec"]
        kind = kinds[crd["names"]["kind"]]
        (version,) = crd["versions"]
        assert (kind.group, kind.version, kind.plural, kind.namespaced) == (
            crd["group"],
            version["name"],
            crd["names"]["plural"],
            crd["scope"] == "Namespaced",
        )
        schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        assert set(field_paths(SPECS[kind.kind])) == set(_paths(schema)), kind.kind


PAGE = Path(__file__).parents[3] / "docs" / "appmesh-fields.md"


def listed(kind: str) -> tuple[set[str], set[str]]:
    """The fields of a kind that the page lists as read, and those that it lists as not read."""
    sections = PAGE.read_text().split("\n## ")
    rows = {
        s.partition("\n")[0]: re.findall(r"^\| `(\S+)` \| (\w+)", s, re.MULTILINE) for s in sections
    }
    every = [*rows["In every kind"], *rows[kind]]
    read, unread = ({field for field, word in every if word == said} for said in ("yes", "no"))
    return read, unread


def test_every_field_of_the_crds_is_listed_as_read_or_not(shared: Path) -> None:
    """Every leaf of the whole schema stands in docs/appmesh-fields.md, and nothing else does; below
    spec all are read."""
    for path in sorted((shared / "appmesh" / "crds").glob("*.yaml")):
        crd = yaml.safe_load(path.read_text())["spec"]
        schema = crd["versions"][0]["schema"]["openAPIV3Schema"]
        read, unread = listed(crd["names"]["kind"])
        theirs = set(_paths(schema))
        below = {field for field in theirs if field.partition(".")[0] in unread}
        assert theirs - below == read
        assert unread <= theirs
        assert not any(field.startswith("spec") for field in below)


def test_no_part_of_a_schema_is_passed_over(shared: Path) -> None:
    """Whatever may hold fields in a schema is walked: there is nothing but properties, items and
    maps of texts."""
    words = set()
    for path in sorted((shared / "appmesh" / "crds").glob("*.yaml")):
        crd = yaml.safe_load(path.read_text())["spec"]
        left = [crd["versions"][0]["schema"]["openAPIV3Schema"]]
        while left:
            node = left.pop()
            words |= node.keys()
            left += [
                *node.get("properties", {}).values(),
                *([node["items"]] if "items" in node else []),
            ]
            assert node.get("additionalProperties", {"type": "string"}) == {"type": "string"}
    assert words <= {
        "description", "type", "properties", "items", "required", "enum", "additionalProperties",
        "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "format",
        "x-kubernetes-preserve-unknown-fields", "x-kubernetes-map-type",
        "x-kubernetes-list-type",
    }  # fmt: skip


# Where our limits are not those of the CRDs, and why. What the App Mesh API refused stays refused.
STRICTER = {
    "awsName": "names of the API have 1 to 255 characters",
    "port": "ports are 1 to 65535",
    "name": "names of Kubernetes objects have 1 to 253 characters",
    "namespace": "names of Kubernetes objects have 1 to 253 characters",
    "prefix": "paths of the API have 1 to 255 characters",
    "serviceName": "names of the API have 1 to 255 characters",
    "hostname": "an empty one finds nobody",
    "key": "a label selector needs a key",
    "operator": "a label selector knows four operators",
    "virtualServiceARN": "an ARN is not empty",
    "virtualNodeARN": "an ARN is not empty",
    "virtualRouterARN": "an ARN is not empty",
    "certificateARN": "an ARN is not empty",
    "secretName": "a secret has a name",
    "exact": "subject names have 1 to 254 characters",
}
LAXER = {"meshRef.uid", "virtualGatewayRef.uid"}  # required by the CRD; people write manifests


def test_limits_are_those_of_the_crds(shared: Path) -> None:
    """Required fields, enums, ranges and lengths; every difference is on purpose."""
    for path in sorted((shared / "appmesh" / "crds").glob("*.yaml")):
        crd = yaml.safe_load(path.read_text())["spec"]
        kind = crd["names"]["kind"]
        schema = crd["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        theirs = dict(_limits_of_schema(schema))
        ours = dict(_limits_of_class(SPECS[kind]))
        assert ours.keys() == theirs.keys()
        for field, limits in ours.items():
            if field in LAXER:
                continue
            if field.rsplit(".")[-1] in STRICTER:
                assert _is_stricter(limits, theirs[field]), (kind, field, limits, theirs[field])
            else:
                assert limits == theirs[field], (kind, field, limits, theirs[field])


_WORDS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "enum")


def _limits_of_schema(schema: dict[str, Any], at: str = "") -> Any:
    while schema["type"] == "array":
        schema = schema["items"]
    for name, inner in schema.get("properties", {}).items():
        path = f"{at}.{name}".lstrip(".")
        limits = {"required": name in schema.get("required", ())}
        node = inner
        while True:
            limits |= {w: node[w] for w in _WORDS if w in node and node[w] not in (0, [])}
            if node["type"] != "array":
                break
            node = node["items"]
        if "enum" in limits:
            limits["enum"] = sorted(limits["enum"])
        yield path, limits
        yield from _limits_of_schema(inner, path)


def _limits_of_class(cls: Any, at: str = "") -> Any:
    hints = get_type_hints(cls, include_extras=True)
    for f in dataclasses.fields(cls):
        path = f"{at}.{document_name(f.name)}".lstrip(".")
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        limits: dict[str, Any] = {"required": required}
        inner = _collect(hints[f.name], limits)
        yield path, limits
        if dataclasses.is_dataclass(inner):
            yield from _limits_of_class(inner, path)


def _collect(hint: Any, limits: dict[str, Any]) -> Any:
    """Reads the limits of a type into ``limits``; gives what a dataclass or scalar is left."""
    if get_origin(hint) is Annotated:
        base, *marks = get_args(hint)
        is_list = get_origin(base) is tuple
        for mark in marks:
            match mark:
                case Ge(ge=least) if least not in (0, -(2**63)):
                    limits["minimum"] = least
                case Le(le=most) if most != 2**63 - 1:
                    limits["maximum"] = most
                case Len(min_length=least, max_length=most):
                    word = "Items" if is_list else "Length"
                    limits |= {f"min{word}": least} if least else {}
                    limits |= {f"max{word}": most} if most is not None else {}
                case Among(values=values):
                    limits["enum"] = sorted(values)
        return _collect(base, limits if "enum" not in limits else {})
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (a for a in get_args(hint) if a is not NoneType)
        return _collect(hint, limits)
    if get_origin(hint) is tuple:
        return _collect(get_args(hint)[0], limits)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        limits["enum"] = sorted(hint)
    return hint


def _is_stricter(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether ours lets nothing pass that theirs refuses."""
    return (
        ours["required"] >= theirs["required"]
        and all(ours.get(w, 0) >= theirs.get(w, 0) for w in ("minimum", "minLength", "minItems"))
        and all(ours[w] <= theirs[w] for w in ("maximum", "maxLength", "maxItems") if w in theirs)
        and ("enum" not in theirs or ours["enum"] == theirs["enum"])
    )


def _paths(schema: dict[str, Any], at: str = "") -> Any:
    """Every field below a schema, lists without indices."""
    while schema["type"] == "array":
        schema = schema["items"]
    for name, inner in schema.get("properties", {}).items():
        path = f"{at}.{name}".lstrip(".")
        yield path
        yield from _paths(inner, path)
