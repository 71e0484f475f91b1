"""deploy/base on the real API server: the Role suffices for all that Trimtab does, and for no more."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from trimtab.core.model import Change, ObjectRef, PatchOp, Verb
from trimtab.edges.kubernetes import Client, KubernetesPolicyStore, KubernetesStore
from trimtab.errors import Refused, Unavailable
from trimtab.providers.appmesh import AppMesh
from trimtab.testbed.processes import Cluster

BASE = Path(__file__).parent.parent.parent / "deploy" / "base"
MESH = "/apis/appmesh.k8s.aws/v1beta2"
POLICY = "/apis/trimtab.dev/v1alpha1"
WEIGHT = "/spec/routes/0/httpRoute/action/weightedTargets/0/weight"


def documents(name: str) -> list[dict[str, Any]]:
    return [d for d in yaml.safe_load_all((BASE / name).read_text()) if d]


@pytest.fixture(scope="module")
def token(cluster: Cluster) -> Iterator[str]:
    """The token that the pod of our Deployment gets, after all of deploy/base was applied."""
    (kustomization,) = documents("kustomization.yaml")
    for name in kustomization["resources"]:
        for document in documents(name):
            cluster.apply(document)
    yield cluster.token_for("trimtab", "trimtab")
    cluster.request("DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/trimtab")


LANE = {
    "apiVersion": "appmesh.k8s.aws/v1beta2",
    "kind": "GatewayRoute",
    "metadata": {"name": "door"},
    "spec": {
        "httpRoute": {
            "match": {"prefix": "/"},
            "action": {"target": {"virtualService": {"virtualServiceRef": {"name": "web"}}}},
        }
    },
}


@pytest.fixture
def objects(cluster: Cluster, namespace: str) -> str:
    """A router and a policy in a namespace of their own."""
    action = {"weightedTargets": [{"virtualNodeRef": {"name": "v1"}, "weight": 100}]}
    router = {
        "apiVersion": "appmesh.k8s.aws/v1beta2",
        "kind": "VirtualRouter",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"routes": [{"name": "main", "httpRoute": {"action": action}}]},
    }
    target = {"group": "appmesh.k8s.aws", "kind": "VirtualRouter", "name": "web"}
    policy = {
        "apiVersion": "trimtab.dev/v1alpha1",
        "kind": "WeightPolicy",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"targetRef": target},
    }
    cluster.apply(router)
    cluster.apply(policy)
    return namespace


async def test_all_that_the_controller_does_is_allowed(
    cluster: Cluster, token: str, objects: str
) -> None:
    """With the pod's own token: list and watch every kind, patch weights, save a status,
    make, change and delete a GatewayRoute."""
    router = ObjectRef("appmesh.k8s.aws", "VirtualRouter", objects, "web")
    policy = ObjectRef("trimtab.dev", "WeightPolicy", objects, "web")
    async with (
        await Client.connect(cluster.kubeconfig("trimtab", token)) as client,
        KubernetesStore(client, AppMesh().kinds) as routes,
        KubernetesPolicyStore(client) as policies,
    ):
        await routes.wait_synced(30)
        await policies.wait_synced(30)
        assert [*routes.problems, *policies.problems] == []
        await routes.read(fresh=router)
        await routes.apply(Change(router, (PatchOp("replace", WEIGHT, 40),)))
        await policies.save(policy, {"phase": "hold"})
        door = ObjectRef("appmesh.k8s.aws", "GatewayRoute", objects, "door")
        lane = await routes.apply(Change(door, verb=Verb.CREATE, body=LANE))
        label = PatchOp("add", "/metadata/labels", {"seen": "yes"})
        lane = await routes.apply(Change(door, (label,)))
        version = PatchOp("test", "/metadata/resourceVersion", lane.version)
        await routes.apply(Change(door, (version,), Verb.DELETE))
        path = f"{MESH}/namespaces/{objects}/virtualrouters/web"
        labels = {"metadata": {"labels": {"seen": "yes"}}}
        await asyncio.to_thread(
            cluster.request, "PATCH", path, labels, content_type="application/merge-patch+json"
        )
        async with asyncio.timeout(30):
            async for seen in routes.watch():
                if seen[router].body["metadata"].get("labels"):
                    break
        assert (await policies.read())[policy].body["status"] == {"phase": "hold"}


JSON_PATCH = "application/json-patch+json"
DENIED = [
    ("GET", "/api/v1/secrets"),
    ("GET", "/api/v1/namespaces/{ns}/secrets/any"),
    ("GET", "/api/v1/configmaps"),
    ("GET", "/api/v1/pods"),
    ("GET", "/api/v1/serviceaccounts"),
    ("POST", "/api/v1/namespaces/trimtab/serviceaccounts/trimtab/token"),
    ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
    ("PATCH", "/apis/rbac.authorization.k8s.io/v1/clusterroles/trimtab"),
    ("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
    ("GET", "/apis/apps/v1/deployments"),
    ("PATCH", "/api/v1/namespaces/{ns}"),
    ("POST", "/api/v1/namespaces"),
    ("DELETE", "/api/v1/namespaces/{ns}"),
    ("POST", MESH + "/namespaces/{ns}/virtualrouters"),
    ("PUT", MESH + "/namespaces/{ns}/virtualrouters/web"),
    ("DELETE", MESH + "/namespaces/{ns}/virtualrouters/web"),
    ("DELETE", MESH + "/namespaces/{ns}/virtualrouters"),
    ("PATCH", MESH + "/namespaces/{ns}/virtualrouters/web/status"),
    ("PATCH", MESH + "/namespaces/{ns}/virtualnodes/any"),
    ("PATCH", MESH + "/namespaces/{ns}/virtualservices/any"),
    ("PUT", MESH + "/namespaces/{ns}/gatewayroutes/any"),
    ("DELETE", MESH + "/namespaces/{ns}/gatewayroutes"),
    ("PATCH", MESH + "/namespaces/{ns}/virtualgateways/any"),
    ("PATCH", MESH + "/meshes/any"),
    ("POST", POLICY + "/namespaces/{ns}/weightpolicies"),
    ("PATCH", POLICY + "/namespaces/{ns}/weightpolicies/web"),
    ("PUT", POLICY + "/namespaces/{ns}/weightpolicies/web"),
    ("DELETE", POLICY + "/namespaces/{ns}/weightpolicies/web"),
    ("PUT", POLICY + "/namespaces/{ns}/weightpolicies/web/status"),
]


@pytest.mark.parametrize(("method", "path"), DENIED)
def test_nothing_else_is_allowed(
    cluster: Cluster, token: str, objects: str, method: str, path: str
) -> None:
    """The same token gets 403 for whatever the controller does not need."""
    kind = JSON_PATCH if method == "PATCH" else "application/json"
    body: Any = [] if method == "PATCH" else {}
    with pytest.raises(requests.HTTPError) as caught:
        cluster.request(
            method,
            path.format(ns=objects),
            None if method in ("GET", "DELETE") else body,
            token=token,
            content_type=kind,
        )
    assert caught.value.response is not None
    assert caught.value.response.status_code == 403


async def test_what_is_not_allowed_is_refused_by_name(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """A Role that lacks something is told by verb and resource, when reading and when writing."""
    router = ObjectRef("appmesh.k8s.aws", "VirtualRouter", namespace, "web")
    async with (
        await Client.connect(cluster.kubeconfig("nobody")) as client,
        KubernetesStore(client, AppMesh().kinds) as routes,
    ):
        with pytest.raises(Refused, match=r"verb patch on virtualrouters\.appmesh\.k8s\.aws"):
            await routes.apply(Change(router, (PatchOp("replace", WEIGHT, 40),)))
        with pytest.raises(Refused) as caught:
            await routes.wait_synced(60)
        assert all(
            f"get, list and watch on {k.plural}" in str(caught.value) for k in AppMesh().kinds
        )
        with pytest.raises(Unavailable, match="not yet listed"):
            await routes.read()
        assert {p.code for p in routes.problems} == {"Forbidden"}
        assert all("allow get, list and watch on" in p.remedy for p in routes.problems)


def test_the_role_holds_no_wildcard_and_no_verb_twice() -> None:
    """What is granted can be read off, one line a purpose."""
    (role, _) = documents("role.yaml")
    granted = [
        grant
        for rule in role["rules"]
        for grant in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    ]
    assert not any("*" in part for grant in granted for part in grant)
    assert len(granted) == len(set(granted))
    writes = {(kind, verb) for _, kind, verb in granted if verb in ("create", "delete")}
    assert writes == {("gatewayroutes", "create"), ("gatewayroutes", "delete")}
    verbs = {"get", "list", "watch", "patch", "create", "delete"}
    assert {verb for _, _, verb in granted} == verbs


def test_the_pod_passes_the_restricted_standard(cluster: Cluster, token: str) -> None:
    """The API server's own admission takes our pod where nothing but the hardened is let in; it is
    shown that it looks by a pod that differs in one line."""
    (deployment,) = documents("deployment.yaml")
    template = deployment["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "trial",
            "namespace": "trimtab",
            "labels": template["metadata"]["labels"],
        },
        "spec": template["spec"],
    }
    path = "/api/v1/namespaces/trimtab/pods?dryRun=All"
    cluster.request("POST", path, pod)
    template["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(requests.HTTPError, match="violates PodSecurity"):
        cluster.request("POST", path, pod)


def test_the_parts_of_the_deployment_fit_together() -> None:
    """Selectors, names, ports, probes and the service account agree; the file system is read-only."""
    (deployment,) = documents("deployment.yaml")
    (service,) = documents("service.yaml")
    (account,) = documents("serviceaccount.yaml")
    _, binding = documents("role.yaml")
    template = deployment["spec"]["template"]
    labels = template["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert service["spec"]["selector"].items() <= labels.items()
    (container,) = template["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": 8080, "grpc": 9090, "xds": 18000}
    assert {p["targetPort"]: p["port"] for p in service["spec"]["ports"]} == ports
    for name, port in ports.items():
        assert f"--{name}=0.0.0.0:{port}" in container["args"]
    probes = {p: container[f"{p}Probe"]["httpGet"] for p in ("liveness", "readiness", "startup")}
    assert {(p["port"], p["scheme"]) for p in probes.values()} == {("http", "HTTPS")}
    assert {name: p["path"] for name, p in probes.items()} == {
        "liveness": "/healthz",
        "readiness": "/readyz",
        "startup": "/healthz",
    }
    assert template["spec"]["serviceAccountName"] == account["metadata"]["name"]
    (subject,) = binding["subjects"]
    assert (subject["name"], subject["namespace"]) == ("trimtab", account["metadata"]["namespace"])
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_arguments_of_the_deployment_are_understood() -> None:
    """``trimtab run`` takes every flag that the Deployment gives."""
    import typer.main

    from trimtab.cli import app

    (deployment,) = documents("deployment.yaml")
    command, *flags = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    run = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    parsed = run.make_context(command, list(flags))
    assert parsed.params["in_cluster"] is True
    assert not parsed.params["insecure"]
    assert parsed.params["xds"] == "0.0.0.0:18000"


def test_every_kind_that_is_read_is_granted() -> None:
    """A provider that learns of a new kind needs it in the Role."""
    (role, _) = documents("role.yaml")
    granted = {
        (group, resource)
        for rule in role["rules"]
        if {"get", "list", "watch"} <= set(rule["verbs"])
        for group, resource in itertools.product(rule["apiGroups"], rule["resources"])
    }
    assert {(kind.group, kind.plural) for kind in AppMesh().kinds} <= granted
