"""The ADS server: one ``Stream`` for each Envoy that is connected, pumped over gRPC.

Envoys that share a node id (the replicas of a gateway) share a snapshot.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import structlog
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
from google.protobuf import any_pb2

from trimtab.edges.xds.snapshot import EMPTY, NodeResources, Resources, Snapshot, snapshot
from trimtab.edges.xds.stream import Stream
from trimtab.edges.xds.subscription import Missing, Refusal, Request, Response
from trimtab.errors import Refused
from trimtab.ports import Clock
from trimtab.serving import Address, Tls, require_safe

_KEPT = 20  # refusals of a node that are kept to be shown
_REMEMBERED = 40  # sets of resources of a node that Envoys left with
_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a lottery
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # Envoys ping us, see bootstrap
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """One Envoy. ``versions`` are the acknowledged ones by type; ``missing`` is what it lacks."""

    peer: str
    since: float
    versions: Mapping[str, str]
    complete: bool
    missing: tuple[Missing, ...]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node id. ``known`` is False when nothing is declared for it; ``version`` is offered."""

    node: str
    known: bool
    version: str
    pushed: int
    acknowledged: int
    refused: int
    refusals: tuple[Refusal, ...]
    connections: tuple[ConnectionStatus, ...]


@dataclass(slots=True, eq=False)
class _Node:
    name: str
    offered: Snapshot | None = None
    good: Snapshot | None = None  # the last that an Envoy took as a whole
    bad: str = ""  # version of the last that an Envoy refused
    pushed: int = 0
    acknowledged: int = 0
    refused: int = 0
    refusals: deque[Refusal] = field(default_factory=lambda: deque(maxlen=_KEPT))
    sessions: list[_Session] = field(default_factory=list)
    memory: dict[tuple[str, str], Resources] = field(default_factory=dict)

    def recall(self, type_url: str, version: str) -> Resources | None:
        """What an Envoy holds that left with this version, and now comes back."""
        return self.memory.get((type_url, version))

    def remember(self, stream: Stream) -> None:
        for type_url, version, resources in stream.known():
            self.memory.pop((type_url, version), None)
            self.memory[type_url, version] = resources
        for oldest in list(self.memory)[:-_REMEMBERED]:
            del self.memory[oldest]


@dataclass(slots=True, eq=False)
class _Session:
    node: _Node
    stream: Stream
    peer: str
    since: float
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    behind: bool = False  # is first given the last good snapshot
    open: bool = True


class XdsServer:
    """Serves what ``resources_for`` answers for a node id; None is a node that nobody declared.

    ``patience_s``: how long everything else waits for new clusters to find their addresses.
    Plaintext is served on loopback alone, unless ``plaintext_anywhere``.
    """

    def __init__(
        self,
        resources_for: Callable[[str], NodeResources | None],
        *,
        clock: Clock,
        tls: Tls | None = None,
        plaintext_anywhere: bool = False,
        patience_s: float = 5.0,
    ) -> None:
        self._resources_for = resources_for
        self._clock = clock
        self._tls = tls
        self._plaintext_anywhere = plaintext_anywhere
        self._patience_s = patience_s
        self._nodes: dict[str, _Node] = {}
        self._moved = asyncio.Event()
        self._closing = False
        self._server: grpc.aio.Server | None = None

    async def start(self, address: str) -> int:
        """Listen on ``host:port`` (port 0: a free one) or ``unix:path``; the port, 0 for a socket.

        Raises Refused where plaintext would leave this machine, or the address is not to be had.
        """
        credentials = self._credentials(address)
        server = grpc.aio.server(options=_OPTIONS)
        ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(_Servicer(self), server)
        try:
            if credentials is None:
                port: int = server.add_insecure_port(address)
            else:
                port = server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise Refused(f"xDS cannot listen on {address}: {error}") from error
        self._closing = False
        await server.start()
        self._server = server
        return 0 if address.startswith("unix:") else port

    async def stop(self, grace_s: float = 1.0) -> None:
        """End all streams and the server. The Envoys keep what they have and come back later."""
        self._closing = True
        for session in self._sessions():
            session.wake.set()
        if self._server is not None:
            await self._server.stop(grace_s)
            self._server = None

    def publish(self) -> None:
        """The objects changed: offer every connected Envoy what is different for it."""
        for node in self._nodes.values():
            if node.sessions and self._translate(node):
                for session in node.sessions:
                    self._offer(session)
                    session.wake.set()

    async def acknowledged(self, deadline_s: float) -> dict[str, str]:
        """Wait until the connected Envoys have what was last published; what is missing, by node.

        Empty when all is in place. A refusal is known at once; the rest is waited for.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        while True:
            moved = self._moved
            missing = {s: s.stream.missing() for s in self._sessions()}
            waits = any(m.refused is None for found in missing.values() for m in found)
            left = end - loop.time()
            if not waits or left <= 0:
                return _problems(missing, deadline_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(moved.wait(), left)

    def status(self) -> tuple[NodeStatus, ...]:
        """Every node that was ever connected, and what its Envoys have."""
        return tuple(_status(node) for node in self._nodes.values())

    # --- one stream ------------------------------------------------------------------------------

    async def serve(
        self, requests: AsyncIterator[Any], context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        first = await anext(requests, None)
        if first is None:
            return
        if not first.node.id:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the node has no id")
        session = self._open(first, context.peer())
        reader = asyncio.create_task(self._read(session, requests))
        try:
            while session.open and not self._closing:
                session.wake.clear()
                while (response := self._next(session)) is not None:
                    session.node.pushed += 1
                    await context.write(_encode(response))
                await self._rest(session)
        finally:
            reader.cancel()
            self._leave(session)

    async def _rest(self, session: _Session) -> None:
        """Until something happens, or the stream may go on by itself."""
        wake_at = session.stream.wake_at
        timeout = None if wake_at is None else max(0.0, wake_at - self._clock.now())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(session.wake.wait(), timeout)

    async def _read(self, session: _Session, requests: AsyncIterator[Any]) -> None:
        try:
            async for request in requests:
                self._receive(session, request)
        finally:
            session.open = False
            session.wake.set()

    def _open(self, first: Any, peer: str) -> _Session:
        node = self._nodes.setdefault(first.node.id, _Node(first.node.id))
        stream = Stream(self._patience_s, node.recall)
        session = _Session(node, stream, peer, self._clock.now())
        self._translate(node)
        # An Envoy with nothing is first given what is known to be good.
        fresh = not first.version_info
        session.behind = fresh and node.good is not None
        self._offer(session)
        node.sessions.append(session)
        if node.offered is None:
            log.warning("xds.unknown_node", node=node.name, peer=peer)
        log.info("xds.connected", node=node.name, peer=peer, fresh=fresh)
        self._receive(session, first)
        return session

    def _leave(self, session: _Session) -> None:
        node = session.node
        node.sessions.remove(session)
        node.remember(session.stream)
        if not node.sessions and node.offered is None:
            del self._nodes[node.name]
        self._notify()
        log.info("xds.disconnected", node=node.name, peer=session.peer)

    def _receive(self, session: _Session, message: Any) -> None:
        error = message.error_detail.message or "refused without a word"
        request = Request(
            message.type_url,
            message.version_info,
            message.response_nonce,
            tuple(message.resource_names),
            error if message.HasField("error_detail") else None,
        )
        before = session.stream.acknowledged
        refusal = session.stream.receive(request, self._clock.now())
        node = session.node
        node.acknowledged += session.stream.acknowledged - before
        if refusal is not None:
            self._refused(session, refusal)
        session.wake.set()
        self._notify()

    def _refused(self, session: _Session, refusal: Refusal) -> None:
        node = session.node
        node.refused += 1
        node.refusals.append(refusal)
        node.bad = session.stream.target.version if session.stream.target else ""
        log.error(
            "xds.refused",
            node=node.name,
            peer=session.peer,
            type=refusal.type_url.rsplit(".", 1)[-1],
            resources=list(refusal.names),
            error=refusal.message,
        )

    def _next(self, session: _Session) -> Response | None:
        """The next response; an Envoy that took all of the last good snapshot is given the newest."""
        node, stream = session.node, session.stream
        response = stream.next(self._clock.now())
        if response is not None or not stream.complete:
            return response
        session.behind = False
        if stream.target is node.offered:
            node.good = node.offered
            return None
        self._offer(session)
        return stream.next(self._clock.now())

    # --- snapshots ---------------------------------------------------------------------------------

    def _translate(self, node: _Node) -> bool:
        """Bring the offer up to date; whether it changed. A node that vanished keeps its last."""
        resources = self._resources_for(node.name)
        if resources is None:
            return False
        before, node.offered = node.offered, snapshot(resources, node.offered or EMPTY)
        return node.offered is not before

    def _offer(self, session: _Session) -> None:
        node = session.node
        behind = session.behind and node.offered is not None and node.offered.version == node.bad
        offer = node.good if behind else node.offered
        if offer is not None:
            session.stream.offer(offer)

    def _notify(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _sessions(self) -> list[_Session]:
        return [session for node in self._nodes.values() for session in node.sessions]

    def _credentials(self, address: str) -> grpc.ServerCredentials | None:
        """What protects ``address``; None for plaintext, which stays on this machine."""
        if not address.startswith("unix:"):
            where = Address.parse(address, "xds")
            require_safe("xDS", where, self._tls, insecure=self._plaintext_anywhere)
        return None if self._tls is None else _server_credentials(self._tls)


class _Servicer(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):  # type: ignore[misc]
    def __init__(self, server: XdsServer) -> None:
        self._server = server

    async def StreamAggregatedResources(  # noqa: N802 - the name in the protocol
        self, request_iterator: AsyncIterator[Any], context: Any
    ) -> None:
        await self._server.serve(request_iterator, context)


def _encode(response: Response) -> Any:
    message = discovery_pb2.DiscoveryResponse(
        version_info=response.version, type_url=response.type_url, nonce=response.nonce
    )
    message.control_plane.identifier = "trimtab"
    message.resources.extend(
        any_pb2.Any(type_url=response.type_url, value=resource.body)
        for resource in response.resources.values()
    )
    return message


def _status(node: _Node) -> NodeStatus:
    return NodeStatus(
        node.name,
        node.offered is not None,
        node.offered.version if node.offered else "",
        node.pushed,
        node.acknowledged,
        node.refused,
        tuple(node.refusals),
        tuple(_connection(session) for session in node.sessions),
    )


def _connection(session: _Session) -> ConnectionStatus:
    stream = session.stream
    missing = tuple(stream.missing())
    return ConnectionStatus(session.peer, session.since, stream.versions, stream.complete, missing)


def _problems(missing: Mapping[_Session, list[Missing]], waited_s: float) -> dict[str, str]:
    problems: dict[str, list[str]] = {}
    for session, found in missing.items():
        for m in found:
            why = m.refused or f"not acknowledged within {waited_s:g} s"
            problems.setdefault(session.node.name, []).append(f"{m.name}: {why}")
    return {node: "; ".join(dict.fromkeys(texts)) for node, texts in problems.items()}


def _server_credentials(tls: Tls) -> grpc.ServerCredentials:
    pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
    ca = tls.client_ca.read_bytes() if tls.client_ca else None
    return grpc.ssl_server_credentials([pair], ca, require_client_auth=ca is not None)
