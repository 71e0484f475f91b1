"""The reader: dataclasses in, typed values and every mistake out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.model import Object, ObjectRef
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.codes import Problem
from trimtab.providers.appmesh.documents import SPECS, read_document
from trimtab.providers.appmesh.reader import document_name, read
from trimtab.providers.appmesh.routing import GatewayRouteSpec, VirtualRouterSpec
from trimtab.providers.appmesh.values import GROUP, VERSION, Protocol, Selector

ROUTE = {
    "match": {"prefix": "/"},
    "action": {"weightedTargets": [{"virtualNodeRef": {"name": "a"}, "weight": 1}]},
}


def problems_in(cls: type[Any], raw: object) -> list[Problem]:
    problems: list[Problem] = []
    read(cls, raw, "spec", problems)
    return problems


def test_names_in_documents() -> None:
    """Fields are camelCase in documents, and ARN stays in capitals."""
    assert document_name("virtual_node_arn") == "virtualNodeARN"
    assert document_name("certificate_authority_arns") == "certificateAuthorityARNs"
    assert document_name("http2_route") == "http2Route"


def test_every_mistake_is_found_at_once() -> None:
    """The reader does not stop at the first mistake."""
    raw = {
        "priority": "high",
        "httpRoute": {"match": {"prefix": 7, "method": "FETCH"}, "action": {}},
    }
    found = {(p.field, p.code) for p in problems_in(GatewayRouteSpec, raw)}
    assert found == {
        ("spec.priority", codes.WRONG_TYPE),
        ("spec.httpRoute.match.prefix", codes.WRONG_TYPE),
        ("spec.httpRoute.match.method", codes.NOT_A_CHOICE),
        ("spec.httpRoute.action.target", codes.MISSING),
    }


def test_null_is_absent() -> None:
    """A null field is no field, as in the Kubernetes API."""
    raw = {"routes": [{"name": "r", "priority": None, "tcpRoute": None, "httpRoute": ROUTE}]}
    problems: list[Problem] = []
    spec = read(VirtualRouterSpec, raw, "spec", problems)
    assert problems == []
    assert spec is not None
    assert spec.routes[0].priority is None
    assert spec.routes[0].protocol is Protocol.HTTP


@pytest.mark.parametrize(
    ("written", "meant"),
    [("weigth", "weight"), ("Weight", "weight")],
)
def test_a_misspelled_required_field_is_named(written: str, meant: str) -> None:
    """A missing field beside an unknown one that looks like it: rename it."""
    raw = {"routes": [{"name": "r", "httpRoute": _weighted({written: 1})}]}
    (missing, _unknown) = problems_in(VirtualRouterSpec, raw)
    assert missing.remedy == f"Rename {written} to {meant}."


def _weighted(fields: dict[str, Any]) -> dict[str, Any]:
    target = {"virtualNodeRef": {"name": "a"}, **fields}
    return {"match": {"prefix": "/"}, "action": {"weightedTargets": [target]}}


@pytest.mark.parametrize(
    ("raw", "remedy"),
    [
        (True, 'Put it in quotes: "true".'),
        (80, 'Put it in quotes: "80".'),
        ([], "Write text."),
        ("${NAME}", None),
    ],
)
def test_wrong_types_say_how_to_write_it(raw: object, remedy: str | None) -> None:
    """What YAML makes of an unquoted word is the commonest wrong type."""
    found = problems_in(VirtualRouterSpec, {"awsName": raw})
    assert [p.remedy for p in found] == ([] if remedy is None else [remedy])


def test_a_placeholder_where_a_number_must_be_is_called_one() -> None:
    """A template variable that was never replaced is not called a text."""
    raw = {"listeners": [{"portMapping": {"port": "${PORT}", "protocol": "http"}}]}
    (found,) = problems_in(VirtualRouterSpec, raw)
    assert "placeholder '${PORT}'" in found.remedy


def test_a_number_is_not_a_flag() -> None:
    """True is not 1: Python's bool must not pass for a number."""
    (found,) = problems_in(GatewayRouteSpec, {"priority": True, "httpRoute": _gateway_http()})
    assert (found.field, found.code) == ("spec.priority", codes.WRONG_TYPE)


def _gateway_http() -> dict[str, Any]:
    target = {"virtualService": {"virtualServiceRef": {"name": "s"}}}
    return {"match": {"prefix": "/"}, "action": {"target": target}}


@pytest.mark.parametrize(
    ("labels", "selected"),
    [({"a": "1"}, True), ({"a": "2"}, False), ({"a": "1", "b": ""}, False), ({}, False)],
)
def test_selectors(labels: dict[str, str], selected: bool) -> None:
    """Labels and expressions must all hold; NotIn and DoesNotExist hold for an absent label."""
    problems: list[Problem] = []
    raw = {
        "matchLabels": {"a": "1"},
        "matchExpressions": [
            {"key": "a", "operator": "In", "values": ["1", "3"]},
            {"key": "a", "operator": "Exists"},
            {"key": "b", "operator": "DoesNotExist"},
            {"key": "c", "operator": "NotIn", "values": ["x"]},
        ],
    }
    selector = read(Selector, raw, "selector", problems)
    assert problems == []
    assert selector is not None
    assert selector.matches(labels) is selected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "spec",
                    "routes",
                    "name",
                    "priority",
                    "httpRoute",
                    "grpcRoute",
                    "match",
                    "action",
                    "weightedTargets",
                    "weight",
                    "listeners",
                    "portMapping",
                    "port",
                    "protocol",
                    "virtualNodeRef",
                    "headers",
                    "range",
                    "start",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(kind=st.sampled_from(sorted(SPECS)), spec=json_values, metadata=json_values)
def test_no_document_makes_the_reader_raise(kind: str, spec: Any, metadata: Any) -> None:
    """Whatever stands in a document, it is read or diagnosed; and unread means diagnosed."""
    body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": metadata, "spec": spec}
    document = read_document(Object(ObjectRef(GROUP, kind, "ns", "x"), "1", body))
    assert document.resource is not None or document.diagnostics
    for found in document.diagnostics:
        assert str(found)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            {"listeners": [{"portMapping": None, "port": 80, "protocol": "http"}]},
            {
                "spec.listeners[0].portMapping": "is empty, and port and protocol stand beside it",
                "spec.listeners[0].port": "indent it below that",
                "spec.listeners[0].protocol": "It is a field of portMapping",
            },
        ),
        (
            {"routes": [{"name": "a", "httpRoute": {"match": {"prefix": "/"}}, "action": {}}]},
            {
                "spec.routes[0].httpRoute.action": "Add action",
                "spec.routes[0].action": "It is a field of httpRoute: indent it below that",
            },
        ),
    ],
)
def test_a_field_that_slipped_out_of_its_place_is_called_that(
    written: dict[str, Any], said: dict[str, str]
) -> None:
    """Indentation that is wrong and still YAML: where the field belongs is said."""
    problems: list[Problem] = []
    read(VirtualRouterSpec, written, "spec", problems)
    told = {p.field: f"{p.message} {p.remedy}" for p in problems}
    assert told.keys() == said.keys()
    for field, words in said.items():
        assert words in told[field]
