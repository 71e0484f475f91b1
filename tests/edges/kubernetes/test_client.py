"""What goes over the wire, seen from the other end of a loopback connection."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from edges.kubernetes.wire import SECRET, Handler, Server
from kubernetes.aio.client.configuration import Configuration

from trimtab.core.model import Change, ObjectRef, PatchOp
from trimtab.edges.kubernetes import Client, KubernetesStore
from trimtab.edges.kubernetes.answers import NO_ANSWER, ApiError
from trimtab.edges.kubernetes.credentials import TokenFile, from_pod
from trimtab.errors import Refused, TrimtabError, Unavailable
from trimtab.ports import Kind

ROUTER = Kind("appmesh.k8s.aws", "v1beta2", "virtualrouters", "VirtualRouter", namespaced=True)
NAMESPACE = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
WEB = ObjectRef("appmesh.k8s.aws", "VirtualRouter", "shop", "web")


async def test_a_patch_as_it_goes_over_the_wire(server: Server, client: Client) -> None:
    """A JSON Patch, by its content type, under our name, with our token."""
    await client.patch(ROUTER, WEB, [PatchOp("test", "/a", 1), PatchOp("replace", "/b", 2)])
    (request,) = server.requests
    assert request.method == "PATCH"
    assert request.path == "/apis/appmesh.k8s.aws/v1beta2/namespaces/shop/virtualrouters/web"
    assert dict(request.query) == {"fieldManager": "trimtab"}
    assert request.headers["Content-Type"] == "application/json-patch+json"
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    assert request.headers["User-Agent"].startswith("trimtab/")
    assert json.loads(server.bodies[0]) == [
        {"op": "test", "path": "/a", "value": 1},
        {"op": "replace", "path": "/b", "value": 2},
    ]


async def test_a_status_goes_to_the_subresource(server: Server, client: Client) -> None:
    """The path ends in /status."""
    await client.patch(ROUTER, WEB, [], "status")
    assert server.requests[0].path.endswith("/virtualrouters/web/status")
    assert json.loads(server.bodies[0]) == []


async def test_lists_and_watches_as_they_go_over_the_wire(server: Server, client: Client) -> None:
    """Pages with their token, watches with bookmarks, from a version, for a while."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if "watch" in request.query:
            return web.Response(text='{"type":"BOOKMARK","object":{}}\n{"type":"ADD')
        return web.json_response({"items": [], "metadata": {}})

    server.answer = answer
    await client.page(ROUTER, "", "")
    await client.page(NAMESPACE, "", "next")
    async with client.watch(ROUTER, "shop", "77", 250) as events:
        assert [event["type"] async for event in events] == ["BOOKMARK"], "half an event is none"
    first, second, watch = server.requests
    assert (first.path, dict(first.query)) == (
        "/apis/appmesh.k8s.aws/v1beta2/virtualrouters",
        {"limit": "500"},
    )
    assert (second.path, dict(second.query)) == (
        "/api/v1/namespaces",
        {"limit": "500", "continue": "next"},
    )
    assert watch.path == "/apis/appmesh.k8s.aws/v1beta2/namespaces/shop/virtualrouters"
    assert dict(watch.query) == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "77",
        "timeoutSeconds": "250",
    }


async def test_a_watch_that_falls_silent_ends(
    server: Server, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that has died without a word is not waited for until the watch is due to end."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type":"BOOKMARK","object":{}}\n')
        await asyncio.Event().wait()
        return response

    server.answer = answer
    monkeypatch.setattr("trimtab.edges.kubernetes.client._SILENCE_S", 0.1)
    async with asyncio.timeout(20), client.watch(ROUTER, "shop", "77", 250) as events:
        assert [event["type"] async for event in events] == ["BOOKMARK"]


async def test_a_name_cannot_lead_elsewhere(server: Server, client: Client) -> None:
    """Names come from documents: whatever is in them stays one part of the path."""
    await client.get(ROUTER, "shop", "../../secrets/x?y")
    assert server.requests[0].raw_path.endswith("/virtualrouters/..%2F..%2Fsecrets%2Fx%3Fy")


async def silent(_: web.BaseRequest) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def broken(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def not_json(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="<html>", content_type="text/html")


async def not_kubernetes(_: web.BaseRequest) -> web.StreamResponse:
    return web.json_response({"hello": "world"})


async def elsewhere(_: web.BaseRequest) -> web.StreamResponse:
    return web.json_response({"message": f"bad token {SECRET[:0]}"}, status=502)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (silent, "within 0.5 s"),
        (broken, "no answer"),
        (not_json, "cannot be read"),
        (not_kubernetes, "not one of a Kubernetes API server"),
        (elsewhere, "bad token"),
    ],
)
async def test_whatever_goes_wrong_is_unavailable(
    server: Server, client: Client, answer: Handler, words: str
) -> None:
    """One kind of error for the stores' callers, with its cause, and never with our token."""
    server.answer = answer
    store = KubernetesStore(client, [ROUTER])
    with pytest.raises(Unavailable, match=words) as caught:
        await store.apply(Change(WEB, (PatchOp("replace", "/a", 1),)))
    assert SECRET not in _everything(caught.value)


async def test_nobody_listening_is_unavailable() -> None:
    """A refused connection too."""
    client = Client(Configuration(host="http://127.0.0.1:9"), timeout_s=2)
    with pytest.raises(ApiError) as caught:
        await client.get(ROUTER, "shop", "web")
    assert caught.value.status == NO_ANSWER
    await client.close()


def _everything(error: BaseException) -> str:
    """An error and its causes, as a log would show them."""
    text = f"{error!r} {error} {vars(error)}"
    return text + (_everything(error.__cause__) if error.__cause__ else "")


# --- credentials ---------------------------------------------------------------------------


async def test_a_rotated_token_is_used_at_once(server: Server, tmp_path: Path) -> None:
    """The kubelet replaces the file through a link to a folder, as a projected volume has it."""
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
    (tmp_path / "ca.crt").write_text("ca")
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "token").write_text(f"token-{version}\n")
    data = tmp_path / "..data"
    data.symlink_to("one")
    (tmp_path / "token").symlink_to("..data/token")
    configuration = from_pod(environ, tmp_path / "token", tmp_path / "ca.crt")
    assert configuration.host == "https://127.0.0.1:1"
    configuration.host, configuration.ssl_ca_cert = server.url, None
    client = Client(configuration)
    await client.get(ROUTER, "shop", "web")
    data.unlink()
    await client.get(ROUTER, "shop", "web")  # while it is away the last one serves on
    data.symlink_to("two")
    await client.get(ROUTER, "shop", "web")
    await client.close()
    sent = [request.headers["Authorization"] for request in server.requests]
    assert sent == ["Bearer token-one", "Bearer token-one", "Bearer token-two"]


def test_a_token_file_that_never_was_is_an_error(tmp_path: Path) -> None:
    """Nothing is sent without a token."""
    with pytest.raises(FileNotFoundError):
        TokenFile(tmp_path / "token")(Configuration())


def kubeconfig(path: Path, user: dict[str, Any], server: str = "http://127.0.0.1:1") -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("way", ["named", "KUBECONFIG", "home"])
async def test_the_kubeconfig_is_found_as_kubectl_finds_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The file named, else $KUBECONFIG, else the one of the home folder."""
    (tmp_path / ".kube").mkdir()
    file = kubeconfig(tmp_path / ".kube" / "config", {"token": SECRET}, server.url)
    monkeypatch.setenv("HOME", str(tmp_path if way == "home" else tmp_path / "nowhere"))
    client = await Client.connect(
        file if way == "named" else None,
        environ={"KUBECONFIG": str(file)} if way == "KUBECONFIG" else {},
    )
    await client.get(ROUTER, "shop", "web")
    await client.close()
    assert server.requests[0].headers["Authorization"] == f"Bearer {SECRET}"


async def test_a_token_file_of_a_kubeconfig_is_asked_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a minute, as what an exec plugin gave is too."""
    (tmp_path / "token").write_text("one")
    file = kubeconfig(tmp_path / "config", {"tokenFile": str(tmp_path / "token")}, server.url)
    client = await Client.connect(file)
    await client.get(ROUTER, "shop", "web")
    (tmp_path / "token").write_text("two")
    await client.get(ROUTER, "shop", "web")
    loop = asyncio.get_running_loop()
    ahead = loop.time() + 61
    with monkeypatch.context() as patched:
        patched.setattr(loop, "time", lambda: ahead)
        await client.get(ROUTER, "shop", "web")
    await client.close()
    sent = [request.headers["Authorization"] for request in server.requests]
    assert sent == ["Bearer one", "Bearer one", "Bearer two"]


@pytest.mark.parametrize(
    "content",
    [f"users: [{{token: {SECRET}\n", f"{SECRET}: : x", "clusters: 7\n", f"token: {SECRET}\n", ""],
)
async def test_a_spoilt_kubeconfig_is_refused_without_its_secrets(
    tmp_path: Path, content: str
) -> None:
    """The error names the file and the remedy, and quotes nothing out of it."""
    file = tmp_path / "config"
    file.write_text(content)
    with pytest.raises(TrimtabError) as caught:
        await Client.connect(file)
    assert str(file) in str(caught.value)
    assert "Remedy" in str(caught.value)
    assert SECRET not in _everything(caught.value)


async def test_no_way_to_a_cluster_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With neither a kubeconfig nor a pod the error says what to do; nor is a wrong name guessed."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(Refused, match="name a kubeconfig"):
        await Client.connect(environ={})
    with pytest.raises(Refused, match="nowhere"):
        await Client.connect(tmp_path / "nowhere")
    pod = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
    with pytest.raises(Refused, match="service account"):
        await Client.connect(environ=pod)
    file = kubeconfig(tmp_path / "config", {"token": base64.b64encode(b"x").decode()})
    with pytest.raises(Refused, match="other"):
        await Client.connect(file, "other")
