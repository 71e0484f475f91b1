"""The oracle in small, and that it would notice."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from oracle.asking import DifferenceError
from oracle.differential import run

from trimtab import RouteTable


@pytest.mark.timeout(300)
def test_twenty_thousand_random_cases_against_envoy(envoy_binary: object) -> None:
    """Fast table, list and Envoy agree; every predicate decided some, and regexes that we refuse as
    no RE2 are refused by Envoy. ``make oracle`` asks a million."""
    tally = run(20_000, seed=1)
    assert tally.cases == 20_000
    assert 0.2 < tally.matched / tally.cases < 0.8
    assert tally.rare(0.002) == []
    assert tally.refused > 0


def test_the_oracle_would_notice(envoy_binary: object) -> None:
    """A reader that takes an exact path for a prefix is found out, on a table with one route."""

    def wrong(document: dict[str, Any]) -> RouteTable:
        document = copy.deepcopy(document)
        for host in document["virtual_hosts"]:
            for route in host["routes"]:
                if "path" in route["match"]:
                    route["match"]["prefix"] = route["match"].pop("path")
        return RouteTable.from_envoy(document)

    with pytest.raises(DifferenceError) as caught:
        run(20_000, seed=1, read=wrong)
    difference = caught.value
    (host,) = difference.document["virtual_hosts"]
    (route,) = host["routes"]
    assert "path" in route["match"]
    assert difference.answers is not None
    assert difference.answers.envoy == ("", "")
    assert difference.answers.fast[0] == route["name"]
    assert "virtual_hosts:" in str(difference)
