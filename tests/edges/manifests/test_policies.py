"""The state file: what Trimtab remembers about policies that people keep in files."""

# ruff: noqa: ASYNC240 - the files of a test are small
from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from edges.manifests.routers import Wall

from trimtab.core.model import ObjectRef
from trimtab.edges.manifests import ManifestPolicyStore
from trimtab.errors import Conflict, Refused, Unavailable

WEB = ObjectRef("trimtab.dev", "WeightPolicy", "shop", "web")
POLICY = """apiVersion: trimtab.dev/v1alpha1
kind: WeightPolicy
metadata: {name: web, namespace: shop}
spec: {targetRef: {group: appmesh.k8s.aws, kind: VirtualRouter, name: web}}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return file


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "trimtab.json"


def opened(policy: Path, state: Path) -> ManifestPolicyStore:
    return ManifestPolicyStore([policy], state, Wall())


async def test_the_state_file_is_readable_and_versioned(policy: Path, state: Path) -> None:
    """A person and the next version of Trimtab can tell what it is; its folder is made."""
    await opened(policy, state).save(WEB, {"phase": "aborted"})
    assert json.loads(state.read_text()) == {
        "format": "trimtab.dev/state/v1",
        "policies": {"shop/web": {"phase": "aborted"}},
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "not JSON"),
        ('{"format": "trimtab.dev/state/v1", "policies": {"shop/', "not JSON"),
        ("[]", "not a state file"),
        ('{"format": "trimtab.dev/state/v9", "policies": {}}', "trimtab.dev/state/v9"),
        ('{"policies": {}}', "its format is None"),
        ('{"format": "trimtab.dev/state/v1", "policies": {"shop/web": 7}}', "shop/web"),
    ],
)
async def test_a_spoilt_state_file_is_refused_and_kept(
    policy: Path, state: Path, content: str, reason: str
) -> None:
    """Without its memory Trimtab must not go on by itself: an abort could be forgotten."""
    state.parent.mkdir()
    state.write_text(content)
    policies = opened(policy, state)
    for attempt in (policies.read(), policies.save(WEB, {"phase": "new"})):
        with pytest.raises(Refused) as caught:
            await attempt
        assert reason in str(caught.value)
        assert str(state) in str(caught.value)
        assert "Remedy" in str(caught.value)
    assert state.read_text() == content


async def test_an_abort_outlives_the_absence_of_its_policy(policy: Path, state: Path) -> None:
    """A policy file that is away for a while, or broken, comes back with what was remembered."""
    policies = opened(policy, state)
    await policies.save(WEB, {"phase": "aborted"})
    policy.rename(policy.with_suffix(".away"))
    other = policy.with_name("other.yaml")
    other.write_text(POLICY.replace("name: web,", "name: other,"))
    later = opened(other, state)
    await later.save(WEB._replace(name="other"), {"phase": "hold"})
    with pytest.raises(Conflict, match="no such policy"):
        await later.save(WEB, {"phase": "hold"})
    policy.with_suffix(".away").rename(policy)
    found = (await opened(policy, state).read())[WEB]
    assert found.body["status"] == {"phase": "aborted"}


async def test_a_status_in_the_manifest_is_passed_over(policy: Path, state: Path) -> None:
    """An export of a cluster's policy does not bring that cluster's memory along."""
    policy.write_text(POLICY + "status: {phase: aborted}\n")
    policies = opened(policy, state)
    assert "status" not in (await policies.read())[WEB].body
    await policies.save(WEB, {"phase": "ours"})
    assert (await policies.read())[WEB].body["status"] == {"phase": "ours"}
    assert policy.read_text() == POLICY + "status: {phase: aborted}\n"


async def test_a_state_that_cannot_be_written_is_not_saved(
    policy: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller is told, and what was saved before stands, in the file and for readers."""
    policies = opened(policy, state)
    await policies.save(WEB, {"phase": "first"})

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(Unavailable, match="No space left"):
            await policies.save(WEB, {"phase": "second"})
    assert (await policies.read())[WEB].body["status"] == {"phase": "first"}
    assert (await opened(policy, state).read())[WEB].body["status"] == {"phase": "first"}


async def test_a_status_that_is_no_json_is_a_mistake_of_the_caller(
    policy: Path, state: Path
) -> None:
    """It is raised where it was made, and no file is written."""
    with pytest.raises(ValueError, match="JSON"):
        await opened(policy, state).save(WEB, {"at": float("nan")})
    assert not state.exists()


async def test_two_processes_save_side_by_side(policy: Path, state: Path) -> None:
    """Each adds to what the other has written, and neither loses a status."""
    names = [f"p{i}" for i in range(40)]
    policy.write_text("---\n".join(POLICY.replace("name: web,", f"name: {n},") for n in names))
    stores = [opened(policy, state), opened(policy, state)]
    await asyncio.gather(
        *(
            stores[i % 2].save(WEB._replace(name=name), {"phase": name})
            for i, name in enumerate(names)
        )
    )
    found = await opened(policy, state).read()
    assert sorted(o.body["status"]["phase"] for o in found.values()) == sorted(names)
