"""A mirror of the objects of one kind: listed once, then kept current by watching."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

from trimtab.core.model import Diagnostic, Object, ObjectRef, Severity
from trimtab.edges.kubernetes.answers import GONE, NO_ANSWER, NOT_FOUND, ApiError, from_status
from trimtab.edges.kubernetes.client import Client
from trimtab.ports import Kind

_log = logging.getLogger(__name__)

# A watch is asked to end after a while, at different times for different mirrors, so that
# restarted API servers are found again and get their load back evenly.
_SHORTEST_WATCH_S, _LONGEST_WATCH_S = 240, 300
_HEALTHY_S = 5.0  # a watch that lived as long was a good one, whether or not it had events
_LONGEST_RETRY_AFTER_S = 300.0  # beyond that the server's wish is taken for a mistake


class Backoff:
    """Pauses between attempts: doubling from half a second to half a minute, spread by chance so
    that many clients do not come back at once."""

    _first_s, _last_s = 0.5, 30.0

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._attempts = 0

    def reset(self) -> None:
        self._attempts = 0

    def pause(self, at_least_s: float = 0.0) -> float:
        """Seconds until the next attempt; ``at_least_s`` is what the server asked for."""
        longest = min(self._last_s, self._first_s * 2.0 ** min(self._attempts, 10))
        self._attempts += 1
        spread = longest * (0.5 + self._chance() / 2)
        return max(spread, min(at_least_s, _LONGEST_RETRY_AFTER_S))


class Reflector:
    """Keeps ``objects`` of one kind as the API server has them; only the newest state is kept.

    ``changed`` is called after every change. ``problem`` says why the mirror is not current, None
    when it is. Resource versions of one kind compare as integers (Kubernetes API concepts).
    """

    def __init__(
        self,
        client: Client,
        kind: Kind,
        namespace: str,
        changed: Callable[[], None],
        *,
        chance: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.kind = kind
        self.namespace = namespace
        self.objects: dict[ObjectRef, Object] = {}
        self.synced = False
        self.problem: Diagnostic | None = None
        self.lists = 0  # how many lists were made, and watches opened
        self.watches = 0
        self._client = client
        self._changed = changed
        self._chance = chance
        self._sleep = sleep
        self._backoff = Backoff(chance)
        self._version = ""  # where the next watch begins; "" when a list must come first
        self._seen = "0"  # the version up to which everything has been told to us
        self._merged: set[ObjectRef] = set()  # since the list under way began

    async def run(self) -> NoReturn:
        """Mirror for ever. Failures are reported in ``problem`` and tried again."""
        while True:
            try:
                if not self._version:
                    await self._list()
                if not await self._follow():
                    await self._sleep(self._backoff.pause())
            except ApiError as error:
                self._note(error)
                await self._sleep(self._backoff.pause(error.retry_after_s or 0.0))

    def merge(self, body: Mapping[str, Any]) -> Object:
        """Take in an object that was read or written past the watch, unless the mirror is ahead."""
        found = self._object(body)
        old = self.objects.get(found.ref)
        # An object that is not here though the watch has come further than its version has
        # been deleted in the meantime.
        known = old.version if old else self._seen
        if int(found.version) > int(known):
            self.objects[found.ref] = found
            self._merged.add(found.ref)
            self._changed()
        return found

    def forget(self, gone: Object) -> None:
        """Take in a deletion that was made past the watch."""
        self._remove(gone)

    async def _list(self) -> None:
        self.lists += 1
        self._merged.clear()
        found, version = await self._pages()
        for ref in self._merged:
            if ref not in self.objects:  # deleted since: the watch will tell
                continue
            late, listed = self.objects[ref], found.get(ref)
            if int(late.version) > int(listed.version if listed else version):
                found[ref] = late
        self.objects = found
        self._version = self._seen = version
        self.synced = True
        self.problem = None
        self._changed()

    async def _pages(self) -> tuple[dict[ObjectRef, Object], str]:
        """Every object, and the version of the list as a whole. No version is asked for: the answer
        is then what stands in etcd, never an older copy."""
        found: dict[ObjectRef, Object] = {}
        follow = ""
        while True:
            page = await self._client.page(self.kind, self.namespace, follow)
            for item in page["items"]:
                listed = self._object(item)
                old = self.objects.get(listed.ref)
                # The same version is the same object: readers may then skip it by identity.
                found[listed.ref] = old if old and old.version == listed.version else listed
            follow = page["metadata"].get("continue", "")
            if not follow:
                return found, page["metadata"]["resourceVersion"]

    async def _follow(self) -> bool:
        """Take in one watch until it ends; whether it was of any use."""
        loop = asyncio.get_running_loop()
        span = _LONGEST_WATCH_S - _SHORTEST_WATCH_S
        timeout_s = round(_SHORTEST_WATCH_S + span * self._chance())
        self.watches += 1
        heard = False
        async with (
            self._client.watch(self.kind, self.namespace, self._version, timeout_s) as events,
            contextlib.aclosing(events),
        ):
            self.problem = None
            began = loop.time()
            async for event in events:
                self._absorb(event)
                heard = True
                self._backoff.reset()
        if loop.time() - began >= _HEALTHY_S:
            self._backoff.reset()
            return True
        return heard

    def _absorb(self, event: Mapping[str, Any]) -> None:
        body = event["object"]
        match event["type"]:
            case "ERROR":
                raise from_status(body)
            case "BOOKMARK":
                pass
            case "ADDED" | "MODIFIED":
                self._put(self._object(body))
            case "DELETED":
                self._remove(self._object(body))
            case unknown:
                self._version = ""  # whatever it means, a new list knows
                raise ApiError(NO_ANSWER, f"unknown event {unknown!r} in a watch")
        self._version = self._seen = body["metadata"]["resourceVersion"]

    def _put(self, new: Object) -> None:
        old = self.objects.get(new.ref)
        if old is None or int(new.version) > int(old.version):
            self.objects[new.ref] = new
            self._changed()

    def _remove(self, gone: Object) -> None:
        old = self.objects.get(gone.ref)
        if old is not None and int(gone.version) >= int(old.version):
            del self.objects[gone.ref]
            self._changed()

    def _note(self, error: ApiError) -> None:
        """Report a failure, once. What the mirror holds stays, but where the kind itself is gone."""
        if error.status in (GONE, NOT_FOUND) and self._version:
            self._version = ""  # the past that the watch asked for is gone: list anew
            return
        problem = _problem(self.kind, error)
        if problem != self.problem:
            self.problem = problem
            _log.warning("%s", problem)
            if not self.synced:
                self._changed()  # whoever waits for the first list may want to know why
        if error.status == NOT_FOUND and (self.objects or not self.synced):
            # No kind, no objects. The CRD may come later, so this is looked at again.
            self.objects = {}
            self.synced = True
            self._changed()

    def _object(self, body: Mapping[str, Any]) -> Object:
        # Items of a list of a built-in kind do not say what they are. The field managers are half
        # of an object's size and nobody's business but the API server's.
        meta = {k: v for k, v in body["metadata"].items() if k != "managedFields"}
        version = f"{self.kind.group}/{self.kind.version}" if self.kind.group else self.kind.version
        full = {"apiVersion": version, "kind": self.kind.kind, **body, "metadata": meta}
        ref = ObjectRef(self.kind.group, self.kind.kind, meta.get("namespace", ""), meta["name"])
        return Object(ref, meta["resourceVersion"], full)


def _problem(kind: Kind, error: ApiError) -> Diagnostic:
    """Why a mirror is not current, with what a person can do about it."""
    where = f"{kind.plural}.{kind.group}/{kind.version}" if kind.group else kind.plural
    match error.status:
        case 404:
            return Diagnostic(
                "KindNotServed",
                Severity.WARNING,
                f"the API server does not serve {where}",
                "install its CRD, or do not use this kind",
            )
        case 403:
            return Diagnostic(
                "Forbidden",
                Severity.ERROR,
                f"list and watch {where}: {error.message}",
                f"allow get, list and watch on {kind.plural} in the Role",
            )
    return Diagnostic(
        "ApiUnavailable", Severity.WARNING, f"list and watch {where}: {error.message}"
    )
