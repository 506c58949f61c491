"""One connection to the rogue origin: HTTP/1.1 by hand, so that it can be broken anywhere."""

import asyncio
import fcntl
import http
import itertools
import random
import socket
import struct
import termios
import time
from collections.abc import Callable, Iterator

from tests.rogue.faults import End, Fault
from tests.rogue.page import Answer, Framing, Page, Seen

PIECE = 64 << 10
Choose = Callable[[Seen], tuple[Page, Answer, Fault]]


class Dropped(Exception):
    """The connection is to end here."""


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, choose: Choose) -> None:
        self._reader = reader
        self._writer = writer
        self._choose = choose

    async def run(self) -> None:
        try:
            while seen := await self._read_request():
                await self._answer(seen)
        except (Dropped, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        except asyncio.CancelledError:
            self._writer.transport.abort()
            raise
        finally:
            self._writer.close()

    async def _read_request(self) -> Seen | None:
        try:
            start = await self._reader.readexactly(1)
            if start == b"\x16":  # TLS where none is spoken.
                self._writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return None
            head = start + await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        fields = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines if line)]
        headers = {name.lower(): value for name, value in fields}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Seen(method=method, target=target, headers=headers, body=body, at=time.monotonic(), fields=fields)

    async def _answer(self, seen: Seen) -> None:
        page, answer, fault = self._choose(seen)
        if fault.silent:
            await self._wait_for_the_end()
        if fault.drop:
            await self._reset()
        await asyncio.sleep(fault.delay)
        framing = fault.framing or page.framing
        seen.status = answer.status
        await self._send_head(_head(answer, framing), fault.drip)
        if seen.method == "HEAD" or answer.status in (204, 304):
            seen.finished = True
            return
        stop = _stop(answer, fault)
        body = _flipped(answer, answer.body[:stop] if stop is not None else answer.body, fault)
        if fault.trailing:
            body = memoryview(bytes(body) + fault.trailing)
        await self._send_body(_pieces(body, page.rate, fault.endless), seen, page.rate, framing)
        if stop is not None or (fault.end is not End.NORMAL and fault.at is None and fault.seed is None):
            await self._end(fault.end)
        if framing is Framing.CHUNKED:
            self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()
        seen.finished = True
        if framing is Framing.CLOSE:
            raise Dropped

    async def _send_head(self, head: bytes, drip: float) -> None:
        if not drip:
            self._writer.write(head)
            return
        for byte in head:
            self._writer.write(bytes([byte]))
            await self._writer.drain()
            await asyncio.sleep(drip)

    async def _send_body(self, pieces: Iterator[bytes], seen: Seen, rate: float | None, framing: Framing) -> None:
        started = time.monotonic()
        for piece in pieces:
            if framing is Framing.CHUNKED:
                self._writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            else:
                self._writer.write(piece)
            await self._writer.drain()
            seen.sent += len(piece)
            if rate:
                await asyncio.sleep(max(0.0, started + seen.sent / rate - time.monotonic()))

    async def _end(self, end: End) -> None:
        match end:
            case End.STALL:
                await self._wait_for_the_end()
            case End.RESET:
                await self._reset()
        raise Dropped

    async def _wait_for_the_end(self) -> None:
        while await self._reader.read(PIECE):
            continue
        raise Dropped

    async def _reset(self) -> None:
        """RST, after what was sent has arrived: a reset throws away what waits to be sent."""
        plain: socket.socket = self._writer.get_extra_info("socket")
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and (  # noqa: ASYNC110 - the kernel notifies nobody of this
            self._writer.transport.get_write_buffer_size() or _unacknowledged(plain.fileno())
        ):
            await asyncio.sleep(0.001)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        raise Dropped


def _unacknowledged(descriptor: int) -> int:
    """Bytes in the kernel that the other side has not acknowledged (SIOCOUTQ)."""
    return int(struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0" * 4))[0])


def _head(answer: Answer, framing: Framing) -> bytes:
    try:
        reason = http.HTTPStatus(answer.status).phrase
    except ValueError:
        reason = "Odd"
    fields = list(answer.fields)
    if framing is Framing.CHUNKED:
        fields.append(("Transfer-Encoding", "chunked"))
    elif framing is Framing.CLOSE:
        fields.append(("Connection", "close"))
    elif answer.status not in (204, 304):
        fields.append(("Content-Length", str(len(answer.body))))
    lines = [f"HTTP/1.1 {answer.status} {reason}", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _stop(answer: Answer, fault: Fault) -> int | None:
    """Where in this answer's body the fault strikes; None: it does not."""
    size = len(answer.body)
    if fault.seed is not None:
        return random.Random(fault.seed * 1_000_003 + answer.start).randrange(size) if size else None
    if fault.at is None:
        return None
    stop = (fault.at if fault.at >= 0 else answer.start + size + fault.at) - answer.start
    return stop if 0 <= stop <= size else None


def _flipped(answer: Answer, body: memoryview, fault: Fault) -> memoryview:
    if fault.flip is None or not answer.start <= fault.flip < answer.start + len(body):
        return body
    wrong = bytearray(body)
    wrong[fault.flip - answer.start] ^= 1
    return memoryview(wrong)


def _pieces(body: memoryview, rate: float | None, endless: bool) -> Iterator[bytes]:
    size = PIECE if not rate else max(512, min(PIECE, int(rate / 50)))
    once = (bytes(body[start : start + size]) for start in range(0, len(body), size))
    return itertools.cycle(once) if endless else once
