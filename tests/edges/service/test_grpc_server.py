"""The server around the calls: health, reflection, keys, the end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from edges.service.parts import LOOPBACK, Keys, Router, until
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from trimtab.core.matching import MatchAnswer, TargetWeight
from trimtab.edges.grpc_server import Server, Service
from trimtab.edges.pb.trimtab.v1 import trimtab_pb2 as pb
from trimtab.edges.pb.trimtab.v1.trimtab_pb2_grpc import TrimtabStub
from trimtab.errors import Refused
from trimtab.history import History
from trimtab.serving import Address, Tls

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
ASKED = pb.MatchRequest(request=pb.Request(path="/"))


async def test_health_says_what_it_is_told(
    server: tuple[Server, int], channel: grpc.aio.Channel
) -> None:
    """Health begins with NOT_SERVING and follows set_serving, for the server and the service."""
    stub = HealthStub(channel)
    for told, said in ((None, NOT_SERVING), (True, SERVING), (False, NOT_SERVING)):
        if told is not None:
            await server[0].set_serving(serving=told)
        for name in ("", "trimtab.v1.Trimtab"):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == said


async def test_health_turns_before_the_server_stops(
    server: tuple[Server, int], channel: grpc.aio.Channel
) -> None:
    """A watcher of the health learns of the end while its connection still stands."""
    await server[0].set_serving(serving=True)
    watch = HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == SERVING
    stopping = asyncio.create_task(server[0].stop(20))
    assert (await watch.read()).status == NOT_SERVING
    watch.cancel()
    await stopping


async def test_a_call_under_way_is_finished(history: History) -> None:
    """A stop lets a call that has begun come to its answer."""

    class Slow(Service):
        begun = False
        go_on = asyncio.Event()

        async def Match(  # noqa: N802
            self, request: pb.MatchRequest, context: grpc.aio.ServicerContext
        ) -> pb.MatchResponse:
            Slow.begun = True
            await Slow.go_on.wait()
            return await super().Match(request, context)

    answer = MatchAnswer(targets=(TargetWeight("blue", 1),))
    server = Server(Slow(lambda _: answer, lambda _: None, history, lambda: 0), LOOPBACK)
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = TrimtabStub(channel).Match(ASKED)
        waiting = asyncio.ensure_future(call)
        await until(lambda: Slow.begun)
        stopping = asyncio.create_task(server.stop(20))
        await until(lambda: server._health._gracefully_shutting_down)
        Slow.go_on.set()
        assert (await waiting).matched
        await stopping


async def test_reflection_is_enough_to_call(server: tuple[Server, int], router: Router) -> None:
    """A client that has no stub finds the services by reflection, and calls one."""
    router.answer = MatchAnswer(targets=(TargetWeight("blue", 1),))

    def ask() -> bool:
        with grpc.insecure_channel(f"127.0.0.1:{server[1]}") as channel:
            found = ProtoReflectionDescriptorDatabase(channel)
            assert set(found.get_services()) == {
                "grpc.health.v1.Health",
                "grpc.reflection.v1alpha.ServerReflection",
                "trimtab.v1.Trimtab",
            }
            method = (
                DescriptorPool(found)
                .FindServiceByName("trimtab.v1.Trimtab")
                .FindMethodByName("Match")
            )
            call = channel.unary_unary(
                f"/{method.containing_service.full_name}/{method.name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            request = ParseDict({"request": {"path": "/"}}, GetMessageClass(method.input_type)())
            return bool(call(request).matched)

    assert await asyncio.to_thread(ask)


async def test_plaintext_stays_on_this_machine(service: Service) -> None:
    """Plaintext beyond loopback is refused, unless it is allowed by name."""
    everywhere = Address("0.0.0.0", 0)
    with pytest.raises(Refused, match=r"plaintext on 0\.0\.0\.0:0 can be read"):
        Server(service, everywhere)
    server = Server(service, everywhere, insecure=True)
    assert await server.start() > 0
    await server.stop(0)


async def test_a_taken_port_is_refused(service: Service, server: tuple[Server, int]) -> None:
    """A second server on the same port fails, where it would have taken half of the calls."""
    second = Server(service, Address("127.0.0.1", server[1]))
    with pytest.raises(Refused, match=f"gRPC: cannot listen on 127.0.0.1:{server[1]}"):
        await second.start()


async def test_a_stop_before_the_start_is_nothing(service: Service) -> None:
    """A server that never ran may be stopped."""
    await Server(service, LOOPBACK).stop()


async def match_over(port: int, credentials: grpc.ChannelCredentials) -> bool:
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
        return bool((await TrimtabStub(channel).Match(ASKED, timeout=20)).matched)


async def test_tls(service: Service, router: Router, keys: Keys) -> None:
    """With keys a client that trusts their CA is served, and one that does not goes away."""
    router.answer = MatchAnswer(targets=(TargetWeight("blue", 1),))
    server = Server(service, LOOPBACK, tls=keys.tls)
    port = await server.start()
    try:
        assert await match_over(port, grpc.ssl_channel_credentials(keys.ca.read_bytes()))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await match_over(port, grpc.ssl_channel_credentials(keys.client_ca.read_bytes()))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        await server.stop(0)


async def test_mutual_tls(service: Service, router: Router, keys: Keys) -> None:
    """With a client CA only a client with a certificate of that CA is served."""
    router.answer = MatchAnswer(targets=(TargetWeight("blue", 1),))
    server = Server(service, LOOPBACK, tls=keys.mutual)
    port = await server.start()
    ca = keys.ca.read_bytes()
    known = grpc.ssl_channel_credentials(
        ca, keys.client_key.read_bytes(), keys.client_cert.read_bytes()
    )
    foreign = grpc.ssl_channel_credentials(
        ca, keys.server_key.read_bytes(), keys.server_cert.read_bytes()
    )
    try:
        assert await match_over(port, known)
        for stranger in (grpc.ssl_channel_credentials(ca), foreign):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await match_over(port, stranger)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert len(router.asked) == 1
    finally:
        await server.stop(0)


def test_keys_that_do_not_work_are_refused(service: Service, keys: Keys, tmp_path: Path) -> None:
    """A key of another certificate stops the start with the names of the files."""
    broken = Tls(keys.server_cert, keys.client_key)
    with pytest.raises(Refused) as caught:
        Server(service, LOOPBACK, tls=broken)
    assert str(keys.server_cert) in str(caught.value)
    assert str(keys.client_key) in str(caught.value)
