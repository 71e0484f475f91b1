"""The stage of the demo: manifests without fault, real processes, and nothing left running."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trimtab.commands.lint import lint_command
from trimtab.demo.plot import ACTS, ARMS, SERVICES, STEERED, TOTAL_S
from trimtab.demo.recorder import Recorder, Tail
from trimtab.demo.stage import set_stage
from trimtab.demo.world import Files, manifests, render
from trimtab.testbed.processes import poll


@pytest.fixture
def mesh(tmp_path: Path) -> Files:
    """All manifests and policies of the demo, written as the demo writes them."""
    world = Files(tmp_path)
    ports = {t.name: 9000 + i for i, t in enumerate(t for s in SERVICES for t in s.targets)}
    world.put("mesh", render("mesh", {}))
    for arm in ARMS:
        for name, text in manifests(arm, 8000, ports):
            world.put(name, text)
    world.put("policy-shop", render("policy-shop", {"namespace": STEERED}))
    world.put("policy-pay", render("policy-pay", {"namespace": STEERED, "revision": "r1"}))
    return world


def test_our_manifests_are_without_fault(
    mesh: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lint finds nothing in the demo's manifests, not even what our xDS would not honour."""
    code = lint_command(
        [tmp_path / "mesh"], xds=True, strict=True, fix=False, values=(), as_json=True
    )
    assert json.loads(capsys.readouterr().out)["diagnostics"] == []
    assert code == 0


def test_the_weights_are_read_from_the_steered_routers(mesh: Files) -> None:
    """What the demo shows as weights is what stands in the manifests of the steered arm."""
    started_with = {s.name: {t.name: t.weights[STEERED] for t in s.targets} for s in SERVICES}
    assert mesh.weights() == started_with


def test_the_script_fits_its_time() -> None:
    """Four acts under 100 s; each cue falls within its act."""
    assert [act.number for act in ACTS] == [1, 2, 3, 4]
    assert TOTAL_S < 100
    assert all(0 <= cue.at < act.seconds for act in ACTS for cue in act.cues)


def test_a_tail_gives_whole_lines_once(tmp_path: Path) -> None:
    """A line that is still being written is left for the next look; no line comes twice."""
    path = tmp_path / "log"
    tail = Tail(path)
    assert list(tail.lines()) == []
    with path.open("w") as file:
        file.write("one\ntw")
        file.flush()
        assert list(tail.lines()) == ["one\n"]
        file.write("o\n")
        file.flush()
        assert list(tail.lines()) == ["two\n"]
    assert list(tail.lines()) == []


def test_the_stage_carries_traffic_and_is_cleared(envoy_binary: Path, tmp_path: Path) -> None:
    """On a real stage both arms serve both services, a policy is decided on, faults are felt;
    afterwards no process is left."""
    with set_stage(tmp_path, cluster=False, tell=lambda _: None) as stage:
        recorder = Recorder(stage)
        run = recorder.recording

        def seen(service: str, arm: str) -> int:
            return run.felt_in(service, arm, 0, TOTAL_S).requests

        def felt() -> bool:
            recorder.look()
            return all(seen(s.name, arm) > 50 for s in SERVICES for arm in ARMS)

        assert poll(felt, 20), stage.load.log()
        assert {r.outcome for r in run.requests()} == {"200"}
        stage.apply("policy-shop")
        stage.fault("pay-stable", errors=1)

        def decided() -> bool:
            recorder.look()
            failing = any(r.outcome == "500" for r in run.requests())
            return failing and any(t.service == "shop" for t in run.told)

        assert poll(decided, 20), stage.trimtab.log()
        assert sum(run.served_in("shop", STEERED, 0, TOTAL_S).values()) > 0
        processes = [stage.trimtab, stage.load, *stage.envoys.values()]
        stage.check()
    assert [p.name for p in processes if p.running] == []
