"""Around a real Envoy: applications that say who they are, a raw HTTP client, our control plane."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from xds_harness.documents import GATEWAY_ID, Document, Store

from trimtab.edges.xds.bootstrap import ClientTls, bootstrap
from trimtab.edges.xds.server import XdsServer
from trimtab.providers.appmesh import AppMesh
from trimtab.providers.appmesh.envoy import Ports, Translator
from trimtab.testbed.processes import Envoy


class LoopClock:
    """Implements ``ports.Clock`` by the event loop's own time."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


PORTS = Ports()
Resources = Mapping[str, Mapping[str, bytes]]


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def seen(self) -> Any:
        """What the application saw: backend, method, path, host and headers."""
        return json.loads(self.body)


async def until(condition: Callable[[], bool], deadline_s: float = 30.0) -> None:
    """Wait for what happens elsewhere; raises TimeoutError."""
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.002)


class Application:
    """An HTTP/1.1 server that answers every request with what it saw of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.served = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.close()
            if self._tasks:
                await asyncio.wait(self._tasks)
            await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await read_head(reader)
                first, headers = head[0], parse_headers(head[1:])
                await reader.readexactly(int(headers.get("content-length", "0")))
                self.served += 1
                writer.write(self._answer(first, headers))
        self._writers.discard(writer)
        writer.close()

    def _answer(self, first: str, headers: dict[str, str]) -> bytes:
        method, path, _ = first.split(" ")
        seen = {"backend": self.name, "method": method, "path": path, "headers": headers}
        body = json.dumps({**seen, "host": headers.get("host", "")}).encode()
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


class Client:
    """One connection that asks one request after another, in exactly the bytes that it is told."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.meant_for: int | None = None
        """The port that the connection was meant for, said by the PROXY protocol."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def ask(
        self,
        path: str = "/",
        host: str = "anyone",
        *,
        method: str = "GET",
        headers: Iterable[tuple[str, str]] = (),
    ) -> Answer:
        """Raises ConnectionError or IncompleteReadError where no whole answer came."""
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            if self.meant_for is not None:
                preface = f"PROXY TCP4 127.0.0.1 127.0.0.1 1 {self.meant_for}\r\n"
                self._writer.write(preface.encode())
        lines = [f"{method} {path} HTTP/1.1", f"host: {host}", *(f"{k}: {v}" for k, v in headers)]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        try:
            head = await read_head(self._reader)
            found = parse_headers(head[1:])
            length = 0 if method == "HEAD" else int(found.get("content-length", "0"))
            body = await self._reader.readexactly(length)
        except BaseException:
            self.close()
            raise
        if found.get("connection") == "close":
            self.close()
        return Answer(int(head[0].split(" ")[1]), found, body)


async def read_head(reader: asyncio.StreamReader) -> list[str]:
    text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    return text[:-4].split("\r\n")


def parse_headers(lines: Sequence[str]) -> dict[str, str]:
    """Lower-case names; several values of one name joined by a comma."""
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip()
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


class Plane:
    """Our control plane over a store of documents."""

    def __init__(self, store: Store, ports: Ports = PORTS, **options: Any) -> None:
        self.store = store
        self.provider = AppMesh()
        self.translator = Translator(ports)
        self.reading = self.provider.load(store.objects)
        self.port = 0
        self.options = options  # of the server
        self.server = self._new_server()
        self.patch: Callable[[Resources], Resources] | None = (
            None  # a test may change the resources on their way
        )

    def _new_server(self) -> XdsServer:
        return XdsServer(self._resources, clock=LoopClock(), **self.options)

    def _resources(self, node: str) -> Resources | None:
        found = self.translator.resources(self.reading, node)
        return self.patch(found) if self.patch and found is not None else found

    async def start(self) -> None:
        self.port = await self.server.start(f"127.0.0.1:{self.port}")

    async def restart(self) -> None:
        """The process died and a new one takes its place, on the same port."""
        await self.server.stop(0.0)
        self.translator = Translator(self.translator._ports)
        self.server = self._new_server()
        await self.start()

    def publish(self, *documents: Document) -> None:
        self.store.put(*documents)
        self.reading = self.provider.load(self.store.objects)
        self.server.publish()

    async def apply(self, *documents: Document, deadline_s: float = 10.0) -> dict[str, str]:
        """Publish, and wait until every Envoy has it; what is missing then."""
        self.publish(*documents)
        return await self.server.acknowledged(deadline_s)


@asynccontextmanager
async def control_plane(
    *documents: Document,
    ports: Ports = PORTS,
    **options: Any,
) -> AsyncIterator[Plane]:
    plane = Plane(Store(*documents), ports, **options)
    await plane.start()
    try:
        yield plane
    finally:
        await plane.server.stop(0.2)


@asynccontextmanager
async def envoy_of(
    plane: Plane,
    directory: Path,
    node: str = GATEWAY_ID,
    *,
    live: bool = True,
    tls: ClientTls | None = None,
    more: Mapping[str, Any] | None = None,
) -> AsyncIterator[Envoy]:
    """A real Envoy that asks ``plane`` what it is to do; ``more`` is added to its bootstrap."""
    document = {**bootstrap(node, f"127.0.0.1:{plane.port}", tls=tls), **(more or {})}
    envoy = await asyncio.to_thread(Envoy.start, document, directory / node.rsplit("/", 1)[-1])
    try:
        if live:
            await asyncio.to_thread(envoy.await_live)
        yield envoy
    finally:
        await asyncio.to_thread(envoy.stop)


@asynccontextmanager
async def applications(*names: str) -> AsyncIterator[list[Application]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Application(name)) for name in names]


class SlowNames(asyncio.DatagramProtocol):
    """A DNS server for which every name is this machine, and which takes its time to say so."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asyncio.get_running_loop().call_later(self._delay_s, self._answer, data, addr)

    def _answer(self, query: bytes, addr: tuple[str, int]) -> None:
        end = query.index(b"\0", 12) + 5  # the name, its type and its class
        of_ipv4 = query[end - 4 : end - 2] == b"\0\x01"
        head = query[:2] + b"\x84\0\0\x01" + (b"\0\x01" if of_ipv4 else b"\0\0") + b"\0\0\0\0"
        record = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01" if of_ipv4 else b""
        if not self._transport.is_closing():
            self._transport.sendto(head + query[12:end] + record, addr)


@asynccontextmanager
async def slow_names(delay_s: float) -> AsyncIterator[dict[str, Any]]:
    """What an Envoy's bootstrap needs to look names up at a ``SlowNames``."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: SlowNames(delay_s), local_addr=("127.0.0.1", 0)
    )
    address = {"address": "127.0.0.1", "port_value": server.port}
    config = {
        "@type": "type.googleapis.com/"
        "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
        "resolvers": [{"socket_address": address}],
        "dns_resolver_options": {"no_default_search_domain": True},
    }
    resolver = {"name": "envoy.network.dns_resolver.cares", "typed_config": config}
    try:
        yield {"typed_dns_resolver_config": resolver}
    finally:
        transport.close()


class Load:
    """Requests without a pause over some connections; every one that did not end well is kept."""

    def __init__(self, port: int, paths: Sequence[str] = ("/",), connections: int = 4) -> None:
        self._port = port
        self._paths = paths
        self._connections = connections
        self._stop = False
        self._tasks: list[asyncio.Task[None]] = []
        self.good = 0
        self.failures: list[str] = []
        self.backends: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._run(i)) for i in range(self._connections)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop = True
        await asyncio.gather(*self._tasks)

    async def _run(self, start: int) -> None:
        async with Client(self._port) as client:
            count = start
            while not self._stop:
                path = self._paths[count % len(self._paths)]
                count += 1
                try:
                    answer = await client.ask(path)
                except (OSError, asyncio.IncompleteReadError) as error:
                    self.failures.append(f"{path}: {error!r}")
                    continue
                if answer.status == 200:
                    self.good += 1
                    self.backends[answer.seen["backend"]] += 1
                else:
                    self.failures.append(f"{path}: {answer.status} {answer.body!r}")

    async def more(self, count: int) -> None:
        """Until ``count`` more requests have ended."""
        goal = self.good + len(self.failures) + count
        await until(lambda: self.good + len(self.failures) >= goal)
