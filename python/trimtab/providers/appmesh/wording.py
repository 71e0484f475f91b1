"""What an entry asks of a request, on one line: ``priority 3: /cart* GET x-user=anna !beta``."""

from __future__ import annotations

from trimtab.providers.appmesh.hops import ANYTHING, Match, Path, PathKind
from trimtab.providers.appmesh.values import HeaderMatch, QueryMatch


def asked_in_words(priority: int | None, match: Match) -> str:
    """A star stands for whatever follows a prefix, a tilde before a regular expression."""
    parts = [] if match.path == ANYTHING else [_path(match.path)]
    parts += [one for one in (match.method, match.scheme, "grpc" if match.grpc else None) if one]
    parts += [_header(header) for header in match.headers]
    parts += [_query(query) for query in match.query]
    first = "" if priority is None else f"priority {priority}: "
    return (first + " ".join(parts)).removesuffix(": ")


def _path(path: Path) -> str:
    kind, text = path
    return {PathKind.PREFIX: f"{text}*", PathKind.EXACT: text, PathKind.REGEX: f"~{text}"}[kind]


def _header(header: HeaderMatch) -> str:
    asked, sign = header.match, "!" if header.invert else ""
    if asked is None:
        return f"{sign}{header.name}"
    value = asked.exact or ""
    if asked.prefix is not None:
        value = f"{asked.prefix}*"
    elif asked.suffix is not None:
        value = f"*{asked.suffix}"
    elif asked.regex is not None:
        value = f"~{asked.regex}"
    elif asked.range is not None:
        value = f"[{asked.range.start},{asked.range.end})"
    return f"{sign}{header.name}={value}"


def _query(query: QueryMatch) -> str:
    exact = query.match.exact if query.match else None
    return f"?{query.name}" if exact is None else f"?{query.name}={exact}"
