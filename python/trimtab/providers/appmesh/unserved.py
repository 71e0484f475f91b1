"""What stands in the documents and does not reach an Envoy through our xDS."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, cast

from trimtab.core.model import Diagnostic
from trimtab.providers.appmesh import codes
from trimtab.providers.appmesh.codes import Problem, diagnostic
from trimtab.providers.appmesh.reader import document_name
from trimtab.providers.appmesh.reading import AppMeshReading

# Their absence changes what is seen of the traffic, not where it goes or who may read it.
OBSERVED_ONLY = ("logging",)


def lint_xds(reading: AppMeshReading, honoured: Collection[str]) -> list[Diagnostic]:
    """A diagnostic for each field that is set and not in ``honoured``, the highest such field.

    ``honoured`` holds paths without indices, the kind first (``VirtualNode.listeners.tls``); a
    path stands for everything below it.
    """
    known = frozenset(honoured)
    above = frozenset(
        ".".join(parts[:n])
        for path in known
        for parts in [path.split(".")]
        for n in range(len(parts))
    )
    found: list[Diagnostic] = []
    for document in reading.documents.values():
        resource = document.resource
        if resource is not None and resource.ref.kind != "Namespace":
            walk = _unserved(resource.spec, resource.ref.kind, "spec", known, above)
            found += [diagnostic(problem, document.object) for problem in walk]
    return found


def _unserved(
    value: Any, path: str, field: str, known: frozenset[str], above: frozenset[str]
) -> Iterator[Problem]:
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _unserved(item, path, f"{field}[{index}]", known, above)
        return
    if not is_dataclass(value):
        return
    for name, key, default in _plan(cast("Hashable", type(value))):
        part = getattr(value, name)
        if part is None or part in ((), default):
            continue
        inner, at = f"{path}.{key}", f"{field}.{key}"
        if inner in known:
            continue
        if inner in above:
            yield from _unserved(part, inner, at, known, above)
        else:
            yield _problem(key, at)


def _problem(key: str, field: str) -> Problem:
    if key in OBSERVED_ONLY:
        message = "is not passed on to Envoys by our xDS; traffic goes the same way without it."
        return Problem(codes.NOT_OBSERVED, field, message)
    message = "is not passed on to Envoys by our xDS; they act as if it were not there."
    remedy = "Do not rely on it where Trimtab serves xDS."
    return Problem(codes.NOT_SERVED, field, message, remedy)


@cache
def _plan(cls: Hashable) -> tuple[tuple[str, str, Any], ...]:
    return tuple(
        (f.name, document_name(f.name), None if f.default is MISSING else f.default)
        for f in fields(cast("type[Any]", cls))
    )
