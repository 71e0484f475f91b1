"""PromQL label matchers, applied here instead of in Prometheus."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from trimtab.errors import InvalidDocument

_MATCHER = re.compile(
    r"""\s*(?P<label>[a-zA-Z_]\w*)\s*(?P<operator>=~|!~|!=|=)\s*"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)\s*(?:,|$)"""
)


class Matcher(NamedTuple):
    """One ``label <operator> "value"``; a label that a series does not have is empty."""

    label: str
    accepts: Callable[[str], bool]

    def __call__(self, labels: Mapping[str, str]) -> bool:
        return self.accepts(labels.get(self.label, ""))


def parse(selector: str) -> tuple[Matcher, ...]:
    """The matchers of a PromQL list such as ``a="x", b=~"y.*"``; raises InvalidDocument."""
    matchers = []
    at = 0
    while selector[at:].strip():
        found = _MATCHER.match(selector, at)
        if found is None:
            raise InvalidDocument(
                f"selector {selector!r}: no label matcher at {selector[at:]!r}. "
                'Write a comma-separated list of label="value", with =, !=, =~ or !~.'
            )
        try:
            matchers.append(_matcher(found["label"], found["operator"], _text(found["value"])))
        except (re.error, SyntaxError, ValueError) as error:
            raise InvalidDocument(
                f"selector {selector!r}: {found['value']} cannot be read: {error}"
            ) from error
        at = found.end()
    return tuple(matchers)


def _matcher(label: str, symbol: str, value: str) -> Matcher:
    if symbol in ("=", "!="):
        equal = operator.eq if symbol == "=" else operator.ne
        return Matcher(label, lambda text: bool(equal(text, value)))
    regex = re.compile(value, re.DOTALL)  # anchored at both ends, as in Prometheus
    wanted = symbol == "=~"
    return Matcher(label, lambda text: (regex.fullmatch(text) is not None) is wanted)


def _text(quoted: str) -> str:
    """What a PromQL string says; its escapes are those of Python where both have them."""
    return quoted[1:-1] if quoted[0] == "`" else str(ast.literal_eval(quoted))
