"""A real Envoy that answers each request with the names of the route and cluster it chose."""

from __future__ import annotations

import json
import socket
import tempfile
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from trimtab.errors import Unavailable
from trimtab.testbed.envoy import Envoy
from trimtab.testbed.raw_http2 import RawHttp2, header_block

_FILE = "listeners.json"
_SEEN = "%ROUTE_NAME%|%UPSTREAM_CLUSTER%|%RESPONSE_CODE_DETAILS%"
_MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network."
    "http_connection_manager.v3.HttpConnectionManager"
)
_LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


class Asked(NamedTuple):
    """A request in bytes, as it is sent. ``fields`` holds the headers, names in lower case."""

    path: bytes
    host: bytes = b"example.org"
    method: bytes = b"GET"
    scheme: bytes = b"http"
    fields: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def is_grpc(self) -> bool:
        """Whether Envoy would put what it says into a trailer instead of a body."""
        types = [value for name, value in self.fields if name == b"content-type"]
        return any(value.partition(b"+")[0] == b"application/grpc" for value in types)

    def block(self) -> bytes:
        pseudo = (
            (b":method", self.method),
            (b":scheme", self.scheme),
            (b":authority", self.host),
            (b":path", self.path),
        )
        return header_block((*pseudo, *self.fields))


class Seen(NamedTuple):
    """What Envoy chose: empty names where no route matched, or the route leads to no cluster."""

    route: str
    cluster: str
    details: str


class TellingEnvoy(Envoy):
    """An Envoy with one listener, on a Unix socket, for each of some RouteConfigurations.

    Clusters have no endpoints, so that every answer is Envoy's own; the format of those answers
    names the route and the cluster. Listeners come from a file as by xDS: a configuration that
    Envoy refuses costs that listener alone, and ``refusals`` says why.
    """

    directory: Path
    listeners: list[dict[str, Any]]
    connections: dict[int, RawHttp2]

    @classmethod
    @contextmanager
    def serving(
        cls, configurations: Sequence[Mapping[str, Any]], clusters: Iterable[str]
    ) -> Iterator[Self]:
        """Runs it for as long as the context lasts, in a folder of its own with a short name: those
        of sockets are limited."""
        with tempfile.TemporaryDirectory(prefix="tt-") as name:
            directory = Path(name)
            listeners = [
                _listener(directory / f"{i}.sock", configuration)
                for i, configuration in enumerate(configurations)
            ]
            _write(directory / _FILE, listeners)
            with cls.start(_bootstrap(directory, clusters), directory, log_level="error") as envoy:
                envoy.directory = directory
                envoy.listeners = listeners
                envoy.connections = {}
                envoy.await_live()
                yield envoy

    def add(self, configuration: Mapping[str, Any]) -> int:
        """One more RouteConfiguration while it runs: its number. Envoy serves it then, or has
        refused it."""
        number = len(self.listeners)
        self.listeners.append(_listener(self._socket(number), configuration))
        _write(self.directory / _FILE, self.listeners)
        socket_file = self._socket(number)
        self.await_ready(lambda: socket_file.exists() or number in self.refused(), 10)
        return number

    def refused(self) -> set[int]:
        """The numbers of the RouteConfigurations that it does not serve."""
        served = {line.partition("::")[0] for line in self.admin("/listeners").splitlines()}
        return {number for number in range(len(self.listeners)) if str(number) not in served}

    def refusals(self) -> dict[int, str]:
        """Why it does not, by their numbers."""
        dump = json.loads(self.admin("/config_dump?resource=dynamic_listeners"))
        errors = (found["error_state"] for found in dump["configs"] if "error_state" in found)
        return {int(e["failed_configuration"]["name"]): e["details"] for e in errors}

    def ask(self, table: int, requests: Sequence[Asked]) -> list[Seen | None]:
        """What became of each request at that RouteConfiguration; None where Envoy reset it."""
        plain = [request.block() for request in requests if not request.is_grpc]
        answers = iter(self._connection(table).ask(plain) if plain else [])
        path = self._socket(table)
        return [
            _seen(_ask_grpc(path, request) if request.is_grpc else next(answers))
            for request in requests
        ]

    def ask_blocks(self, table: int, blocks: Sequence[bytes]) -> list[bytes | None]:
        """The same for encoded requests, none of them gRPC, and answers as they came."""
        return self._connection(table).ask(blocks)

    def stop(self, grace_s: float = 10.0) -> None:
        for connection in self.connections.values():
            connection.close()
        self.connections = {}
        super().stop(grace_s)

    def _connection(self, table: int) -> RawHttp2:
        if table not in self.connections:
            self.connections[table] = RawHttp2(self._socket(table))
        return self.connections[table]

    def _socket(self, table: int) -> Path:
        return self.directory / f"{table}.sock"


def _ask_grpc(path: Path, request: Asked) -> bytes:
    """Over HTTP/1, where headers can be read without a decoder. A connection for each: Envoy
    closes those on which it has answered with an error."""
    fields = ((b"host", request.host), *request.fields)
    lines = [b"%s %s HTTP/1.1" % (request.method, request.path)]
    lines += [b"%s: %s" % field for field in fields]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        connection.sendall(b"\r\n".join((*lines, b"", b"")))
        received = b""
        while b"\r\n\r\n" not in received:
            more = connection.recv(1 << 16)
            if not more:
                raise Unavailable(f"closed instead of an answer to {request}: {received!r}")
            received += more
    for line in received.split(b"\r\n"):
        name, _, value = line.partition(b": ")
        if name.lower() == b"grpc-message":
            return urllib.parse.unquote_to_bytes(value)
    raise Unavailable(f"no grpc-message in the answer to {request}: {received!r}")


def _write(file: Path, listeners: Sequence[Mapping[str, Any]]) -> None:
    """Put them in the place of those before, in one step: Envoy watches for that."""
    unfinished = file.with_suffix(".tmp")
    unfinished.write_text(json.dumps({"resources": listeners}))
    unfinished.replace(file)


def _seen(body: bytes | None) -> Seen | None:
    if body is None:
        return None
    route, cluster, details = body.decode().split("|", 2)
    return Seen("" if route == "-" else route, "" if cluster == "-" else cluster, details)


def _bootstrap(directory: Path, clusters: Iterable[str]) -> dict[str, Any]:
    runtime = {"re2.max_program_size.error_level": 2**32 - 1}  # it is the operator's to set
    return {
        "node": {"id": "oracle", "cluster": "oracle"},
        "layered_runtime": {"layers": [{"name": "static", "static_layer": runtime}]},
        "static_resources": {"clusters": [_cluster(name) for name in clusters]},
        "dynamic_resources": {
            "lds_config": {"path_config_source": {"path": str(directory / _FILE)}}
        },
    }


def _cluster(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": []},
    }


def _listener(path: Path, configuration: Mapping[str, Any]) -> dict[str, Any]:
    manager = {
        "@type": _MANAGER,
        "stat_prefix": "oracle",
        "route_config": {"name": path.stem, **configuration, "validate_clusters": False},
        "generate_request_id": False,
        "stream_idle_timeout": "0s",
        "local_reply_config": {"body_format": {"text_format_source": {"inline_string": _SEEN}}},
        "http_filters": [{"name": "router", "typed_config": {"@type": _ROUTER}}],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {
        "@type": _LISTENER,
        "name": path.stem,
        "address": {"pipe": {"path": str(path)}},
        "filter_chains": [chain],
    }
