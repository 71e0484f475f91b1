"""What a store makes of answers that a healthy API server gives rarely."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from edges.kubernetes.wire import OBJECT, Handler, Server

from trimtab.core.model import Change, ObjectRef, PatchOp
from trimtab.edges.kubernetes import Client, KubernetesPolicyStore, KubernetesStore
from trimtab.edges.kubernetes.store import _last_writer
from trimtab.errors import Conflict, Refused
from trimtab.ports import POLICY_KIND, Kind

ROUTER = Kind("appmesh.k8s.aws", "v1beta2", "virtualrouters", "VirtualRouter", namespaced=True)
WEB = ObjectRef("appmesh.k8s.aws", "VirtualRouter", "shop", "web")
POLICY = ObjectRef(POLICY_KIND.group, POLICY_KIND.kind, "shop", "web")
REJECTED = {"kind": "Status", "code": 422, "message": "no", "details": {"causes": [{"field": "x"}]}}
FAILED = {"kind": "Status", "code": 422, "message": "the server rejected it", "details": {}}


def serving(get: web.Response | None = None, patch: web.Response | None = None) -> Handler:
    """Lists one object, never tells any news of it, and answers the rest as given."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if "watch" in request.query:
            await asyncio.Event().wait()
        if "limit" in request.query:
            item = {**OBJECT, "metadata": {**OBJECT["metadata"], "uid": "u"}}
            return web.json_response({"items": [item], "metadata": {"resourceVersion": "1"}})
        given = get if request.method == "GET" else patch
        assert given is not None
        return given

    return answer


def gone() -> web.Response:
    return web.json_response({"kind": "Status", "code": 404, "message": "not found"}, status=404)


async def test_an_object_that_was_found_deleted_is_not_shown(
    server: Server, client: Client
) -> None:
    """A fresh read is right also while the watch has not told of the deletion."""
    server.answer = serving(get=gone())
    async with KubernetesStore(client, [ROUTER]) as store:
        await store.wait_synced(10)
        assert WEB in await store.read()
        assert WEB not in await store.read(fresh=WEB)


@pytest.mark.parametrize(("document", "error"), [(REJECTED, Refused), (FAILED, Conflict)])
async def test_a_rejected_status_is_told_from_a_lost_race(
    server: Server, client: Client, document: dict[str, Any], error: type[Exception]
) -> None:
    """What the schema of the status does not take will not be taken next time either."""
    server.answer = serving(patch=web.json_response(document, status=422))
    async with KubernetesPolicyStore(client) as store:
        await store.wait_synced(10)
        with pytest.raises(error):
            await store.save(POLICY, {"phase": "hold"})


async def test_a_conflict_is_told_though_the_reason_cannot_be_had(
    server: Server, client: Client
) -> None:
    """The look at what stands there may fail too: then a lost race is what it was."""
    broken = web.Response(status=500)
    server.answer = serving(get=broken, patch=web.json_response(FAILED, status=422))
    async with KubernetesStore(client, [ROUTER]) as store:
        await store.wait_synced(10)
        with pytest.raises(Conflict) as caught:
            await store.apply(Change(WEB, (PatchOp("replace", "/spec/x", 1),)))
        assert caught.value.writer is None


async def test_a_bug_in_the_mirror_is_not_silent(
    server: Server, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror that has died would show old routes for ever: whoever reads gets its error."""
    server.answer = serving()
    async with KubernetesStore(client, [ROUTER]) as store:
        monkeypatch.setattr("trimtab.edges.kubernetes.reflector.Reflector._list", None)
        with pytest.raises(TypeError):
            await store.wait_synced(10)
        with pytest.raises(TypeError):
            await store.read()


@pytest.mark.parametrize(
    ("fields", "writer"),
    [
        ([], None),
        ([("kubectl", "2026-11-22T05:00:00Z")], "kubectl"),
        ([("trimtab", "2026-11-22T05:00:01Z"), ("flux", "2026-11-22T05:00:00Z")], "trimtab"),
        ([("trimtab", "2026-11-22T05:00:00Z"), ("flux", "2026-11-22T05:00:00Z")], "flux"),
        ([("flux", "2026-11-22T05:00:00Z"), ("trimtab", "2026-11-22T05:00:00Z")], "flux"),
        ([("kubectl", "2026-11-22T05:00:02Z"), ("flux", "2026-11-22T05:00:01Z")], "kubectl"),
    ],
)
def test_the_last_writer_is_the_other_one(
    fields: list[tuple[str, str]], writer: str | None
) -> None:
    """The API server counts in seconds; of two in the same second the other one is meant."""
    entries = [{"manager": manager, "time": at} for manager, at in fields]
    assert _last_writer({"metadata": {"managedFields": entries}}) == writer
