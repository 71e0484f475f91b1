"""Whole documents of a file replaced by others; every other byte of the file stays."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.core.model import Object, Origin
from trimtab.edges.manifests.documents import DocumentReader, spans
from trimtab.edges.manifests.dump import as_yaml
from trimtab.edges.manifests.files import explain, locked, replace, stamp
from trimtab.edges.manifests.folder import decode
from trimtab.edges.manifests.text import parse_yaml
from trimtab.errors import Conflict, Refused, TrimtabError

# What stays of a document's text: directives, comments and the marker before its first line, and
# after its last the blank lines, the comments at the margin, and the end marker.
_HEAD = re.compile(r"(?:%[^\n]*\n|[ \t]*(?:#[^\n]*)?\r?\n|---[ \t]*(?:#[^\n]*)?\r?\n)*")
_AFTER = re.compile(r"[ \t]*\r?\n?|#.*\s*|\.\.\..*\s*")
_QUOTED = re.compile(r"""["'][^"'\n]*\$[A-Za-z_{]""")
_COMMENT = re.compile(r"(?:^|[ \t])#")


@dataclass(frozen=True, slots=True)
class Replacement:
    """An object as it was read, where it stands, and the documents that are to stand there."""

    old: Object
    at: Origin
    new: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a Replacement: refused with a reason, or done. ``comments`` is the number
    of lines inside of the old document whose comments are gone."""

    replacement: Replacement
    refused: str = ""
    comments: int = 0


def rewrite(path: str, wanted: Sequence[Replacement], reader: DocumentReader) -> list[Written]:
    """Write those that can be written, all at once, and say why others cannot. ``reader`` reads
    documents as they were read before, and without values.

    Raises Conflict when the file is not as it was read, Refused where it may not be written."""
    real = Path(os.path.realpath(path))
    try:
        with locked(real.parent):
            return _rewrite(real, path, wanted, reader)
    except OSError as error:
        raise explain(path, error, "written") from error


def _rewrite(
    real: Path, path: str, wanted: Sequence[Replacement], reader: DocumentReader
) -> list[Written]:
    seen = stamp(str(real))
    before = real.read_bytes()
    content = decode(before)
    is_json = path.endswith(".json")
    parts = [content.text[a:b] for a, b in spans(content.text, is_json=is_json)]
    done: list[Written] = []
    for one in wanted:
        try:
            if is_json:
                raise Refused("a JSON file holds one document. Remedy: write it as YAML")
            index = _index(parts, one, reader, path)
            parts[index], comments = _replaced(parts[index], one.new)
            done.append(Written(one, comments=comments))
        except Conflict:
            raise
        except TrimtabError as error:
            done.append(Written(one, refused=str(error)))
    after = content.encode("".join(parts))
    if after != before:
        replace(real, after, seen)
    return done


def _index(parts: Sequence[str], one: Replacement, reader: DocumentReader, path: str) -> int:
    """Where the object stands by itself. Raises Conflict, or Refused where it does not."""
    index, old = one.at.document, one.old
    here = reader.read(parts[index], is_json=False) if index < len(parts) else None
    found = [o for o in here.objects if o.ref == old.ref] if here else []
    if not here or not found or found[0].version != old.version:
        raise Conflict(f"{path}: written by somebody else just now")
    if found[0].path:
        raise Refused("it stands in a list. Remedy: make it a document of its own")
    if "{{" in parts[index]:
        raise Refused("it is a template. Remedy: render it first, or write the form by hand")
    if _QUOTED.search(parts[index]):
        raise Refused(
            "it has placeholders in quotes, and what they are without them only their values say. "
            "Remedy: write the form by hand"
        )
    return index


def _replaced(text: str, new: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
    """The text of a document with the new ones in its place, and how many comments that cost."""
    head = _HEAD.match(text)
    start = head.end() if head else 0
    if text.startswith("---", start):
        raise Refused("it begins on the line of its '---'. Remedy: break the line there")
    lines = text[start:].splitlines(keepends=True)
    count = len(lines)
    while count and _AFTER.fullmatch(lines[count - 1]):
        count -= 1
    old, rest = "".join(lines[:count]), "".join(lines[count:])
    newline = "\r\n" if "\r\n" in text else "\n"
    made = [as_yaml(document) for document in new]
    for document, shown in zip(new, made, strict=True):
        if parse_yaml(shown).data != document:
            raise Refused("its form cannot be written as YAML. Remedy: write it by hand")
    body = "---\n".join(made).replace("\n", newline)
    if not old.endswith("\n"):
        body = body.removesuffix(newline)
    comments = sum(1 for line in lines[:count] if _COMMENT.search(line))
    return text[:start] + body + rest, comments
