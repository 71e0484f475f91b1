"""A thin client: the few calls of the Kubernetes API that the stores make, each with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException

from trimtab.core.model import ObjectRef, PatchOp
from trimtab.edges.kubernetes.answers import NO_ANSWER, ApiError, failure
from trimtab.edges.kubernetes.credentials import configure
from trimtab.ports import Kind

FIELD_MANAGER = "trimtab"
PAGE = 500  # objects in one answer of a list, as client-go asks

# A watch that is silent for longer is taken for a dead connection and opened again where it
# stopped. The API server sends a bookmark about once a minute.
_SILENCE_S = 90.0

# The connection of a call that was cancelled ends with a courtesy of TLS in the background, which
# needs a moment of the event loop (aiohttp: Graceful Shutdown).
_FAREWELL_S = 0.25

_CONTENT = {
    "PATCH": {"Content-Type": "application/json-patch+json"},
    "POST": {"Content-Type": "application/json"},
    "DELETE": {"Content-Type": "application/json"},
}


class Client:
    """Calls of the API server, until ``close`` or the end of its context. ``timeout_s`` is the deadline
    of a call on one object; a page of a list gets three times as long. Every failure is an ApiError."""

    def __init__(self, configuration: Configuration, *, timeout_s: float = 10.0) -> None:
        self._api = ApiClient(configuration)
        self._api.user_agent = f"trimtab/{importlib.metadata.version('trimtab')}"
        self._timeout_s = timeout_s
        self._broken_off = False  # whether a call was cancelled under way

    @classmethod
    async def connect(
        cls,
        kubeconfig: Path | None = None,
        context: str | None = None,
        *,
        timeout_s: float = 10.0,
        environ: Mapping[str, str] = os.environ,
    ) -> Self:
        """A client for the cluster that a kubeconfig or the pod's service account names; nothing is
        sent yet. Raises Refused when neither is there."""
        return cls(await configure(kubeconfig, context, environ), timeout_s=timeout_s)

    async def close(self) -> None:
        await self._api.close()
        if self._broken_off:
            await asyncio.sleep(_FAREWELL_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """One object as it stands now, read past every cache."""
        return await self._call("GET", _path(kind, namespace, name), timeout_s=self._timeout_s)

    async def page(self, kind: Kind, namespace: str, follow: str) -> dict[str, Any]:
        """One page of a list; "" as namespace means all. ``follow`` is the token of the page before."""
        query = [("limit", str(PAGE))] + ([("continue", follow)] if follow else [])
        path = _path(kind, namespace)
        page = await self._call("GET", path, query, timeout_s=3 * self._timeout_s)
        return _having(page, "items", "metadata")

    async def patch(
        self, kind: Kind, ref: ObjectRef, ops: Iterable[PatchOp], subresource: str = ""
    ) -> dict[str, Any]:
        """Apply a JSON Patch, and return the object as it stands then."""
        return await self._call(
            "PATCH",
            _path(kind, ref.namespace, ref.name, subresource),
            [("fieldManager", FIELD_MANAGER)],
            body=[op.as_json() for op in ops],
            timeout_s=self._timeout_s,
        )

    async def create(self, kind: Kind, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object, and return it as it stands then."""
        query = [("fieldManager", FIELD_MANAGER)]
        path = _path(kind, namespace)
        return await self._call("POST", path, query, body=body, timeout_s=self._timeout_s)

    async def delete(self, kind: Kind, ref: ObjectRef, version: str) -> None:
        """Delete an object if it is still of this version."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"resourceVersion": version},
        }
        path = _path(kind, ref.namespace, ref.name)
        await self._call("DELETE", path, body=options, timeout_s=self._timeout_s)

    @contextlib.asynccontextmanager
    async def watch(
        self, kind: Kind, namespace: str, version: str, timeout_s: int
    ) -> AsyncIterator[AsyncGenerator[dict[str, Any], None]]:
        """The events after ``version``; entered when the server has answered. The iterator ends when
        the server closes the watch, or when nothing was heard for too long."""
        query = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", str(timeout_s)),
        ]
        limits = aiohttp.ClientTimeout(
            total=timeout_s + self._timeout_s, sock_connect=self._timeout_s, sock_read=_SILENCE_S
        )
        response = await self._send("GET", _path(kind, namespace), query, None, limits)
        try:
            yield _events(response)
        finally:
            # Nobody waits for the end of a watch, and a courteous end of TLS would outlive us.
            if response.connection is not None and response.connection.transport is not None:
                response.connection.transport.abort()
            response.close()

    async def _call(
        self,
        method: str,
        path: str,
        query: Iterable[tuple[str, str]] = (),
        *,
        body: object = None,
        timeout_s: float,
    ) -> dict[str, Any]:
        limits = aiohttp.ClientTimeout(total=timeout_s)
        response = await self._send(method, path, query, body, limits)
        with self._noting_cancellation(), _no_answer(timeout_s):
            document = json.loads(await response.read())
        return _having(document, "metadata")

    async def _send(
        self,
        method: str,
        path: str,
        query: Iterable[tuple[str, str]],
        body: object,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        with self._noting_cancellation(), _no_answer(limits.sock_connect or limits.total):
            request = await self._api.param_serialize(
                method,
                path,
                query_params=list(query),
                header_params=_CONTENT.get(method, {}),
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._api.call_api(*request, _request_timeout=limits)
            response: aiohttp.ClientResponse = answer.response
            if response.status >= 300:
                raise failure(response.status, await response.read(), response.headers)
        return response

    @contextlib.contextmanager
    def _noting_cancellation(self) -> Iterator[None]:
        try:
            yield
        except asyncio.CancelledError:
            self._broken_off = True
            raise


def _path(kind: Kind, namespace: str, name: str = "", subresource: str = "") -> str:
    root = ("apis", kind.group, kind.version) if kind.group else ("api", kind.version)
    space = ("namespaces", namespace) if kind.namespaced and namespace else ()
    tail = [part for part in (name, subresource) if part]
    return "/" + "/".join(quote(part, safe="") for part in (*root, *space, kind.plural, *tail))


async def _events(response: aiohttp.ClientResponse) -> AsyncGenerator[dict[str, Any], None]:
    """The events of a watch: one JSON object a line."""
    with _no_answer(None):
        try:
            async for line in response.content:
                if not line.endswith(b"\n"):
                    return  # cut off in the middle: the watch is resumed before this event
                yield _having(json.loads(line), "type", "object")
        except TimeoutError:
            return  # silence, or the server forgot its own deadline: opened again


def _having(document: Any, *fields: str) -> dict[str, Any]:
    """The answer, if it can be one of the API server's and not of something in between."""
    if not isinstance(document, dict) or not all(field in document for field in fields):
        raise ApiError(NO_ANSWER, "the answer is not one of a Kubernetes API server")
    return document


@contextlib.contextmanager
def _no_answer(timeout_s: float | None) -> Iterator[None]:
    """Whatever keeps an answer from coming, as one kind of failure."""
    try:
        yield
    except TimeoutError as error:
        message = f"no answer within {timeout_s:g} s" if timeout_s else "no answer in time"
        raise ApiError(NO_ANSWER, message) from error
    except (aiohttp.ClientError, OSError, ConfigException) as error:
        raise ApiError(NO_ANSWER, f"no answer: {error}") from error
    except ValueError as error:  # not JSON, or a line beyond every limit
        raise ApiError(NO_ANSWER, f"the answer cannot be read: {error}") from error
