"""The path as a proxy of App Mesh sees it: normalised, as its Envoys have it before they match.

What Envoy's ``normalize_path`` and ``merge_slashes`` do together: backslashes are slashes,
escaped unreserved characters are unescaped, other escapes stay as they are, unsafe characters
are escaped, dot segments are resolved, and slashes merged. The query is left alone.
"""

from __future__ import annotations

import re
from string import ascii_letters, digits

_UNRESERVED = frozenset(f"{ascii_letters}{digits}-._~")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_DOTS_WITH_PARAMETERS = re.compile(r"(?<=/)(\.\.?);[^/]*")
_PAIR = re.compile(r"[0-9A-Fa-f]{2}")
_UNSAFE = re.compile(r"[^!-~]|[\"<>^`{|}]")
_TROUBLE = re.compile(rf"[%\\]|{_UNSAFE.pattern}")


def normal(path: str) -> str:
    """``path`` begins with a slash and may hold a query."""
    plain, mark, query = path.partition("?")
    if "//" not in plain and "/." not in plain and not _TROUBLE.search(plain):
        return path
    plain = _DOTS_WITH_PARAMETERS.sub(r"\1", plain)
    plain = _unescaped(plain.replace("\\", "/"))
    plain = _UNSAFE.sub(_escaped, plain)
    return _merged(_without_dots(plain)) + mark + query


def is_normal(path: str) -> bool:
    """Whether a proxy can see a path, without a query, as it stands here."""
    return path.startswith("/") and not {"?", "#"} & set(path) and normal(path) == path


def may_begin(prefix: str) -> bool:
    """Whether a path that a proxy sees can begin with ``prefix``."""
    return any(is_normal(prefix + more) for more in ("", "x", "41"))  # /.x, and %41 after a %


def _unescaped(path: str) -> str:
    """A percent sign that escapes nothing stays, unless what was unescaped behind it would make
    an escape of it: then it is escaped itself (%4%61 is not %4a)."""
    if "%" not in path:
        return path
    out: list[str] = []
    bare, position = -9, 0
    while position < len(path):
        escape = _ESCAPED.match(path, position)
        if escape is None:
            if path[position] == "%":
                bare = len(out)
            out.append(path[position])
            position += 1
            continue
        position = escape.end()
        character = chr(int(escape[1], 16))
        if character not in _UNRESERVED:
            out.extend(escape[0])
            continue
        out.append(character)
        behind = "".join(out[bare + 1 :]) + path[position : position + 1]
        if len(out) - bare in (2, 3) and _PAIR.match(behind):
            out[bare] = "%25"
    return "".join(out)


def _escaped(unsafe: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in unsafe[0].encode())


def _without_dots(path: str) -> str:
    """Empty segments count for ``..`` as any others do: slashes are merged later."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _merged(path: str) -> str:
    """As Envoy does it: nothing but slashes, if more than one, becomes two of them."""
    if "//" not in path:
        return path
    end = "/" if path.endswith("/") else ""
    return "/" + "/".join(part for part in path.split("/") if part) + end
