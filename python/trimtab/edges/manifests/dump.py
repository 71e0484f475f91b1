"""Documents as YAML that says to Kubernetes what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from trimtab.edges.manifests.text import plain


class _Dumper(yaml.SafeDumper):
    """Block style, no aliases, and quotes around what Kubernetes would not read as text."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - each value is written out
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Entries of a list stand further in than its name, as people write them."""
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.Node:
    style = None if plain(data) == data else "'"
    if not data.isprintable():  # what has no escapes folds line ends and the like
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(document: Mapping[str, Any]) -> str:
    """One document in block style, without ``---``; fields in their order."""
    return yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
