"""What a running Envoy says of itself."""

from __future__ import annotations

import json

import pytest
from oracle.asking import CLUSTERS
from oracle.documents import header, host, table, to

from trimtab import RouteTable
from trimtab.errors import InvalidDocument
from trimtab.testbed.telling_envoy import TellingEnvoy


def test_the_configuration_dump_of_a_real_envoy_is_read(envoy_binary: object) -> None:
    """Each of its route configurations by its name; defaults that Envoy adds do no harm."""
    number = {"start": -(2**63), "end": 2**63 - 1}
    documents = [
        header(range_match=number),
        table(host("v", ["*"], to("r", {"prefix": "/p"})), ignore_port_in_host_matching=True),
    ]
    with TellingEnvoy.serving(documents, CLUSTERS) as envoy:
        dump = envoy.admin("/config_dump")
    ranged = RouteTable.from_envoy(dump, name="0")
    assert ranged.match("/", headers={"x": "9223372036854775806"}) is not None
    assert ranged.match("/", headers={"x": "9223372036854775807"}) is None
    assert RouteTable.from_envoy(json.loads(dump), name="1").match("/p/1", "a:80") is not None
    with pytest.raises(InvalidDocument, match="holds 2 RouteConfigurations: name one of"):
        RouteTable.from_envoy(dump)
