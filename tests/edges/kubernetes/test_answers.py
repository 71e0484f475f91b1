"""What a failed call means: each answer of the API server as one of our errors."""

from __future__ import annotations

import json

import pytest

from trimtab.core.model import ObjectRef
from trimtab.edges.kubernetes.answers import ApiError, failure, translate
from trimtab.errors import Conflict, Refused, TrimtabError, Unavailable

WEB = ObjectRef("appmesh.k8s.aws", "VirtualRouter", "shop", "web")


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (0, Unavailable, "patch VirtualRouter shop/web: it says why"),
        (400, Refused, "(400)"),
        (401, Unavailable, "renew the token"),
        (403, Refused, "allow the verb patch on virtualrouters.appmesh.k8s.aws"),
        (404, Refused, "not found"),
        (405, Refused, "(405)"),
        (408, Unavailable, "it says why"),
        (409, Conflict, "it says why"),
        (410, Unavailable, "it says why"),
        (413, Refused, "(413)"),
        (415, Refused, "(415)"),
        (422, Refused, "(422)"),
        (429, Unavailable, "it says why"),
        (500, Unavailable, "it says why"),
        (503, Unavailable, "it says why"),
        (504, Unavailable, "it says why"),
    ],
)
def test_every_status_is_one_of_our_errors(
    status: int, error: type[TrimtabError], words: str
) -> None:
    """Transient where the next attempt may do, Refused where a person must act."""
    found = translate(
        ApiError(status, "it says why"), "patch", "virtualrouters.appmesh.k8s.aws", WEB
    )
    assert type(found) is error
    assert words in str(found)
    assert "it says why" in str(found)


def status_object(**details: object) -> bytes:
    return json.dumps({"kind": "Status", "code": 422, "message": "m", "details": details}).encode()


def test_a_failed_test_is_told_from_a_rejected_value() -> None:
    """Both are 422; only a rejection has details."""
    assert not failure(422, status_object(), {}).invalid
    assert failure(422, status_object(name="web", causes=[{"field": "spec"}]), {}).invalid


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"404 page not found\n", "404 page not found"),
        (b"", "no message"),
        (b"<html>" + b"x" * 10_000, "<html>" + "x" * 594),
        (b"[]", "[]"),
        (b'{"kind": "Status", "reason": "Expired"}', "Expired"),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_any_body_is_understood(body: bytes, message: str) -> None:
    """Proxies answer too, and not with a Status; what they say is kept short."""
    assert failure(503, body, {}).message == message


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("-1", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), (None, None)],
)
def test_retry_after_is_read(header: str | None, seconds: float | None) -> None:
    """In seconds, as the API server sends it."""
    headers = {"Retry-After": header} if header else {}
    assert failure(429, b"", headers).retry_after_s == seconds
