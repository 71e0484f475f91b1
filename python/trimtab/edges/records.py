"""The log of decisions: one Report a line, as JSON, to be read again for a replay.

A line mirrors ``core.model.Report`` field by field, with the same names and units. What JSON
has no number for is written as protobuf does: "Infinity", "-Infinity", "NaN".
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from trimtab.core.model import ObjectRef, Report
from trimtab.errors import InvalidDocument, Refused

VERSION = 1

# The configuration of the tuple reaches the plain dataclasses inside it.
_READER = TypeAdapter(tuple[Report], config=ConfigDict(extra="forbid"))
_LOGGER = logging.getLogger("trimtab.records")


def to_json(report: Report) -> dict[str, Any]:
    """A Report as plain JSON values; ``version`` is that of this format."""
    return {"version": VERSION, **_plain(report)}


def from_json(document: object, where: str = "record") -> Report:
    """The Report of such values. Raises InvalidDocument, which begins with ``where``."""
    if not isinstance(document, Mapping):
        raise InvalidDocument(f"{where}: a {type(document).__name__} is no record of a Report.")
    fields = dict(document)
    version = fields.pop("version", None)
    if version != VERSION:
        raise InvalidDocument(
            f"{where}: version: {version!r} is not {VERSION}. Remedy: read it with the version of "
            "Trimtab that wrote it."
        )
    try:
        return _READER.validate_python((fields,))[0]
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'][1:])}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise InvalidDocument(f"{where}: {problems}") from error


def read(path: Path) -> Iterator[Report]:
    """The Reports of a file, in the order of its lines. Raises InvalidDocument naming the line."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                where = f"{path}:{number}"
                try:
                    document = json.loads(line)
                except json.JSONDecodeError as error:
                    raise InvalidDocument(
                        f"{where}: no JSON: {error}. Remedy: delete the line, if its writer was "
                        "stopped in the middle of it."
                    ) from error
                yield from_json(document, where)
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path}: cannot be read: {error}") from error


class FileRecorder:
    """A Listener that appends each Report to a file, one write a line.

    Rotation is left to the platform: the file is opened for appending, so it may be copied and
    truncated. A failing disk does not stop decisions: what was lost is logged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
            # A process that died in the middle of a line must not spoil ours.
            self._torn = _ends_torn(path)
        except OSError as error:
            raise Refused(
                f"Cannot record decisions in {path}: {error}. Remedy: name a file that can be "
                "written, or record none."
            ) from error
        self._lost = 0

    def tell(self, report: Report) -> None:
        line = json.dumps(to_json(report), separators=(",", ":"), allow_nan=False) + "\n"
        try:
            self._append(line.encode())
        except OSError as error:
            if not self._lost:
                _LOGGER.error("Decisions are not recorded in %s: %s", self._path, error)  # noqa: TRY400
            self._lost += 1
        else:
            if self._lost:
                _LOGGER.warning("%d decisions were not recorded in %s", self._lost, self._path)
            self._lost = 0

    def retain(self, policies: Collection[ObjectRef]) -> None:
        """A record keeps what it has, whatever became of its policy."""

    def close(self) -> None:
        self._file.close()

    def _append(self, line: bytes) -> None:
        data = b"\n" + line if self._torn else line
        written = self._file.write(data)
        self._torn = data[:written][-1:] != b"\n"
        if written != len(data):
            raise OSError(f"{written} of {len(data)} bytes were written")


def _ends_torn(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _plain(value: Any) -> Any:
    """``value`` in the types of JSON."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        if hasattr(value, "_asdict"):
            return {name: _plain(part) for name, part in value._asdict().items()}
        return [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return value
