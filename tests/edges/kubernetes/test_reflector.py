"""The mirror never goes back and always arrives, whatever the order in which news come in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trimtab.core.model import ObjectRef
from trimtab.edges.kubernetes.answers import ApiError, from_status
from trimtab.edges.kubernetes.reflector import Backoff, Reflector
from trimtab.ports import Kind

ROUTER = Kind("appmesh.k8s.aws", "v1beta2", "virtualrouters", "VirtualRouter", namespaced=True)
NAMES = ("a", "b", "c")


def body(name: str, version: int) -> dict[str, Any]:
    fields = [{"manager": "kubectl"}]
    meta = {"name": name, "namespace": "shop", "resourceVersion": str(version)}
    return {"metadata": {**meta, "managedFields": fields}, "spec": {"written": version}}


class Api:
    """A model of the API server: one history, and a gate at which every answer waits."""

    def __init__(self) -> None:
        self.revision = 1
        self.standing: dict[str, int] = {}
        self.log: list[tuple[int, str, str]] = []  # revision, type, name
        self.oldest = 0  # watches from before are Gone
        self.cut = False
        self.gate = asyncio.Semaphore(0)

    def write(self, name: str) -> dict[str, Any]:
        self.revision += 1
        kind = "MODIFIED" if name in self.standing else "ADDED"
        self.standing[name] = self.revision
        self.log.append((self.revision, kind, name))
        return body(name, self.revision)

    def delete(self, name: str) -> None:
        if self.standing.pop(name, None):
            self.revision += 1
            self.log.append((self.revision, "DELETED", name))

    async def page(self, kind: Kind, namespace: str, follow: str) -> dict[str, Any]:
        """One object a page; the token carries the snapshot on which the list goes on."""
        await self.gate.acquire()
        version, _, rest = follow.partition("|")
        names = [n.split("=") for n in rest.split()]
        if not follow:
            version, names = str(self.revision), [[n, str(v)] for n, v in self.standing.items()]
        items = [body(name, int(at)) for name, at in names[:1]]
        after = " ".join("=".join(n) for n in names[1:])
        token = f"{version}|{after}" if after else ""
        return {"items": items, "metadata": {"resourceVersion": version, "continue": token}}

    @asynccontextmanager
    async def watch(
        self, kind: Kind, namespace: str, version: str, timeout_s: int
    ) -> AsyncIterator[AsyncGenerator[dict[str, Any], None]]:
        assert 240 <= timeout_s <= 300
        self.cut = False
        yield self._events(int(version))

    async def _events(self, at: int) -> AsyncGenerator[dict[str, Any], None]:
        while True:
            await self.gate.acquire()
            if self.cut:
                return
            if at < self.oldest:
                gone = {"kind": "Status", "code": 410, "message": "too old resource version"}
                yield {"type": "ERROR", "object": gone}
            event = next((e for e in self.log if e[0] > at), None)
            if event is None:
                mark = {"metadata": {"resourceVersion": str(self.revision)}}
                yield {"type": "BOOKMARK", "object": mark}
                at = self.revision
            else:
                at = event[0]
                yield {"type": event[1], "object": body(event[2], event[0])}


class Mirror:
    """A reflector over the model, driven one answer at a time, and checked after every step."""

    def __init__(self) -> None:
        self.api = Api()
        self.late: list[dict[str, Any]] = []  # our own writes whose answers are still under way
        self.shown: dict[str, int] = {}
        self.horizon: dict[str, int] = {}
        self.reflector = Reflector(
            self.api,  # type: ignore[arg-type]
            ROUTER,
            "shop",
            lambda: None,
            chance=lambda: 0.5,
            sleep=lambda _: asyncio.sleep(0),
        )

    async def step(self, step: tuple[str, Any]) -> None:
        match step:
            case ("write", name):
                self.api.write(name)
            case ("delete", name):
                self.api.delete(name)
            case ("patch", name):
                if name in self.api.standing:
                    self.late.append(self.api.write(name))
            case ("answer", index):
                if self.late:
                    self.reflector.merge(self.late.pop(index % len(self.late)))
            case ("deliver", count):
                await self.deliver(count)
            case ("cut", _):
                self.api.cut = True
                await self.deliver(1)
            case ("compact", _):
                self.api.oldest = self.api.revision
        self.check()

    async def deliver(self, count: int) -> None:
        for _ in range(count):
            self.api.gate.release()
            for _ in range(10):
                await asyncio.sleep(0)
            self.check()

    def check(self) -> None:
        """No name shows less than was known of it already."""
        now = {ref.name: int(o.version) for ref, o in self.reflector.objects.items()}
        for name, version in self.shown.items():
            if name not in now:
                ends = (r for r, kind, n in self.api.log if n == name and kind == "DELETED")
                self.horizon[name] = min(r for r in ends if r > version)
        for name, version in now.items():
            assert version >= self.horizon.get(name, 0), f"{name} went back"
            self.horizon[name] = version
        self.shown = now


steps = st.one_of(
    st.tuples(st.sampled_from(["patch", "patch", "write", "delete"]), st.sampled_from(NAMES)),
    st.tuples(st.just("answer"), st.integers(0, 3)),
    st.tuples(st.just("deliver"), st.integers(1, 3)),
    st.tuples(st.sampled_from(["cut", "compact"]), st.none()),
)


# The answer to our patch comes after the watch has told that the object is gone.
LATE_ANSWER = [("patch", "a"), ("deliver", 1), ("delete", "a"), ("deliver", 1), ("answer", 0)]
# The watch still has to tell of the deletion when our patch of the new object is answered.
LATE_DELETION = [("delete", "a"), ("write", "a"), ("patch", "a"), ("answer", 0), ("deliver", 1)]
# An answer from before the list comes while the list is under way.
OLD_ANSWER_IN_LIST = [
    ("deliver", 1),
    ("patch", "a"),
    ("delete", "a"),
    ("compact", None),
    ("deliver", 1),
    ("answer", 0),
    ("deliver", 4),
]
# Two answers overtake each other while a list is under way.
OVERTAKEN_IN_LIST = [
    ("compact", None),
    ("deliver", 2),
    ("patch", "a"),
    ("patch", "a"),
    ("answer", 1),
    ("answer", 0),
    ("deliver", 4),
]


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, min_size=10, max_size=40))
@example(LATE_ANSWER)
@example(LATE_DELETION)
@example(OLD_ANSWER_IN_LIST)
@example(OVERTAKEN_IN_LIST)
async def test_the_mirror_never_goes_back_and_arrives(script: list[tuple[str, Any]]) -> None:
    """Writes, deletions, late answers to our own patches, watches cut off, history compacted, in
    any order: no object ever shows an older state, and in the end all is as it stands."""
    mirror = Mirror()
    running = asyncio.create_task(mirror.reflector.run())
    try:
        for name in NAMES:
            mirror.api.write(name)
        await mirror.deliver(len(NAMES))  # the list, a page a name; then the watch begins
        for step in script:
            await mirror.step(step)
        for late in mirror.late:
            mirror.reflector.merge(late)
            mirror.check()
        await mirror.deliver(100)
        assert mirror.shown == mirror.api.standing
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_an_own_write_during_a_list_is_kept() -> None:
    """The list was taken before the write, so that it does not know the write or the object."""
    mirror = Mirror()
    running = asyncio.create_task(mirror.reflector.run())
    for name in NAMES[:2]:
        mirror.api.write(name)
    await mirror.deliver(1)  # the first page of two
    mirror.reflector.merge(mirror.api.write("a"))
    mirror.reflector.merge(mirror.api.write("c"))
    await mirror.deliver(1)
    assert mirror.shown == {"a": 4, "b": 3, "c": 5}
    running.cancel()


async def test_what_nobody_needs_is_not_kept() -> None:
    """Field managers are left out, and what a list does not say of its items is filled in."""
    mirror = Mirror()
    found = mirror.reflector.merge(body("a", 7))
    assert "managedFields" not in found.body["metadata"]
    assert (found.body["apiVersion"], found.body["kind"]) == (
        "appmesh.k8s.aws/v1beta2",
        "VirtualRouter",
    )
    assert found.ref == ObjectRef("appmesh.k8s.aws", "VirtualRouter", "shop", "a")


class Failing(Api):
    """An API server that answers every list with the failures given, then as usual."""

    def __init__(self, failures: list[ApiError]) -> None:
        super().__init__()
        self.failures = failures

    async def page(self, kind: Kind, namespace: str, follow: str) -> dict[str, Any]:
        self.gate.release()
        if self.failures:
            raise self.failures.pop(0)
        return await super().page(kind, namespace, follow)


async def pauses_of(failures: list[ApiError], chance: float = 1.0) -> tuple[list[float], list[Any]]:
    """The pauses that a reflector makes after these failures, and the problems that it shows."""
    api = Failing(failures)
    pauses: list[float] = []
    problems: list[Any] = []
    done = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        problems.append(reflector.problem)
        await asyncio.sleep(0)

    def changed() -> None:
        if reflector.problem is None:
            done.set()

    reflector = Reflector(
        api,  # type: ignore[arg-type]
        ROUTER,
        "",
        changed,
        chance=lambda: chance,
        sleep=sleep,
    )
    running = asyncio.create_task(reflector.run())
    async with asyncio.timeout(10):
        await done.wait()
    running.cancel()
    assert reflector.problem is None
    assert reflector.synced
    return pauses, problems


async def test_pauses_grow_and_are_bounded() -> None:
    """Doubling from half a second to half a minute, at most, and by chance half of that."""
    down = [ApiError(503, "down") for _ in range(9)]
    pauses, problems = await pauses_of(list(down))
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert (await pauses_of(list(down), 0.0))[0] == [p / 2 for p in pauses]
    assert {p.code for p in problems} == {"ApiUnavailable"}


async def test_the_server_says_how_long_to_wait() -> None:
    """Retry-After is a least, also in seconds that are more than ours; nonsense is bounded."""
    asked = [ApiError(429, "slow down", retry_after_s=s) for s in (7.0, 0.1, 1e9)]
    assert (await pauses_of(asked))[0] == [7, 1, 300]


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (404, "KindNotServed", "virtualrouters.appmesh.k8s.aws/v1beta2"),
        (403, "Forbidden", "list and watch"),
        (500, "ApiUnavailable", "wrong"),
        (0, "ApiUnavailable", "wrong"),
    ],
)
async def test_why_the_mirror_is_not_current(status: int, code: str, words: str) -> None:
    """Each failure is reported by a stable code, tried again, and gone when it is over."""
    _, problems = await pauses_of([ApiError(status, "wrong")])
    assert [p.code for p in problems] == [code]
    assert words in str(problems[0])


async def first_pauses(api: Api, count: int) -> tuple[list[float], Reflector]:
    """The first pauses of a reflector over a model that answers without a gate."""
    pauses: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == count:
            enough.set()
        await asyncio.sleep(0)

    api.gate.release()
    reflector = Reflector(
        api,  # type: ignore[arg-type]
        ROUTER,
        "",
        lambda: None,
        chance=lambda: 1.0,
        sleep=sleep,
    )
    running = asyncio.create_task(reflector.run())
    async with asyncio.timeout(10):
        await enough.wait()
    running.cancel()
    return pauses[:count], reflector


async def test_after_news_the_pauses_begin_anew() -> None:
    """A watch that told something was a good one, however it ended; it is resumed, not listed."""

    class Breaking(Api):
        async def _events(self, at: int) -> AsyncGenerator[dict[str, Any], None]:
            self.write("a")
            yield {"type": "MODIFIED", "object": body("a", self.revision)}
            raise ApiError(500, "broken")

    pauses, reflector = await first_pauses(Breaking(), 4)
    assert pauses == [0.5, 0.5, 0.5, 0.5]
    assert reflector.lists == 1


async def test_a_watch_that_ends_at_once_is_not_opened_in_a_frenzy() -> None:
    """A server that closes every watch without a word gets growing pauses."""

    class Mute(Api):
        async def _events(self, at: int) -> AsyncGenerator[dict[str, Any], None]:
            return
            yield

    assert (await first_pauses(Mute(), 4))[0] == [0.5, 1, 2, 4]


async def test_an_unknown_event_leads_to_a_list() -> None:
    """What a newer API server may say is not ignored: the list knows what it means."""

    class Newer(Api):
        async def _events(self, at: int) -> AsyncGenerator[dict[str, Any], None]:
            self.gate.release()
            yield {"type": "RENAMED", "object": body("a", self.revision)}

    _, reflector = await first_pauses(Newer(), 3)
    assert reflector.lists == 3


def test_a_status_says_when_to_come_back() -> None:
    """The API server also writes it into the body, and so do the events of a watch."""
    document = {"code": 429, "message": "later", "details": {"retryAfterSeconds": 3}}
    assert from_status(document).retry_after_s == 3


def test_success_begins_the_pauses_anew() -> None:
    """After a good watch the next failure is the first one."""
    backoff = Backoff(lambda: 1.0)
    assert [backoff.pause() for _ in range(3)] == [0.5, 1, 2]
    backoff.reset()
    assert backoff.pause() == 0.5
