"""HTTP/2 without a library: many requests a second for little time of the client's own.

A library spends more time on a request than Envoy does, and so would decide how many cases the
oracle can ask and what the benchmark measures. Headers are sent as literals that are not indexed,
those of the answer are not read: what is to be known of an answer stands in its body.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from trimtab.errors import Unavailable

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 0x1, 0x4, 0x1
_LARGEST_WINDOW = 2**31 - 1
_DEFAULT_WINDOW = 65_535
_BATCH = 100  # as many streams as every server allows at a time
_FRAME = 16_384  # the largest frame that every server takes


def header_block(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """HPACK of ``fields`` (names in lower case, pseudo-headers first), each a literal."""
    block = bytearray()
    for name, value in fields:
        block.append(0)
        _put_string(block, name)
        _put_string(block, value)
    return bytes(block)


def _put_string(block: bytearray, text: bytes) -> None:
    """A length in 7 bits, or 127 and the rest of it in groups of 7, then the text as it is."""
    length = len(text)
    if length < 127:
        block.append(length)
    else:
        block.append(127)
        length -= 127
        while length >= 128:
            block.append(length % 128 + 128)
            length //= 128
        block.append(length)
    block += text


class RawHttp2:
    """One connection to a Unix socket. Requests have no body; answers are their bodies."""

    def __init__(self, path: Path, timeout_s: float = 30.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        self._socket.connect(str(path))
        self._received = bytearray()
        self._next_stream = 1
        self._unacknowledged = 0
        window = struct.pack(">HI", 4, _LARGEST_WINDOW)  # SETTINGS_INITIAL_WINDOW_SIZE
        wider = struct.pack(">I", _LARGEST_WINDOW - _DEFAULT_WINDOW)
        self._socket.sendall(
            _PREFACE + _frame(_SETTINGS, 0, 0, window) + _frame(_WINDOW, 0, 0, wider)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def ask(self, blocks: Sequence[bytes]) -> list[bytes | None]:
        """The body of the answer to each header block, in order; None where the stream was reset.

        Raises Unavailable when the server ends the connection.
        """
        answers: list[bytes | None] = []
        for start in range(0, len(blocks), _BATCH):
            answers += self._ask_batch(blocks[start : start + _BATCH])
        return answers

    def _ask_batch(self, blocks: Sequence[bytes]) -> list[bytes | None]:
        first = self._next_stream
        frames = []
        for i, block in enumerate(blocks):
            if len(block) > _FRAME:
                raise ValueError(f"the headers of a request take more than {_FRAME} bytes")
            frames.append(_frame(_HEADERS, _END_STREAM | _END_HEADERS, first + 2 * i, block))
        self._next_stream += 2 * len(blocks)
        self._socket.sendall(b"".join(frames))
        bodies: list[bytes | None] = [b""] * len(blocks)
        open_streams = len(blocks)
        while open_streams:
            kind, flags, stream, payload = self._receive()
            place = (stream - first) // 2
            if kind == _DATA:
                self._unacknowledged += len(payload)
                bodies[place] = (bodies[place] or b"") + payload
            elif kind == _RESET:
                bodies[place] = None
                open_streams -= 1
            if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
                open_streams -= 1
        self._widen()
        return bodies

    def _receive(self) -> tuple[int, int, int, bytes]:
        """The next frame that is about a stream; what is about the connection is dealt with."""
        while True:
            size, kind, flags, stream = self._head()
            payload = self._take(size)
            if kind == _GOAWAY:
                reason = payload[8:].decode(errors="replace")
                code = int.from_bytes(payload[4:8], "big")
                raise Unavailable(f"the server closed the connection: code {code} {reason}")
            if kind in (_SETTINGS, _PING) and not flags & _ACK:
                answer = payload if kind == _PING else b""
                self._socket.sendall(_frame(kind, _ACK, 0, answer))
            elif stream:
                return kind, flags, stream, payload

    def _head(self) -> tuple[int, int, int, int]:
        head = self._take(9)
        size = int.from_bytes(head[:3], "big")
        return size, head[3], head[4], int.from_bytes(head[5:9], "big")

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            more = self._socket.recv(1 << 18)
            if not more:
                raise Unavailable("the server closed the connection")
            self._received += more
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    def _widen(self) -> None:
        """Give back the window that was used, now and then."""
        if self._unacknowledged > 1 << 24:
            self._socket.sendall(_frame(_WINDOW, 0, 0, struct.pack(">I", self._unacknowledged)))
            self._unacknowledged = 0


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        struct.pack(">BHBBI", len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream)
        + payload
    )
