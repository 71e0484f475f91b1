"""PolicyStore over files: WeightPolicy documents that people write, and a state file of our own."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trimtab.core.model import Diagnostic, Object, ObjectRef, Objects
from trimtab.edges.manifests.commits import Commits
from trimtab.edges.manifests.files import Stamp, explain, locked, replace, stamp
from trimtab.edges.manifests.store import ManifestStore
from trimtab.errors import Conflict, Refused, TrimtabError
from trimtab.ports import POLICY_KIND, Clock

FORMAT = "trimtab.dev/state/v1"

_Saved = tuple[ObjectRef, Mapping[str, Any]]


class ManifestPolicyStore:
    """PolicyStore over manifests; the status of the policies is kept in ``state_file``.

    A ``status`` in a manifest is an export of some other place and is passed over. The state of a
    policy that is not there (any more, or at the moment) is kept: an aborted canary stays aborted
    when its file comes back.
    """

    def __init__(
        self,
        paths: Iterable[str | Path],
        state_file: Path,
        clock: Clock,
        *,
        default_namespace: str = "default",
    ) -> None:
        self._manifests = ManifestStore(
            paths, [POLICY_KIND], clock, default_namespace=default_namespace
        )
        self._state = _State(state_file)
        self._commits: Commits[_Saved, None] = Commits(self._commit)
        self._merged: dict[ObjectRef, tuple[Object, object, Object]] = {}

    @property
    def problems(self) -> Sequence[Diagnostic]:
        """What is wrong with the manifests, as of the last look at them."""
        return self._manifests.problems

    async def read(self) -> Objects:
        """See ``PolicyStore.read``. Raises Refused when the state file cannot be understood."""
        objects = await self._manifests.read()
        saved = await asyncio.to_thread(self._state.read)
        merged = {
            ref: self._with_status(found, saved.get(_key(ref))) for ref, found in objects.items()
        }
        self._merged = merged
        return MappingProxyType({ref: entry[2] for ref, entry in merged.items()})

    async def save(self, ref: ObjectRef, status: Mapping[str, Any]) -> None:
        """See ``PolicyStore.save``. What comes in together is one write."""
        # As it will be read from the file after a restart, whatever mapping it is now.
        await self._commits.submit((ref, json.loads(json.dumps(dict(status), allow_nan=False))))

    async def _commit(self, saved: Sequence[_Saved]) -> list[Exception | None]:
        policies = await self._manifests.read()
        statuses = {_key(ref): status for ref, status in saved if ref in policies}
        if statuses:
            await asyncio.to_thread(self._state.update, statuses)
        return [
            None if ref in policies else Conflict(f"{ref}: there is no such policy any more")
            for ref, _ in saved
        ]

    def _with_status(self, found: Object, status: object) -> tuple[Object, object, Object]:
        """The policy with its status; the same object as before while neither has changed."""
        before = self._merged.get(found.ref)
        if before is not None and before[0] is found and before[1] is status:
            return before
        body = {key: value for key, value in found.body.items() if key != "status"}
        if status is not None:
            body["status"] = status
        return found, status, Object(found.ref, found.version, body, found.file)


def _key(ref: ObjectRef) -> str:
    return f"{ref.namespace}/{ref.name}"


class _State:
    """The state file: JSON, replaced as a whole; read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: Stamp | None = None
        self._statuses: Mapping[str, Any] = {}
        self._lock = threading.Lock()  # it is read and written in threads

    def read(self) -> Mapping[str, Any]:
        """The statuses by policy; none where there is no file. Raises Refused, Unavailable."""
        with self._lock:
            return self._read()

    def _read(self) -> Mapping[str, Any]:
        try:
            now = stamp(str(self._path))
            if now != self._stamp:
                self._statuses = self._parse(self._path.read_bytes())
                self._stamp = now
        except FileNotFoundError:
            self._stamp, self._statuses = None, {}
        except OSError as error:
            raise explain(self._path, error, "read") from error
        return self._statuses

    def update(self, statuses: Mapping[str, Any]) -> None:
        """Put these statuses beside the others; on disk when it returns."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            real = Path(os.path.realpath(self._path))
            with self._lock, locked(real.parent):
                together = {**self._read(), **statuses}
                document = {"format": FORMAT, "policies": together}
                text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"
                replace(real, text.encode(), self._stamp)
                self._stamp, self._statuses = stamp(str(real)), together
        except TrimtabError:
            raise
        except OSError as error:
            raise explain(self._path, error, "written") from error

    def _parse(self, content: bytes) -> Mapping[str, Any]:
        try:
            document = json.loads(content)
        except ValueError as error:
            raise self._refused(f"not JSON: {error}") from error
        if not isinstance(document, dict) or not isinstance(document.get("policies"), dict):
            raise self._refused("not a state file of Trimtab")
        if document.get("format") != FORMAT:
            raise self._refused(f"its format is {document.get('format')!r} and not {FORMAT!r}")
        wrong = [
            name for name, status in document["policies"].items() if not isinstance(status, dict)
        ]
        if wrong:
            raise self._refused(f"the status of {wrong[0]} is not a mapping")
        statuses: Mapping[str, Any] = document["policies"]
        return statuses

    def _refused(self, why: str) -> Refused:
        return Refused(
            f"{self._path}: {why}. Remedy: put a good copy in its place; or move it away to begin "
            "with no memory: an aborted canary then starts over"
        )
