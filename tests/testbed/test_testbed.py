"""The test bed itself: each program starts, serves, stops, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from trimtab.errors import Unavailable
from trimtab.testbed.processes import CRDS, Cluster, Envoy, Process, Prometheus, free_port, poll


def gone(pid: int) -> bool:
    """No such process, or only its unreaped rest."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


STATIC = {
    "static_resources": {
        "listeners": [
            {
                "name": "hello",
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
                "filter_chains": [
                    {
                        "filters": [
                            {
                                "name": "hcm",
                                "typed_config": {
                                    "@type": "type.googleapis.com/envoy.extensions.filters.network"
                                    ".http_connection_manager.v3.HttpConnectionManager",
                                    "stat_prefix": "hello",
                                    "route_config": {
                                        "virtual_hosts": [
                                            {
                                                "name": "all",
                                                "domains": ["*"],
                                                "routes": [
                                                    {
                                                        "match": {"prefix": "/"},
                                                        "direct_response": {
                                                            "status": 200,
                                                            "body": {"inline_string": "hello"},
                                                        },
                                                    }
                                                ],
                                            }
                                        ]
                                    },
                                    "http_filters": [
                                        {
                                            "name": "router",
                                            "typed_config": {
                                                "@type": "type.googleapis.com/envoy.extensions"
                                                ".filters.http.router.v3.Router"
                                            },
                                        }
                                    ],
                                },
                            }
                        ]
                    }
                ],
            }
        ]
    }
}


def test_envoy_serves_and_stops(envoy_binary: Path, tmp_path: Path) -> None:
    """Envoy takes a bootstrap, serves on its listener when start returns, also when
    it was killed and started again, and ends with its context."""
    port = free_port()
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    listener = {**STATIC["static_resources"]["listeners"][0], "address": address}
    with Envoy.start({"static_resources": {"listeners": [listener]}}, tmp_path) as envoy:
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=5).text == "hello"
        assert "envoy_server_live" in envoy.admin("/stats/prometheus")
        envoy.kill()
        envoy.start_again()
        assert requests.get(f"http://127.0.0.1:{port}/", timeout=5).text == "hello"
        assert "LIVE" in envoy.admin("/ready")
        pid = envoy.pid
    assert gone(pid)


def test_envoy_that_cannot_start_says_why(envoy_binary: Path, tmp_path: Path) -> None:
    """A bootstrap that Envoy refuses raises with Envoy's own words, at once."""
    with pytest.raises(Unavailable, match="no_such_field"):
        Envoy.start({"no_such_field": 1}, tmp_path)


def test_prometheus_scrapes_and_remembers(
    prometheus_binary: Path, envoy_binary: Path, tmp_path: Path
) -> None:
    """Prometheus scrapes a real Envoy, and what it scraped is there after it was started again."""

    def value(query: str) -> float | None:
        answer = requests.get(f"{prom.url}/api/v1/query", params={"query": query}, timeout=5).json()
        result = answer["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    with Envoy.start(STATIC, tmp_path / "envoy") as envoy:
        targets = [f"127.0.0.1:{envoy.admin_port}"]
        with Prometheus.start(tmp_path / "prometheus", targets, scrape_interval_s=0.2) as prom:
            assert poll(lambda: value("envoy_server_live") == 1.0, 20)
            prom.stop()
            assert not prom.running
            prom.start_again()
            assert value("max_over_time(envoy_server_live[1m])") == 1.0
            pid = prom.pid
    assert gone(pid)


def test_cluster_stores_checks_and_lets_in(cluster: Cluster, namespace: str) -> None:
    """The API server serves our CRDs, refuses an illegal weight, and tells users apart."""

    def router(weight: object) -> dict[str, object]:
        action = {"weightedTargets": [{"virtualNodeRef": {"name": "a"}, "weight": weight}]}
        return {
            "apiVersion": "appmesh.k8s.aws/v1beta2",
            "kind": "VirtualRouter",
            "metadata": {"name": "r", "namespace": namespace},
            "spec": {
                "routes": [{"name": "all", "httpRoute": {"action": action, "match": {"x": 1}}}]
            },
        }

    first = cluster.apply(router(3))
    second = cluster.apply(router(4))
    assert second["spec"]["routes"][0]["httpRoute"]["match"] == {"x": 1}
    assert first["metadata"]["resourceVersion"] != second["metadata"]["resourceVersion"]
    with pytest.raises(requests.HTTPError, match=r"422.*weightedTargets\[0\].weight"):
        cluster.apply(router(101))
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    cluster.apply({**account, "metadata": {"name": "app", "namespace": namespace}})
    path = f"/apis/appmesh.k8s.aws/v1beta2/namespaces/{namespace}/virtualrouters"
    with pytest.raises(requests.HTTPError, match=r"403.*serviceaccount:" + namespace + ":app"):
        cluster.request("GET", path, token=cluster.token_for(namespace, "app"))


def test_apiserver_stops_and_starts_with_its_objects(cluster: Cluster, tmp_path: Path) -> None:
    """An API server that was stopped comes back at its address with what it stored."""
    with Cluster.start(tmp_path) as own:
        own.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}})
        own.stop_apiserver()
        with pytest.raises(requests.ConnectionError):
            own.request("GET", "/version")
        own.start_apiserver()
        assert own.request("GET", "/api/v1/namespaces/kept")["metadata"]["name"] == "kept"


def test_every_app_mesh_kind_is_served(cluster: Cluster) -> None:
    """Each CRD file of the test bed gives a collection, Mesh without a namespace."""
    served = cluster.request("GET", "/apis/appmesh.k8s.aws/v1beta2")["resources"]
    kinds = {r["kind"]: r["namespaced"] for r in served if "/" not in r["name"]}
    assert len(list(CRDS.glob("*.yaml"))) == len(kinds)
    assert [kind for kind, namespaced in kinds.items() if not namespaced] == ["Mesh"]


def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    """A program of the test bed dies with the process that started it, also by SIGKILL."""
    script = (
        "import sys, pathlib, time\n"
        "from trimtab.testbed.processes import Process\n"
        "print(Process('sleep', ['/bin/sleep', '600'], pathlib.Path(sys.argv[1])).pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "log")], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        os.kill(parent.pid, signal.SIGKILL)
    assert poll(lambda: gone(pid), 10)


def test_a_context_ends_its_process_on_an_error(tmp_path: Path) -> None:
    """A process is gone after its context, even one that ignores SIGTERM, even after an exception."""
    deaf = ["/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]
    process = Process("deaf", deaf, tmp_path / "log")
    process.await_ready(lambda: "deaf" in process.log(), 10)

    def fail() -> None:
        with process:
            process.stop(grace_s=0.2)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert gone(process.pid)
    assert not process.running


def test_free_ports_differ() -> None:
    """No port is handed out twice in a row."""
    assert len({free_port() for _ in range(200)}) == 200
