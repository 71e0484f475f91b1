"""One Envoy for all questions of this folder, and the question itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from oracle.asking import CLUSTERS, answers_of, fast_answer

from trimtab import RouteTable
from trimtab.testbed.telling_envoy import Asked, TellingEnvoy

Gets: TypeAlias = Callable[..., str]


@pytest.fixture(scope="session")
def envoy(envoy_binary: Path) -> Iterator[TellingEnvoy]:
    with TellingEnvoy.serving([], CLUSTERS) as running:
        yield running


@pytest.fixture(scope="session")
def gets(envoy: TellingEnvoy) -> Gets:
    """Which route gets a request: of Envoy, of the fast table and of the list, which must agree.
    An empty name where none does. Tables are made once for each configuration."""
    tables: dict[str, tuple[int, RouteTable]] = {}

    def ask(document: dict[str, Any], asked: Asked) -> str:
        key = json.dumps(document)
        if key not in tables:
            number = envoy.add(document)
            assert envoy.refusals().get(number) is None
            tables[key] = (number, RouteTable.from_envoy(document))
        number, table = tables[key]
        (seen,) = envoy.ask(number, [asked])
        answers = answers_of(table, asked, fast_answer(table, asked), seen)
        assert answers.agree, (document, asked, answers)
        return answers.fast[0]

    return ask
