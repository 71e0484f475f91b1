"""Reads WeightPolicy documents, and writes their schema. The one place that knows pydantic.

``core.policy`` says what a policy is; this module turns a document into one, or into an error
that names the file, the document, the field and the remedy.
"""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from itertools import pairwise
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from trimtab.core.documented import camel
from trimtab.core.model import Object, ObjectRef, Role
from trimtab.core.policy import GROUP, KIND, VERSION, Mode, Policy, PolicySpec
from trimtab.core.steering import Way
from trimtab.errors import InvalidDocument


@cache
def _adapter() -> TypeAdapter[PolicySpec]:
    return TypeAdapter(PolicySpec)


def read_policy(obj: Object) -> Policy:
    """The policy in a document. Raises InvalidDocument with every mistake in it, not the first."""
    problems = list(_envelope_problems(obj.body))
    spec = None
    if isinstance(obj.body.get("spec"), Mapping):
        try:
            text = json.dumps(obj.body["spec"])
            spec = _adapter().validate_json(text, strict=True, by_alias=True, by_name=False)
        except ValidationError as error:
            problems += [_sentence(e) for e in error.errors(include_url=False)]
        except TypeError as error:
            problems.append(f"spec: not plain data ({error}); quote dates and the like")
    if spec is not None:
        problems += _semantic_problems(spec)
    if problems or spec is None:
        where = f"{obj.file}: " if obj.file else ""
        listed = "".join(f"\n  {p}" for p in problems)
        raise InvalidDocument(f"{where}{KIND} {obj.ref.namespace}/{obj.ref.name}:{listed}")
    return Policy(obj.ref.name, obj.ref.namespace, spec)


def target_object(policy: Policy) -> ObjectRef:
    ref = policy.spec.target_ref
    return ObjectRef(ref.group, ref.kind, policy.namespace, ref.name)


def _envelope_problems(body: Mapping[str, Any]) -> Iterator[str]:
    known = ("apiVersion", "kind", "metadata", "spec", "status")
    for key in body:
        if key not in known:
            yield f"{key}: unknown field{_nearest(key, known)}"
    if body.get("apiVersion") != f"{GROUP}/{VERSION}":
        yield f"apiVersion: {body.get('apiVersion')!r} is not served; write {GROUP}/{VERSION}"
    if not isinstance(body.get("spec"), Mapping):
        yield "spec: missing; it names at least targetRef"


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def _sentence(error: Mapping[str, Any]) -> str:
    """One mistake as ``path: what is wrong``; ``loc`` is a path in the document."""
    loc = tuple(error["loc"])
    path = "spec" + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in loc)
    if error["type"] == "unexpected_keyword_argument":
        return f"{path}: unknown field{_nearest(str(loc[-1]), _known_fields(loc[:-1]))}"
    if error["type"] == "missing":
        return f"{path}: missing"
    if error["type"] == "missing_argument":
        return f"{path}: missing"
    given = error.get("input")
    shown = f" (given {given!r})" if isinstance(given, str | int | float | bool) else ""
    message = str(error["msg"])
    return f"{path}: {message[0].lower()}{message[1:]}{shown}"


def _known_fields(path: Sequence[str | int]) -> list[str]:
    """The field names that a document may have at ``path`` below spec."""
    here: Any = PolicySpec
    for part in path:
        if isinstance(part, int):
            continue
        hints = get_type_hints(here)
        by_alias = {camel(f.name): hints[f.name] for f in fields(here)}
        here = next(t for t in _types_in(by_alias[str(part)]) if is_dataclass(t))
    return [camel(f.name) for f in fields(here)]


def _types_in(hint: Any) -> Iterator[Any]:
    yield hint
    for arg in get_args(hint):
        yield from _types_in(arg)


def _semantic_problems(spec: PolicySpec) -> Iterator[str]:
    """What types cannot say."""
    names = Counter(t.name for t in spec.targets)
    yield from (f"spec.targets: {n} is listed twice" for n, count in names.items() if count > 1)
    for i, target in enumerate(spec.targets):
        if target.min_percent > target.max_percent:
            yield f"spec.targets[{i}]: minPercent is above maxPercent; exchange them"
    if sum(t.min_percent for t in spec.targets) > 100:
        yield "spec.targets: the minPercent of all targets add up to more than 100; lower them"
    steps = spec.canary.steps
    if any(a >= b for a, b in pairwise(steps)):
        yield "spec.canary.steps: each step must be above the one before; sort them"
    yield from _steering_problems(spec)
    if spec.mode is Mode.CANARY:
        roles = Counter(t.role for t in spec.targets)
        if roles[Role.CANARY] != 1:
            yield (
                f"spec.targets: mode canary needs exactly one target with role canary, "
                f"there are {roles[Role.CANARY]}"
            )
        if not roles[Role.STABLE]:
            yield "spec.targets: mode canary needs a target with role stable to take the rest"


_SERVICES = {Way.RESOLVE: (0, 0), Way.RETARGET: (2, 2), Way.LANE: (2, 2), Way.ANNOTATE: (2, 10)}


def _steering_problems(spec: PolicySpec) -> Iterator[str]:
    asked = spec.steering
    least, most = _SERVICES[asked.way]
    count = len(asked.services)
    if not least <= count <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        yield f"spec.steering.services: way {asked.way} needs {wanted}, there are {count}"
    if len(set(asked.services)) < count:
        yield "spec.steering.services: a service is listed twice; name each once"
    if asked.way is Way.LANE and asked.match.empty:
        yield "spec.steering.match: way lane needs headers, cookies, query or host"
    if asked.way is not Way.LANE and not asked.match.empty:
        yield f"spec.steering.match: way {asked.way} knows no match; leave it out"
    if asked.way is not Way.RESOLVE and spec.routes:
        yield f"spec.routes: way {asked.way} steers the object itself; leave it out"
    if asked.way in (Way.RETARGET, Way.LANE) and spec.mode is Mode.OPTIMISE:
        yield f"spec.mode: way {asked.way} is a switch without weights to optimise; use canary"


# --- the schema, for the CRD and the reference page -----------------------------------


def spec_schema() -> dict[str, Any]:
    """The structural OpenAPI v3 schema of ``spec``, as a CustomResourceDefinition wants it."""
    schema = _adapter().json_schema(by_alias=True)
    return _structural(schema, schema.get("$defs", {}), PolicySpec)


_KEEP = ("type", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")


def _structural(node: Mapping[str, Any], defs: Mapping[str, Any], cls: Any) -> dict[str, Any]:
    """Without references, titles and unions; descriptions from the dataclasses."""
    if "$ref" in node:
        node = {
            **defs[node["$ref"].rsplit("/", 1)[1]],
            **{k: v for k, v in node.items() if k != "$ref"},
        }
    if "anyOf" in node:  # an optional field: null is the same as absent
        (inner,) = (n for n in node["anyOf"] if n.get("type") != "null")
        return _structural(inner, defs, cls)
    out = {k: node[k] for k in _KEEP if k in node}
    for bound in ("Minimum", "Maximum"):
        if f"exclusive{bound}" in node:
            out[bound.lower()] = node[f"exclusive{bound}"]
            out[f"exclusive{bound}"] = True
    if "items" in node:
        out["items"] = _structural(node["items"], defs, cls)
    if "properties" in node:
        out["properties"] = _properties(node, defs, cls)
        if node.get("required"):
            out["required"] = node["required"]
    return out


def _properties(node: Mapping[str, Any], defs: Mapping[str, Any], cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls, include_extras=False)
    out = {}
    for f in fields(cls):
        inner = next((t for t in _types_in(hints[f.name]) if is_dataclass(t)), None)
        child = _structural(node["properties"][camel(f.name)], defs, inner)
        default = "" if f.default is MISSING else f" Default: {_shown(f.default)}."
        out[camel(f.name)] = {"description": f"{f.metadata['doc']}{default}", **child}
    return out


def _shown(value: Any) -> str:
    if value is None or value in ((), ""):
        return "none"
    return json.dumps(value)
