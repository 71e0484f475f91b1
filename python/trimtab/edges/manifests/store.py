"""RouteStore over files: objects read from manifests, weights set in them in place."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jsonpointer import JsonPointer, JsonPointerException

from trimtab.core.model import (
    Change,
    Diagnostic,
    Object,
    ObjectRef,
    Objects,
    Origin,
    PatchOp,
    Verb,
)
from trimtab.edges.manifests import own
from trimtab.edges.manifests.commits import Commits
from trimtab.edges.manifests.documents import HIDING, DocumentReader, Found, spans, version_of
from trimtab.edges.manifests.edit import set_value
from trimtab.edges.manifests.files import explain, locked, replace, stamp
from trimtab.edges.manifests.folder import Folder, decode
from trimtab.edges.manifests.text import parse_json, parse_yaml
from trimtab.errors import Conflict, Refused, TrimtabError
from trimtab.ports import Clock, Kind


class ManifestStore:
    """RouteStore over manifests: YAML files with any number of documents, lists, and JSON files.

    ``paths`` are files, or folders with all that is in them; links are followed. An object without
    a namespace is in ``default_namespace``. The files are looked at whenever they are asked for,
    and every ``interval_s`` while somebody watches. ``problems`` holds what could not be read.
    """

    def __init__(
        self,
        paths: Iterable[str | Path],
        kinds: Iterable[Kind],
        clock: Clock,
        *,
        interval_s: float = 1.0,
        default_namespace: str = "default",
    ) -> None:
        self._folder = Folder(
            [str(path) for path in paths], DocumentReader(kinds, default_namespace), clock.now
        )
        self._clock = clock
        self._interval_s = interval_s
        self._objects: Objects = MappingProxyType({})
        self._news = asyncio.Event()
        self._scanning = asyncio.Lock()
        self._commits: Commits[Change, Object] = Commits(self._commit)

    @property
    def problems(self) -> Sequence[Diagnostic]:
        """What is wrong with the files, as of the last look at them."""
        return self._folder.problems

    def where(self, ref: ObjectRef, field: str = "") -> Origin | None:
        """Where an object, or a field of it, stands; None for an object that is not here."""
        return self._folder.where(ref, field)

    async def read(self, fresh: ObjectRef | None = None) -> Objects:  # noqa: ARG002 - always fresh
        """See ``RouteStore.read``. Raises InvalidDocument when a path is not there at all."""
        async with self._scanning:
            await asyncio.to_thread(self._folder.scan)
            self._publish()
            return self._objects

    async def watch(self) -> AsyncIterator[Objects]:
        """See ``RouteStore.watch``. An own ``apply`` shows at once, other writers within
        ``interval_s``."""
        shown: Objects | None = None
        while True:
            news = self._news  # taken before the look, so that nothing in between is missed
            objects = await self.read()
            if objects is not shown:
                shown = objects
                yield objects
                continue  # whoever took long with it gets the newest at once
            await self._news_or_interval(news)

    async def apply(self, change: Change) -> Object:
        """See ``RouteStore.apply``. Changes that come in together for one file are one write."""
        return await self._commits.submit(change)

    async def _news_or_interval(self, news: asyncio.Event) -> None:
        waits = [
            asyncio.ensure_future(news.wait()),
            asyncio.ensure_future(self._clock.sleep(self._interval_s)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _publish(self) -> None:
        if self._objects != self._folder.objects:
            self._objects = MappingProxyType(self._folder.objects)
            news, self._news = self._news, asyncio.Event()
            news.set()

    async def _commit(self, changes: Sequence[Change]) -> list[Object | Exception]:
        async with self._scanning:
            try:
                return await asyncio.to_thread(self._write, changes)
            finally:
                self._publish()

    def _write(self, changes: Sequence[Change]) -> list[Object | Exception]:
        if any(change.ref not in self._folder.objects for change in changes):
            self._folder.scan()  # a file whose objects are known is read again in any case
        results: dict[int, Object | Exception] = {}
        jobs: dict[str, list[int]] = {}
        for index, change in enumerate(changes):
            if change.verb is not Verb.PATCH:
                results[index] = self._own(change)
                continue
            place = self._folder.objects.get(change.ref)
            twins = self._folder.twins.get(change.ref)
            if place is None or place.file is None:
                results[index] = Refused(
                    f"{change.ref}: not in the manifests. Remedy: put it there, or correct the name"
                )
            elif twins:
                results[index] = Refused(
                    f"{change.ref}: given more than once: {' and '.join(map(str, twins))}. "
                    "Remedy: keep one of them"
                )
            else:
                jobs.setdefault(place.file, []).append(index)
        for path, indices in jobs.items():
            file = _Rewrite(self._folder, path)
            answers = file.run([changes[i] for i in indices])
            results.update(zip(indices, answers, strict=True))
        return [results[index] for index in range(len(changes))]

    def _own(self, change: Change) -> Object | Exception:
        """Create or delete a file of our own."""
        try:
            self._folder.scan()
            act = own.create if change.verb is Verb.CREATE else own.delete
            return act(self._folder, change)
        except TrimtabError as error:
            return error


class _Rewrite:
    """One rewriting of one file: all its changes, or those of them that fit."""

    def __init__(self, folder: Folder, path: str) -> None:
        self._folder = folder
        self._path = path
        self._is_json = path.endswith(".json")

    def run(self, changes: Sequence[Change]) -> list[Object | Exception]:
        real = Path(os.path.realpath(self._path))
        try:
            with locked(real.parent):
                return self._rewrite(real, changes)
        except TrimtabError as error:
            return [error] * len(changes)
        except OSError as error:
            return [explain(self._path, error, "written")] * len(changes)

    def _rewrite(self, real: Path, changes: Sequence[Change]) -> list[Object | Exception]:
        seen = stamp(str(real))
        before = real.read_bytes()
        try:
            content = decode(before)
        except UnicodeDecodeError as error:
            raise Refused(f"{self._path}: not UTF-8 text: byte {error.start}") from error
        parts = [content.text[a:b] for a, b in spans(content.text, is_json=self._is_json)]
        errors: list[TrimtabError | None] = []
        for change in changes:
            try:
                self._apply(parts, change)
                errors.append(None)
            except TrimtabError as error:
                errors.append(error)
        after = content.encode("".join(parts))
        if after != before:
            replace(real, after, seen)
        self._folder.remember(self._path, after)
        return [
            error or self._folder.objects[change.ref]
            for change, error in zip(changes, errors, strict=True)
        ]

    def _apply(self, parts: list[str], change: Change) -> None:
        """Apply one change to the documents' texts: wholly, or not at all."""
        index, found = self._find(parts, change.ref)
        where = f"{change.ref} in {self._path}"
        _check(where, found.body, change.ops)
        wanted = [op for op in change.ops if op.op != "test"]
        text = parts[index]
        for op in wanted:
            path = JsonPointer(op.path).parts
            try:
                old = JsonPointer(op.path).resolve(found.body)
                text = set_value(text, [*found.path, *path], old, op.value, is_json=self._is_json)
            except Refused as error:
                raise Refused(f"{where}: {op.path} {error}") from error
        self._prove(where, parts[index], text, found.path, wanted)
        parts[index] = text

    def _find(self, parts: Sequence[str], ref: ObjectRef) -> tuple[int, Found]:
        broken: list[str] = []
        for index, part in enumerate(parts):
            document = self._folder.document(self._path, part)
            for found in document.objects:
                if found.ref == ref:
                    return index, found
            broken += [p.message for p in document.problems if p.code in HIDING]
        if broken:
            raise Refused(f"{ref}: {self._path} is broken: {broken[0]}. Remedy: correct it")
        raise Conflict(f"{ref}: not in {self._path} any more")

    def _prove(
        self, where: str, old: str, new: str, at: Sequence[str], ops: Sequence[PatchOp]
    ) -> None:
        """The law of this store: the new text says what the old one said, but for the values set."""
        parse = parse_json if self._is_json else parse_yaml
        prefix = JsonPointer.from_parts(at).path
        wanted = json.loads(json.dumps(parse(old).data))  # a copy in which aliases share nothing
        for op in ops:
            JsonPointer(prefix + op.path).set(wanted, op.value)
        if version_of(parse(new).data) != version_of(wanted):
            raise Refused(
                f"{where}: setting its values in place would change others too. "
                "Remedy: write the document out without anchors and aliases"
            )


def _check(where: str, body: Mapping[str, Any], ops: Sequence[PatchOp]) -> None:
    """Evaluate a patch. Raises Conflict where a test fails, Refused where it cannot apply."""
    for op in ops:
        if op.op not in ("test", "replace"):
            raise Refused(f"{where}: {op.path}: files take no operation {op.op!r}")
        try:
            value = JsonPointer(op.path).resolve(body)
        except JsonPointerException as error:
            if op.op == "test":
                raise Conflict(f"{where}: changed: {op.path} is not there any more") from error
            raise Refused(f"{where}: the patch does not fit: {op.path}: {error}") from error
        if op.op == "test" and value != op.value:
            raise Conflict(f"{where}: changed: {op.path} is {value!r} and not {op.value!r}")
