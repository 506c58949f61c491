"""A client that speaks HTTP/1.1 by hand, so that the end of a response is judged exactly."""

import hashlib
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from entrepot.model.headers import Headers

Address = tuple[str, int]
_PIECE = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """One response. `complete`: it ended with valid framing (RFC 9112 §8)."""

    status: int = 0
    """0: nothing that is a response came."""
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    complete: bool = False
    end: str = ""
    """What ended it where it is not complete."""
    seconds: float = 0.0

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def is_whole(self) -> bool:
        """Whether a client would take the body for the file that it asked for."""
        return self.complete and self.status == 200

    @property
    def cache_status(self) -> str:
        return self.headers.get("cache-status")


class _Ended(Exception):
    """The connection broke, or what came is no HTTP."""


class _Stream:
    def __init__(self, plain: socket.socket) -> None:
        self._plain = plain
        self._held = b""

    def more(self) -> bytes:
        """At least one byte; raises _Ended at the end of the connection."""
        data, self._held = self._held, b""
        return data or self._receive()

    def until(self, mark: bytes) -> bytes:
        while mark not in self._held:
            if len(self._held) > 1 << 20:
                raise _Ended("a head without end")
            self._held += self._receive()
        found, _, self._held = self._held.partition(mark)
        return found

    def exactly(self, size: int, into: bytearray) -> None:
        """Raises _Ended when less comes; what came is in `into` all the same."""
        while size:
            data = self.more()
            into += data[:size]
            self._held = data[size:]
            size -= min(size, len(data))

    def _receive(self) -> bytes:
        try:
            data = self._plain.recv(_PIECE)
        except TimeoutError as error:
            raise _Ended("silence") from error
        except OSError as error:
            raise _Ended("reset") from error
        if not data:
            raise _Ended("closed")
        return data


class Talk:
    """One connection. Requests are sent byte for byte."""

    def __init__(self, address: Address, timeout: float = 30.0) -> None:
        self._plain = socket.create_connection(address, timeout)
        self._stream = _Stream(self._plain)

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, *_: object) -> None:
        self._plain.close()

    def send(self, data: bytes) -> None:
        self._plain.sendall(data)

    def read(self, *, head_only: bool = False) -> Got:
        """The next response; `head_only`: to a HEAD."""
        began = time.monotonic()
        try:
            status, headers = self._read_head()
        except _Ended as ended:
            return Got(end=str(ended), seconds=time.monotonic() - began)
        body = bytearray()
        end = ""
        try:
            self._read_body(status, headers, head_only, body)
        except _Ended as ended:
            end = str(ended)
        return Got(
            status=status,
            headers=headers,
            body=bytes(body),
            complete=not end,
            end=end,
            seconds=time.monotonic() - began,
        )

    def _read_head(self) -> tuple[int, Headers]:
        first, *lines = self._stream.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise _Ended("no HTTP")
        fields = (line.partition(":") for line in lines)
        return int(rest[:3]), Headers((name.strip(), value.strip()) for name, _, value in fields)

    def _read_body(self, status: int, headers: Headers, head_only: bool, body: bytearray) -> None:
        if head_only or status in (204, 304):
            return
        if "chunked" in headers.get("transfer-encoding").lower():
            self._read_chunks(body)
            return
        length = headers.get("content-length")
        if length.isdigit():
            self._stream.exactly(int(length), body)
            return
        self._read_to_end(body)

    def _read_chunks(self, body: bytearray) -> None:
        while True:
            size = int(self._stream.until(b"\r\n").partition(b";")[0], 16)
            if not size:
                while self._stream.until(b"\r\n"):
                    continue
                return
            self._stream.exactly(size, body)
            self._stream.exactly(2, bytearray())

    def _read_to_end(self, body: bytearray) -> None:
        try:
            while True:
                body += self._stream.more()
        except _Ended as ended:
            if str(ended) != "closed":
                raise


def request(
    address: Address,
    path: str,
    fields: Iterable[tuple[str, str]] = (),
    *,
    method: str = "GET",
    timeout: float = 30.0,
) -> Got:
    """One request on a connection of its own."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {address[0]}:{address[1]}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in fields]
    with Talk(address, timeout) as talk:
        talk.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
        return talk.read(head_only=method == "HEAD")
