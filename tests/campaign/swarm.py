"""Many clients in one thread. Every body is compared with the right one, byte for byte, as it arrives, and not kept."""

import heapq
import multiprocessing
import selectors
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

PIECE = 256 << 10
PACED_BUFFER = 16 << 10
"""Receive buffer of a slow client: the kernel shall not read for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    path: str
    starts: float = 0.0
    """Seconds after the swarm's start."""
    leaves_at: int | None = None
    """Body bytes after which it goes away."""
    rate: int | None = None
    """Bytes per second that it reads; None: as many as come."""
    fields: str = ""
    """Further field lines of the request, each with its end."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    status: int = 0
    length: int | None = None
    received: int = 0
    matches: bool = True
    """Whether what was received is a beginning of the right body."""
    first_byte: float | None = None
    """Seconds from the beginning of the connection to the first byte of the body."""
    ended: float = 0.0
    """Seconds after the swarm's start."""
    left: bool = False
    error: str = ""

    @property
    def complete(self) -> bool:
        return self.length is not None and self.received == self.length

    @property
    def right(self) -> bool:
        return self.status == 200 and self.complete and self.matches

    @property
    def wrong(self) -> bool:
        """What must never happen: a whole answer with other bytes."""
        return self.status == 200 and self.complete and not self.matches


@dataclass(slots=True, eq=False)
class _Talk:
    client: Client
    outcome: Outcome
    body: bytes
    began: float = 0.0
    plain: socket.socket | None = None
    head: bytearray = field(default_factory=bytearray)


class Swarm:
    def __init__(self, host: str, port: int, bodies: Mapping[str, bytes]) -> None:
        """`bodies`: what each path must bring; other paths are not compared."""
        self._address, self._bodies = (host, port), bodies
        self._selector = selectors.DefaultSelector()
        self._buffer = bytearray(PIECE)
        self._due: list[tuple[float, int, _Talk]] = []
        self._open = 0
        self._began = 0.0

    def run(self, clients: Sequence[Client], limit: float = 300.0) -> list[Outcome]:
        """Everybody's outcome, in the order of the clients. `limit` in seconds, for all together."""
        talks = [_Talk(client, Outcome(), self._bodies.get(client.path, b"")) for client in clients]
        self._began = time.monotonic()
        self._due = [(talk.client.starts, number, talk) for number, talk in enumerate(talks)]
        heapq.heapify(self._due)
        while (self._due or self._open) and time.monotonic() - self._began < limit:
            self._do_what_is_due()
            for key, _ in self._selector.select(self._pause()):
                self._proceed(key.data)
        for talk in talks:
            if talk.plain is not None:
                self._end(talk, "the swarm's time is up")
        self._selector.close()
        return [talk.outcome for talk in talks]

    def _pause(self) -> float:
        now = time.monotonic() - self._began
        return max(0.0, min(1.0, self._due[0][0] - now)) if self._due else 1.0

    def _do_what_is_due(self) -> None:
        now = time.monotonic() - self._began
        while self._due and self._due[0][0] <= now:
            _, number, talk = heapq.heappop(self._due)
            if not talk.began:
                self._connect(talk)
            elif talk.plain is not None:
                self._proceed(talk)
            if talk.client.rate and (talk.plain is not None):
                heapq.heappush(self._due, (now + 1.0, number, talk))

    def _connect(self, talk: _Talk) -> None:
        talk.began = time.monotonic()
        talk.plain = socket.socket()
        if talk.client.rate:
            talk.plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PACED_BUFFER)
        self._open += 1
        try:
            talk.plain.connect(self._address)
            request = f"GET {talk.client.path} HTTP/1.1\r\nHost: {self._address[0]}\r\n{talk.client.fields}\r\n"
            talk.plain.sendall(request.encode())
        except OSError as error:
            self._end(talk, str(error), watched=False)
            return
        talk.plain.setblocking(False)
        if not talk.client.rate:
            self._selector.register(talk.plain, selectors.EVENT_READ, talk)

    def _proceed(self, talk: _Talk) -> None:
        assert talk.plain is not None
        view = memoryview(self._buffer)[: talk.client.rate or PIECE]
        try:
            count = talk.plain.recv_into(view)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(talk, str(error))
            return
        if not count:
            self._end(talk, "" if talk.outcome.complete else "the connection was closed")
            return
        self._take(talk, view[:count])
        outcome = talk.outcome
        if talk.client.leaves_at is not None and outcome.received >= talk.client.leaves_at:
            outcome.left = True
            self._end(talk, "")
        elif outcome.complete:
            self._end(talk, "")

    def _take(self, talk: _Talk, data: memoryview) -> None:
        outcome = talk.outcome
        if outcome.length is None:
            talk.head += data
            end = talk.head.find(b"\r\n\r\n")
            if end < 0:
                return
            _read_head(outcome, talk.head[:end])
            data = memoryview(bytes(talk.head[end + 4 :]))
        if not data:
            return
        if outcome.first_byte is None:
            outcome.first_byte = time.monotonic() - talk.began
        if talk.body and outcome.status == 200:
            outcome.matches = outcome.matches and talk.body.startswith(data, outcome.received)
        outcome.received += len(data)

    def _end(self, talk: _Talk, error: str, *, watched: bool = True) -> None:
        assert talk.plain is not None
        if watched and not talk.client.rate:
            self._selector.unregister(talk.plain)
        talk.plain.close()
        talk.plain = None
        talk.outcome.error, talk.outcome.ended = error, time.monotonic() - self._began
        self._open -= 1


def _read_head(outcome: Outcome, head: bytearray) -> None:
    first, *lines = head.decode("latin-1").split("\r\n")
    outcome.status = int(first.split()[1])
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    # Without a length every end is taken for a broken one: nothing that campaigns ask for comes without.
    outcome.length = int(fields.get("content-length", "-1"))


def swarm(
    host: str, port: int, clients: Sequence[Client], bodies: Mapping[str, bytes], limit: float = 300.0
) -> list[Outcome]:
    """In this thread."""
    return Swarm(host, port, bodies).run(clients, limit)


class SwarmProcess:
    """The same in a process of its own, so that the caller can watch the server meanwhile."""

    def __init__(
        self, host: str, port: int, clients: Sequence[Client], bodies: Mapping[str, bytes], limit: float = 300.0
    ) -> None:
        context = multiprocessing.get_context("fork")
        self._end, child = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(child, host, port, clients, bodies, limit))
        self._process.start()
        child.close()

    def outcomes(self) -> list[Outcome]:
        found: list[Outcome] = self._end.recv()
        self._process.join()
        return found


def _work(
    end: Connection, host: str, port: int, clients: Sequence[Client], bodies: Mapping[str, bytes], limit: float
) -> None:
    end.send(swarm(host, port, clients, bodies, limit))
