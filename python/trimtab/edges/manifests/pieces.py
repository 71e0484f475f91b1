"""The documents of a file, of which a change leaves most as they are.

What stands before the first difference between two texts, and what stands after the last, is
taken over: a document begins and ends where it did, and says what it said.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter
from typing import TypeAlias

from trimtab.core.model import Object, ObjectRef
from trimtab.edges.manifests.documents import Document, spans


@dataclass(frozen=True, slots=True)
class Piece:
    """One document of a file: its size in characters and line ends, and what it yields."""

    size: int
    lines: int
    document: Document
    objects: tuple[Object, ...]

    @classmethod
    def of(
        cls, text: str, document: Document, file: str, before: Mapping[ObjectRef, Object]
    ) -> Piece:
        """``before``: the objects so far; one of this file that says the same stays the same."""
        objects = []
        for found in document.objects:
            same = before.get(found.ref)
            if same is None or (same.version, same.file) != (found.version, file):
                same = Object(found.ref, found.version, found.body, file)
            objects.append(same)
        return cls(len(text), text.count("\n"), document, tuple(objects))


Pieces: TypeAlias = tuple[Piece, ...]
# That a document begins is known by its first three characters and the one after them.
_MARK = 4
_BLOCK = 1 << 16  # characters that are compared at once


def pieces_of(
    text: str, old_text: str, old: Pieces, piece: Callable[[str], Piece], *, is_json: bool
) -> Pieces:
    """The documents of ``text``, those taken from ``old`` that stand in it as in ``old_text``;
    ``piece`` makes the others."""
    starts = [*accumulate(map(attrgetter("size"), old), initial=0)]
    first = max(bisect_right(starts, _same_beginning(text, old_text) - _MARK) - 1, 0)
    begin, shift = starts[first], len(text) - len(old_text)
    rest = len(text) - _same_end(text, old_text, min(len(text), len(old_text)) - begin)
    last = bisect_left(starts, rest - shift)  # from here on the old documents stand as they stood
    known = {old_text[a:b]: old[i] for i, (a, b) in _between(starts, first, last)}
    made: list[Piece] = []
    for start, end in spans(text, begin, is_json=is_json):
        place = bisect_left(starts, start - shift, last)
        if start >= rest and starts[place] == start - shift:
            return (*old[:first], *made, *old[place:])
        part = text[start:end]
        made.append(known.get(part) or piece(part))
    return (*old[:first], *made)


def _between(starts: list[int], first: int, last: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """The documents from ``first`` to the one that ``last`` begins within, with their spans."""
    for index in range(first, min(last + 1, len(starts) - 1)):
        yield index, (starts[index], starts[index + 1])


def _same_beginning(a: str, b: str) -> int:
    """How many characters two texts begin with alike. Most of it is compared by C, in blocks, of
    which the copies stay small."""
    most = min(len(a), len(b))
    low = 0
    while low < most and a.startswith(b[low : low + _BLOCK], low):
        low += _BLOCK
    low, high = min(low, most), min(low + _BLOCK, most)
    while low < high:
        middle = (low + high + 1) // 2
        if a.startswith(b[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return low


def _same_end(a: str, b: str, most: int) -> int:
    """How many characters two texts end with alike, up to ``most``."""
    end_a, end_b = len(a), len(b)
    low = 0
    while low < most and a.endswith(b[max(end_b - low - _BLOCK, 0) : end_b - low], 0, end_a - low):
        low += _BLOCK
    low, high = min(low, most), min(low + _BLOCK, most)
    while low < high:
        middle = (low + high + 1) // 2
        if a.endswith(b[end_b - middle : end_b - low], 0, end_a - low):
            low = middle
        else:
            high = middle - 1
    return low
