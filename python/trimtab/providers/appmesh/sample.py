"""Example texts for regular expressions and values, so that a finding can show a request.

The sampler knows the common part of RE2 and gives None for the rest. Whoever uses a sample
checks it against the real matcher first, so a wrong guess is never shown.
"""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.providers.appmesh.paths import is_normal

_CLASSES = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a", "t": "\t", "n": "\n"}
_LETTERS = "a0-_x Z1~"


def sample(pattern: str, *, fill: bool = False) -> str | None:
    """A short text that the pattern probably matches as a whole; with ``fill`` one in which
    nothing is left out that may stand there."""
    try:
        text, rest = _alternatives(pattern, fill=fill)
    except (ValueError, IndexError, RecursionError):
        return None
    return text if not rest else None


def path_samples(pattern: str) -> Iterator[str]:
    """Paths that the pattern probably matches, each as a server sees them: normalised."""
    for fill in (False, True):
        text = sample(pattern, fill=fill)
        if text is not None:
            path = text if text.startswith("/") else f"/{text}"
            if is_normal(path):
                yield path


def _alternatives(pattern: str, *, fill: bool) -> tuple[str, str]:
    """The first alternative, and what follows the group that the text stands in."""
    text, rest = _sequence(pattern, fill=fill)
    while rest.startswith("|"):
        _, rest = _sequence(rest[1:], fill=fill)
    return text, rest


def _sequence(pattern: str, *, fill: bool) -> tuple[str, str]:
    text, rest = "", pattern
    while rest and rest[0] not in "|)":
        atom, rest = _atom(rest, fill=fill)
        least, rest = _repeat(rest)
        text += atom * (max(least, 1) if fill else least)
    return text, rest


def _atom(rest: str, *, fill: bool) -> tuple[str, str]:
    first, rest = rest[0], rest[1:]
    if first in "^$":
        return "", rest
    if first == ".":
        return "a", rest
    if first == "[":
        return _one_of(rest)
    if first == "(":
        text, rest = _alternatives(_without_flags(rest), fill=fill)
        if not rest.startswith(")"):
            raise ValueError("a group is not closed")
        return text, rest[1:]
    if first == "\\":
        return _escaped(rest)
    return first, rest


def _without_flags(rest: str) -> str:
    if not rest.startswith("?"):
        return rest
    if rest.startswith("?:"):
        return rest[2:]
    if rest.startswith(("?P<", "?<")):
        return rest[rest.index(">") + 1 :]
    raise ValueError("flags are not sampled")


def _escaped(rest: str) -> tuple[str, str]:
    if rest[0].isalnum() and rest[0] not in _CLASSES:
        raise ValueError("an escape that is not sampled")
    return _CLASSES.get(rest[0], rest[0]), rest[1:]


def _one_of(rest: str) -> tuple[str, str]:
    """A letter of a character class; ``rest`` begins after its bracket."""
    negated = rest.startswith("^")
    body = rest[1:] if negated else rest
    end = body.index("]", 1)
    inside, rest = body[:end], body[end + 1 :]
    if "[:" in inside:
        raise ValueError("named classes are not sampled")
    if not negated:
        first = inside[0]
        return (_CLASSES.get(inside[1], inside[1]) if first == "\\" else first), rest
    return next(c for c in _LETTERS if c not in inside and not _in_range(c, inside)), rest


def _in_range(letter: str, inside: str) -> bool:
    return any(
        inside[i] <= letter <= inside[i + 2] for i in range(len(inside) - 2) if inside[i + 1] == "-"
    )


def _repeat(rest: str) -> tuple[int, str]:
    """How often the atom before has to stand there."""
    if rest[:1] in ("*", "?", "+"):
        least, rest = int(rest[0] == "+"), rest[1:]
    elif rest[:1] == "{" and rest[1:2].isdigit():
        end = rest.index("}")
        least, rest = int(rest[1:end].split(",")[0]), rest[end + 1 :]
    else:
        return 1, rest
    if least > 255:
        raise ValueError("too long to show")
    return least, rest.removeprefix("?")  # lazy or greedy is all one
