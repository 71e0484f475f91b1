"""RouteStore and PolicyStore over the Kubernetes API."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Any, NoReturn, Self

import jsonpatch
from jsonpointer import JsonPointerException

from trimtab.core.model import Change, Diagnostic, Object, ObjectRef, Objects, PatchOp, Verb
from trimtab.edges.kubernetes.answers import NOT_FOUND, ApiError, raise_translated, translate
from trimtab.edges.kubernetes.client import FIELD_MANAGER, Client
from trimtab.edges.kubernetes.reflector import Reflector
from trimtab.errors import Conflict, Refused, Unavailable
from trimtab.ports import POLICY_KIND, Kind


class _Mirror:
    """The objects of some kinds, mirrored by one Reflector for each kind and namespace.

    Runs between ``start`` and ``close``, or as a context. The client belongs to the caller.
    """

    def __init__(
        self,
        client: Client,
        kinds: Iterable[Kind],
        namespaces: Sequence[str] | None = None,
        *,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._cached: Objects | None = None
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[NoReturn]] = []
        self._reflectors: dict[tuple[str, str, str], Reflector] = {}
        for kind in kinds:
            for space in namespaces if kind.namespaced and namespaces is not None else ("",):
                self._reflectors[kind.group, kind.kind, space] = Reflector(
                    client, kind, space, self._changed, chance=chance, sleep=sleep
                )

    async def start(self) -> None:
        """Begin to list and watch; returns at once."""
        self._tasks = [asyncio.create_task(r.run()) for r in self._reflectors.values()]
        for task in self._tasks:
            task.add_done_callback(lambda _: self._changed())  # it never ends but by a bug

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def synced(self) -> bool:
        """Whether every kind has been listed once."""
        return all(r.synced for r in self._reflectors.values())

    @property
    def problems(self) -> Sequence[Diagnostic]:
        """Why some kinds are missing, or not current."""
        return [r.problem for r in self._reflectors.values() if r.problem]

    async def wait_synced(self, timeout_s: float) -> None:
        """Until every kind has been listed once. Raises Unavailable after ``timeout_s``, and Refused
        as soon as nothing but missing permissions is in the way."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self.synced:
                    self._raise_bugs()
                    problems = [r.problem for r in self._reflectors.values() if not r.synced]
                    if all(p is not None and p.code == "Forbidden" for p in problems):
                        raise Refused("; ".join(str(p) for p in problems))
                    await self._news.wait()
        self._snapshot()

    async def read(self, fresh: ObjectRef | None = None) -> Objects:
        """See ``RouteStore.read``. An object that ``fresh`` finds deleted is not in the answer."""
        if fresh is None:
            return self._snapshot()
        self._snapshot()  # no answer before the first list
        reflector = self._reflector(fresh)
        try:
            reflector.merge(await self._client.get(reflector.kind, fresh.namespace, fresh.name))
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise_translated(error, "get", _resource(reflector.kind), fresh)
            return MappingProxyType({r: o for r, o in self._snapshot().items() if r != fresh})
        return self._snapshot()

    async def watch(self) -> AsyncIterator[Objects]:
        """See ``RouteStore.watch``. Waits for the first full list."""
        while True:
            news = self._news  # taken before the look, so that nothing in between is missed
            self._raise_bugs()
            if self.synced:
                yield self._snapshot()
            await news.wait()

    def _snapshot(self) -> Objects:
        self._raise_bugs()
        if not self.synced:
            missing = [r for r in self._reflectors.values() if not r.synced]
            why = "; ".join(sorted({r.problem.message for r in missing if r.problem}))
            kinds = ", ".join(sorted({r.kind.kind for r in missing}))
            raise Unavailable(f"not yet listed: {kinds}" + (f" ({why})" if why else ""))
        if self._cached is None:
            every = (r.objects for r in self._reflectors.values())
            self._cached = MappingProxyType({k: v for part in every for k, v in part.items()})
        return self._cached

    def _raise_bugs(self) -> None:
        """A mirror that has died would go unnoticed: its error is everybody's."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    def _changed(self) -> None:
        self._cached = None
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _reflector(self, ref: ObjectRef) -> Reflector:
        for space in (ref.namespace, ""):
            found = self._reflectors.get((ref.group, ref.kind, space))
            if found is not None:
                return found
        raise Refused(f"{ref}: this store holds no {ref.kind} of {ref.group} in that namespace")


class KubernetesStore(_Mirror):
    """RouteStore over the Kubernetes API.

    ``namespaces`` limits what is mirrored, for a Role instead of a ClusterRole; None means all.
    ``chance`` gives numbers in [0, 1) that spread the pauses between attempts.
    """

    async def apply(self, change: Change) -> Object:
        """See ``RouteStore.apply``: one JSON Patch, checked by the API server in one transaction.

        Where no answer came the patch may have been applied; the next read tells."""
        reflector = self._reflector(change.ref)
        resource = _resource(reflector.kind)
        if change.verb is Verb.DELETE:
            return await self._delete(reflector, change)
        try:
            if change.body is not None:
                body = await self._client.create(reflector.kind, change.ref.namespace, change.body)
            elif not change.ops:
                ref = change.ref
                body = await self._client.get(reflector.kind, ref.namespace, ref.name)
            else:
                body = await self._client.patch(reflector.kind, change.ref, change.ops)
        except ApiError as error:
            patched = change.verb is Verb.PATCH
            if patched and (error.status == 409 or (error.status == 422 and not error.invalid)):
                raise await self._explain(reflector, change, error) from error
            raise_translated(error, change.verb, resource, change.ref)
        return reflector.merge(body)

    async def _delete(self, reflector: Reflector, change: Change) -> Object:
        ref = change.ref
        found = reflector.objects.get(ref)
        if found is None:
            raise Conflict(f"{ref}: there is none any more")
        (version,) = (op.value for op in change.ops if op.path == "/metadata/resourceVersion")
        try:
            await self._client.delete(reflector.kind, ref, version)
        except ApiError as error:
            if error.status == NOT_FOUND:
                reflector.forget(found)
                raise Conflict(f"{ref}: there is none any more") from error
            raise_translated(error, "delete", _resource(reflector.kind), ref)
        reflector.forget(found)
        return found

    async def _explain(
        self, reflector: Reflector, change: Change, error: ApiError
    ) -> Conflict | Refused:
        """Why a patch was not taken. The API server does not say which ``test`` failed, nor even
        that one did: what stands there now, which also goes into the mirror, tells."""
        ref = change.ref
        try:
            body = await self._client.get(reflector.kind, ref.namespace, ref.name)
        except ApiError as again:
            if again.status == NOT_FOUND:
                gone = translate(again, "patch", _resource(reflector.kind), ref)
                return gone if isinstance(gone, Refused) else Conflict(str(gone))
            return Conflict(f"patch {ref}: {error.message}")
        reflector.merge(body)
        writer = _last_writer(body)
        by = f" by {writer}" if writer else ""
        for op in change.ops:
            try:
                jsonpatch.apply_patch(body, [op.as_json()])
            except jsonpatch.JsonPatchTestFailed:
                return Conflict(
                    f"{ref}: changed{by}: {op.path} is not {op.value!r} any more", writer
                )
            except (jsonpatch.JsonPatchException, JsonPointerException) as wrong:
                if op.op == "test":
                    return Conflict(f"{ref}: changed{by}: {op.path} is not there any more", writer)
                return Refused(f"{ref}: the patch does not fit the object: {op.path}: {wrong}")
        return Conflict(f"{ref}: changed{by} while it was patched", writer)


class KubernetesPolicyStore(_Mirror):
    """PolicyStore over the Kubernetes API: WeightPolicy objects and their status subresource."""

    def __init__(
        self,
        client: Client,
        namespaces: Sequence[str] | None = None,
        *,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(client, [POLICY_KIND], namespaces, chance=chance, sleep=sleep)

    async def save(self, ref: ObjectRef, status: Mapping[str, Any]) -> None:
        """See ``PolicyStore.save``. The whole status is replaced, and only that of the policy which
        was read: one deleted and made anew under the same name does not inherit it."""
        reflector = self._reflector(ref)
        known = reflector.objects.get(ref)
        if known is None:
            raise Conflict(f"{ref}: there is no such policy any more")
        ops = [
            PatchOp("test", "/metadata/uid", known.body["metadata"]["uid"]),
            PatchOp("add", "/status", dict(status)),  # replaces one that is there
        ]
        try:
            body = await self._client.patch(reflector.kind, ref, ops, "status")
        except ApiError as error:
            if error.status == NOT_FOUND:
                raise Conflict(f"{ref}: {error.message}") from error
            if error.status == 422 and not error.invalid:
                raise Conflict(f"{ref}: deleted and made anew since it was read") from error
            raise_translated(error, "patch", f"{_resource(reflector.kind)}/status", ref)
        reflector.merge(body)


def _resource(kind: Kind) -> str:
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def _last_writer(body: Mapping[str, Any]) -> str | None:
    """Who wrote last, as far as the API server remembers it. Its times are whole seconds, so that
    of equally late writers another one than ourselves is named."""
    fields = body["metadata"].get("managedFields", ())
    last = max(
        fields,
        key=lambda f: (f.get("time", ""), f.get("manager") != FIELD_MANAGER),
        default=None,
    )
    return last.get("manager") if last else None
