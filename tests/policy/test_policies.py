"""WeightPolicy documents: what is read, and how each mistake is told."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from trimtab.core.model import Object, ObjectRef, Origin, Role
from trimtab.core.policy import Mode
from trimtab.crds import crd
from trimtab.errors import InvalidDocument
from trimtab.policies import read_policy, spec_schema

GOOD = """
apiVersion: trimtab.dev/v1alpha1
kind: WeightPolicy
metadata: {name: web, namespace: shop}
spec:
  targetRef: {group: appmesh.k8s.aws, kind: VirtualRouter, name: web}
  mode: canary
  targets:
    - {name: web-v1, role: stable}
    - {name: web-v2, role: canary, maxPercent: 50}
  canary: {steps: [1, 10.5, 100], stepSeconds: 30, revision: "42"}
  abort: {maxErrorRatio: 0.02, latency: {maxMilliseconds: 250}}
status: {phase: ramping}
"""


def read(text: str) -> Any:
    body = yaml.safe_load(text)
    ref = ObjectRef("trimtab.dev", "WeightPolicy", "shop", "web")
    return read_policy(Object(ref, "1", body, Origin("policy.yaml", 2, 7)))


def edited(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_policy_is_read_with_its_defaults() -> None:
    """In camelCase in the document, typed and defaulted in the program."""
    policy = read(GOOD)
    assert (policy.namespace, policy.name, policy.spec.mode) == ("shop", "web", Mode.CANARY)
    assert policy.spec.targets[1].role is Role.CANARY
    assert policy.spec.canary.steps == (1.0, 10.5, 100.0)
    assert policy.spec.abort.latency.quantile == 0.99
    assert policy.spec.rails.max_step_percent == 10.0


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("stepSeconds: 30", "stepsSeconds: 30", "did you mean stepSeconds?"),
        ("mode: canary", "mode: canaries", "spec.mode: input should be"),
        ("maxPercent: 50", 'maxPercent: "50"', "spec.targets[1].maxPercent: input should be a"),
        ("maxErrorRatio: 0.02", "maxErrorRatio: 2", "less than or equal to 1 (given 2)"),
        ("[1, 10.5, 100]", "[10, 1]", "spec.canary.steps: each step must be above"),
        ("role: stable", "role: none", "needs a target with role stable"),
        ("web-v2, role: canary", "web-v1, role: canary", "web-v1 is listed twice"),
        ("kind: VirtualRouter, ", "", "spec.targetRef.kind: missing"),
        ("trimtab.dev/v1alpha1", "trimtab.dev/v1", "write trimtab.dev/v1alpha1"),
        ("status: {phase: ramping}", "specs: {}", "specs: unknown field; did you mean spec?"),
    ],
)
def test_a_mistake_names_file_document_field_and_remedy(old: str, new: str, told: str) -> None:
    """Each mistake is told where it stands, and what to write instead."""
    with pytest.raises(InvalidDocument) as error:
        read(edited(old, new))
    assert "policy.yaml:7 (document 2)" in str(error.value)
    assert told in str(error.value)


def test_every_mistake_is_told_at_once() -> None:
    """A person mends a document once, not once for each mistake."""
    broken = edited("stepSeconds: 30", "stepsSeconds: 30").replace("mode: canary", "mode: x")
    with pytest.raises(InvalidDocument) as error:
        read(broken)
    assert len(str(error.value).splitlines()) == 3


def test_every_field_of_the_crd_is_described() -> None:
    """The CRD is what `kubectl explain` reads: no field without a sentence, none pruned."""

    def walk(node: dict[str, Any]) -> None:
        for child in node.get("properties", {}).values():
            assert child["description"]
            assert child["type"]
            walk(child)
            walk(child.get("items", {}))

    walk(spec_schema())


def test_crd_takes_what_the_reader_takes(cluster: Any) -> None:
    """The real API server stores the document above unpruned, and refuses a wrong enum."""
    cluster.apply(crd())
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop-crd"}}
    cluster.apply(namespace)
    body = yaml.safe_load(GOOD)
    body["metadata"]["namespace"] = "shop-crd"
    del body["status"]
    stored = cluster.apply(body)
    for key, value in body["spec"].items():
        if isinstance(value, dict):
            assert value.items() <= stored["spec"][key].items()
        else:
            assert stored["spec"][key] == value
    body["spec"]["mode"] = "canaries"
    with pytest.raises(Exception, match="mode"):
        cluster.apply(body)


@pytest.mark.parametrize(
    ("steering", "mode", "told"),
    [
        ({"way": "retarget"}, "canary", "needs 2, there are 0"),
        ({"way": "retarget", "services": ["a", "b", "c"]}, "canary", "needs 2, there are 3"),
        ({"way": "annotate", "services": ["a"]}, "canary", "needs 2 to 10, there are 1"),
        ({"way": "resolve", "services": ["a", "b"]}, "canary", "needs 0, there are 2"),
        ({"way": "retarget", "services": ["a", "a"]}, "canary", "listed twice"),
        ({"way": "lane", "services": ["a", "b"]}, "canary", "needs headers, cookies"),
        (
            {"way": "retarget", "services": ["a", "b"], "match": {"host": "x"}},
            "canary",
            "knows no match",
        ),
        ({"way": "retarget", "services": ["a", "b"]}, "optimise", "is a switch"),
        ({"way": "sideways", "services": ["a", "b"]}, "canary", "spec.steering.way"),
    ],
)
def test_a_steering_that_makes_no_sense_is_refused(
    steering: dict[str, Any], mode: str, told: str
) -> None:
    """What a way needs and what it cannot use is said with its field."""
    targets = [{"name": "a", "role": "stable"}, {"name": "b", "role": "canary"}]
    spec = {
        "targetRef": {"group": "appmesh.k8s.aws", "kind": "GatewayRoute", "name": "door"},
        "mode": mode,
        "steering": steering,
        "targets": targets,
    }
    body = {
        "apiVersion": "trimtab.dev/v1alpha1",
        "kind": "WeightPolicy",
        "metadata": {"name": "pay", "namespace": "shop"},
        "spec": spec,
    }
    ref = ObjectRef("trimtab.dev", "WeightPolicy", "shop", "pay")
    with pytest.raises(InvalidDocument, match=told):
        read_policy(Object(ref, "1", body))
