"""The command line as a person or a script meets it: output, exit codes, start-up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from app.running import MESH, NODE, POLICY

from trimtab.cli import app

COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]

GATEWAY = """\
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualGateway
metadata: {name: door, namespace: shop}
spec:
  namespaceSelector: {}
  listeners:
    - portMapping: {port: 8088, protocol: http}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: pay, namespace: shop}
spec:
  httpRoute:
    match: {prefix: /pay}
    action:
      target: {virtualService: {virtualServiceRef: {name: pay}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {name: pay, namespace: shop}
spec:
  provider: {virtualRouter: {virtualRouterRef: {name: pay}}}
"""


def trimtab(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trimtab.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, input=stdin)


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    nodes = "".join(NODE.format(name=name) for name in ("pay-v1", "pay-v2"))
    (tmp_path / "mesh.yaml").write_text(MESH + nodes + GATEWAY)
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def test_match_answers_each_request_in_order(mesh: Path) -> None:
    """One JSON object a request, with the names and the pick that Envoy would make."""
    requests = '{"path": "/pay/1", "random": 99}\n{"path": "/other"}\n'
    answer = trimtab("match", "--manifests", str(mesh), "--requests", "-", "--json", stdin=requests)
    first, second = (json.loads(line) for line in answer.stdout.splitlines())
    assert first == {
        "route": "shop/pay",
        "virtualService": "shop/pay",
        "virtualRouter": "shop/pay",
        "rule": "all",
        "targets": [{"name": "pay-v1", "weight": 100}, {"name": "pay-v2", "weight": 0}],
        "target": "pay-v1",
    }
    assert second["route"] is None
    assert second["target"] is None
    assert answer.returncode == 0


def test_match_enters_at_a_service(mesh: Path) -> None:
    """At a VirtualService there is no GatewayRoute, and the path is matched as it is."""
    answer = trimtab(
        "match", "--manifests", str(mesh), "--service", "shop/pay", "--json", stdin='{"path": "/"}'
    )
    assert json.loads(answer.stdout)["route"] is None
    assert json.loads(answer.stdout)["rule"] == "all"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"path": 1}', "-:1: a request is an object"),
        ('{"path": "/", "hots": "x"}', "-:1: hots: unknown field"),
        ('{"path": "/", "port": "80"}', "-:1: port: '80' is no int"),
        ('{"path": "/", "random": false}', "-:1: random: False is no int"),
        ('{"path": "/", "headers": {"x": ["a", null]}}', "-:1: headers: x: None is no text"),
        ('{"path": "/\\ud800"}', "-:1: half a surrogate pair is no text"),
        ("{", "-:1: not JSON"),
    ],
)
def test_a_wrong_request_names_its_line(mesh: Path, line: str, told: str) -> None:
    """Exit 2, one sentence with file, line and field, and no traceback."""
    answer = trimtab("match", "--manifests", str(mesh), "--json", stdin=line)
    assert answer.returncode == 2
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr


def test_explain_shows_both_hops(mesh: Path) -> None:
    """Each hop with its rules, and what beat those that did not match."""
    answer = trimtab("explain", "--manifests", str(mesh), "--path", "/pay", "--json")
    document = json.loads(answer.stdout)
    assert [hop["title"] for hop in document["hops"]] == [
        "VirtualGateway shop/door",
        "VirtualService shop/pay",
    ]
    assert document["answer"]["rule"] == "all"


def test_lint_is_clean_or_not(mesh: Path) -> None:
    """Exit 0 without errors, 1 with them, naming file and field."""
    assert trimtab("lint", str(mesh)).returncode == 0
    policy = yaml.safe_load((mesh / "policy.yaml").read_text())
    policy["spec"]["targetRef"]["name"] = "pya"
    (mesh / "policy.yaml").write_text(yaml.safe_dump(policy))
    answer = trimtab("lint", str(mesh), "--json")
    assert answer.returncode == 1
    (found,) = [d for d in json.loads(answer.stdout)["diagnostics"] if d["severity"] == "error"]
    assert found["code"] == "WP002"
    assert found["file"].endswith("policy.yaml")
    assert "pya" in found["message"]


def test_plan_without_a_source_holds(mesh: Path) -> None:
    """Nothing is known, so nothing would change, and the reason is told."""
    answer = trimtab("plan", "--manifests", str(mesh), "--json")
    document = json.loads(answer.stdout)
    (report,) = document["decisions"]
    assert report["decision"]["action"] == "hold"
    assert "no metric source" in json.dumps(report["decision"]["reasons"])


def test_a_path_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """Exit 2 and a sentence with the path."""
    answer = trimtab("lint", str(tmp_path / "nowhere"))
    assert answer.returncode == 2
    assert "nowhere" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    """--help tells what a command does and shows one that works."""
    answer = trimtab(command, "--help")
    assert answer.returncode == 0
    assert "Example: trimtab" in answer.stdout or command == "version"


def test_help_imports_nothing_heavy() -> None:
    """What makes start-up slow is imported by the command that needs it."""
    program = (
        "import sys; sys.argv = ['trimtab', '--help']\n"
        "from trimtab.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'kubernetes', 'grpc', 'numpy', 'pydantic', 'yaml', 'requests', 'starlette'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines()[-1] == "HEAVY []"


def test_the_bootstrap_can_verify_its_control_plane() -> None:
    """With --tls-ca the Envoy checks who serves it; a certificate without its key is refused."""
    node = ("envoy-bootstrap", "--node", "mesh/m/virtualGateway/door_shop", "--json")
    answer = trimtab(*node, "--xds", "trimtab.trimtab:18000", "--tls-ca", "/ca.crt")
    (cluster,) = json.loads(answer.stdout)["static_resources"]["clusters"]
    assert "/ca.crt" in json.dumps(cluster["transport_socket"])
    assert trimtab(*node, "--tls-certificate", "/a.crt").returncode == 2
