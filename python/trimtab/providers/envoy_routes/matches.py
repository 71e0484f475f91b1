"""What a route asks of a request, in the words of the matcher."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from trimtab._core import HeaderMatch, QueryMatch, RuleError
from trimtab.providers.envoy_routes.place import Place, refuse_fields

_T = TypeVar("_T", HeaderMatch, QueryMatch)

_LONGEST_NAME = 1024
_ANY_VALUE = "(?s).*"
_PATHS: Mapping[str, str] = {
    "prefix": "prefix",
    "path": "path",
    "path_separated_prefix": "path_separated_prefix",
}
_FLAT: Mapping[str, str] = {
    "exact_match": "exact",
    "prefix_match": "prefix",
    "suffix_match": "suffix",
    "contains_match": "contains",
}
_NOT_HONOURED: Mapping[str, str] = {
    "connect_matcher": "CONNECT requests are not matched here; leave the route out",
    "path_match_policy": "extensions are not run here; write a safe_regex",
    "dynamic_metadata": "what filters leave behind is not known here; leave it out",
    "filter_state": "what filters leave behind is not known here; leave it out",
}


def match_arguments(match: Any, place: Place) -> dict[str, Any]:
    """The arguments of ``Rule`` that stand for a RouteMatch. Raises InvalidDocument."""
    refuse_fields(match, _NOT_HONOURED, place)
    if match.tls_context.ByteSize():  # an empty one asks nothing
        raise place.at("tls_context").refusal(
            "not honoured: what a client presented is not known here; leave it out"
        )
    if match.HasField("runtime_fraction"):
        _whole(match.runtime_fraction, place.at("runtime_fraction"))
    headers = list(_each(match.headers, place, "headers"))
    entry = {
        "methods": [text for text in [_taken(headers, ":method")] if text],
        "scheme": _taken(headers, ":scheme"),
    }
    return {
        **_path(match, place),
        **entry,
        "grpc": match.HasField("grpc"),
        "headers": [_header(h, p) for h, p in headers],
        "query": [
            _query(q, p) for q, p in _each(match.query_parameters, place, "query_parameters")
        ],
    }


def _each(fields: Any, place: Place, field: str) -> Iterator[tuple[Any, Place]]:
    for index, one in enumerate(fields):
        yield one, place.item(field, index, one.name)


def _taken(headers: list[tuple[Any, Place]], name: str) -> str | None:
    """The text that a pseudo-header must equal, taken out of the list: the matcher has a field for
    it. None where nothing is asked, or more than that."""
    for index, (header, _) in enumerate(headers):
        plain = header.name == name and not header.invert_match
        if plain and not header.treat_missing_header_as_empty:
            match = header.string_match
            exact = header.exact_match or ("" if match.ignore_case else match.exact)
            if exact:
                del headers[index]
                return str(exact)
    return None


def _path(match: Any, place: Place) -> dict[str, Any]:
    kind = match.WhichOneof("path_specifier")
    if kind is None:
        known = "prefix, path, path_separated_prefix, safe_regex"
        raise place.refusal(f"asks nothing of the path: give one of {known}")
    if kind == "safe_regex":
        return {"regex": _regex(match.safe_regex, place.at(kind))}
    short = kind == "path_separated_prefix" and len(match.path_separated_prefix) == 1
    if short and match.path_separated_prefix != "/":  # which has a reason of its own
        raise place.at(kind).refusal("is one character: Envoy asks for two at least")
    ignores_case = match.HasField("case_sensitive") and not match.case_sensitive.value
    return {_PATHS[kind]: getattr(match, kind), "ignore_case": ignores_case}


def _whole(fraction: Any, place: Place) -> None:
    if not fraction.HasField("default_value"):
        raise place.refusal("needs a default_value")
    of = {0: 100, 1: 10_000, 2: 1_000_000}[fraction.default_value.denominator]
    if fraction.default_value.numerator < of:
        raise place.at("default_value").refusal(
            f"not honoured: {fraction.default_value.numerator} of {of} is a matter of chance, or "
            "of the runtime; leave it out, or leave the route out"
        )


def _regex(regex: Any, place: Place) -> str:
    if not regex.regex:
        raise place.at("regex").refusal("is empty")
    return str(regex.regex)


def _header(header: Any, place: Place) -> HeaderMatch:
    kind = header.WhichOneof("header_match_specifier")
    asked: dict[str, Any] = {}
    if kind in _FLAT:
        asked[_FLAT[kind]] = getattr(header, kind)
        if kind == "exact_match" and not header.exact_match:
            asked = {"regex": _ANY_VALUE}  # so Envoy has it, and not as presence
    elif kind == "safe_regex_match":
        asked["regex"] = _regex(header.safe_regex_match, place.at(kind))
    elif kind == "range_match":
        asked["range"] = (header.range_match.start, header.range_match.end)
    elif kind == "present_match":
        asked["present"] = header.present_match
    elif kind == "string_match":
        asked = _text(header.string_match, place.at(kind))
    return _made(
        lambda: HeaderMatch(
            header.name,
            invert=header.invert_match,
            treat_missing_as_empty=header.treat_missing_header_as_empty,
            **asked,
        ),
        place.at(kind) if kind else place,
    )


def _query(query: Any, place: Place) -> QueryMatch:
    kind = query.WhichOneof("query_parameter_match_specifier")
    if len(query.name.encode()) > _LONGEST_NAME:
        raise place.at("name").refusal(f"is longer than {_LONGEST_NAME} bytes")
    asked: dict[str, Any] = {}
    if kind == "present_match":
        asked["present"] = query.present_match
    elif kind == "string_match":
        asked = _text(query.string_match, place.at(kind))
    return _made(lambda: QueryMatch(query.name, **asked), place.at(kind) if kind else place)


def _text(match: Any, place: Place) -> dict[str, Any]:
    """A StringMatcher."""
    kind = match.WhichOneof("match_pattern")
    if kind is None:
        raise place.refusal(
            "compares with nothing: give exact, prefix, suffix, contains, safe_regex"
        )
    if kind == "custom":
        raise place.at(kind).refusal(
            "not honoured: extensions are not run here; write a safe_regex"
        )
    if kind != "safe_regex":
        return {kind: getattr(match, kind), "ignore_case": match.ignore_case}
    if match.ignore_case:
        raise place.at("ignore_case").refusal("does nothing with a regex: write (?i) in it")
    return {"regex": _regex(match.safe_regex, place.at(kind))}


def _made(make: Callable[[], _T], place: Place) -> _T:
    try:
        return make()
    except RuleError as error:
        raise place.refusal(reason(error)) from error


def reason(error: RuleError) -> str:
    """What is wrong, without the matcher's own names for the fields."""
    return str(error).partition(f"{error.field}: ")[2]
