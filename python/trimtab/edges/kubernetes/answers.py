"""What the API server's failures mean, in the words of Trimtab. No header, token or body is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from trimtab.core.model import ObjectRef
from trimtab.errors import Conflict, Refused, TrimtabError, Unavailable

NO_ANSWER = 0
GONE = 410
NOT_FOUND = 404
_LONGEST = 600  # characters of a message that are worth showing


class ApiError(Exception):
    """An answer that is not a success. ``status`` is NO_ANSWER where none came.

    ``invalid`` says that a schema or an admission rule rejected values: the one way to tell that
    422 from a failed ``test`` of a JSON Patch, whose answer has no details at all.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        invalid: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.invalid = invalid
        self.retry_after_s = retry_after_s


def failure(status: int, body: bytes, headers: Mapping[str, str]) -> ApiError:
    """The failure that an HTTP answer tells of."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if isinstance(document, dict) and document.get("kind") == "Status":
        return from_status(document, status, _seconds(headers.get("Retry-After")))
    text = body.decode("utf-8", "replace").strip()
    return ApiError(
        status, text[:_LONGEST] or "no message", retry_after_s=_seconds(headers.get("Retry-After"))
    )


def from_status(
    document: Mapping[str, Any], status: int = NO_ANSWER, retry_after_s: float | None = None
) -> ApiError:
    """The failure that a ``Status`` object tells of; also the object of an ERROR event of a watch."""
    details = document.get("details") or {}
    if retry_after_s is None:
        retry_after_s = _seconds(details.get("retryAfterSeconds"))
    return ApiError(
        int(document.get("code") or status),
        str(document.get("message") or document.get("reason") or "no message")[:_LONGEST],
        invalid=bool(details.get("causes") or details.get("name")),
        retry_after_s=retry_after_s,
    )


def _seconds(value: object) -> float | None:
    """Seconds to wait, as the server asks. A date, which it never sends, is not understood."""
    try:
        return max(0.0, float(str(value)))
    except ValueError:
        return None


def translate(error: ApiError, verb: str, resource: str, ref: ObjectRef | None) -> TrimtabError:
    """The error of Trimtab that a failed call amounts to. ``resource`` is plural.group."""
    what = f"{verb} {resource}" if ref is None else f"{verb} {ref}"
    match error.status:
        case 401:
            return Unavailable(
                f"{what}: the API server does not accept our credentials ({error.message}). "
                "Remedy: renew the token or the kubeconfig"
            )
        case 403:
            return Refused(
                f"{what}: not allowed: {error.message}. "
                f"Remedy: allow the verb {verb} on {resource} in the Role"
            )
        case 404:
            return Refused(
                f"{what}: not found: {error.message}. "
                f"Remedy: create it, or install the CRD of {resource}"
            )
        case 409:
            return Conflict(f"{what}: {error.message}")
        case status if status in (NO_ANSWER, 408, GONE, 429) or status >= 500:
            return Unavailable(f"{what}: {error.message}")
        case status:
            return Refused(f"{what}: the API server refuses it ({status}): {error.message}")


def raise_translated(
    error: ApiError, verb: str, resource: str, ref: ObjectRef | None = None
) -> NoReturn:
    raise translate(error, verb, resource, ref) from error
