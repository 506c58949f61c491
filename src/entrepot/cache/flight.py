"""One download, many readers. Readers join whenever they like and start anywhere; none of them can stop it."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from entrepot.cache.plan import Fallback
from entrepot.contracts.blobs import OpenBlob
from entrepot.contracts.fetcher import Ask
from entrepot.errors import EntrepotError, StoreFailure
from entrepot.model.entry import Entry
from entrepot.model.headers import Headers

InThread = Callable[[Callable[[int, int], bytes], int, int], Awaitable[bytes]]
"""Runs a read that waits for the disk (as asyncio.to_thread does)."""


JOIN_SECONDS = 5.0
"""How long a download whose disk failed waits for a reader: an answer may be on its way to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is known of a body before it is whole."""

    headers: Headers
    url: str
    total: int | None
    """Bytes, where upstream told; None while unknown."""
    sha256: str = ""
    """Where a published or remembered digest tells it."""
    held: bool = False
    """Whether no byte leaves before all of it is verified."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The flight ended without a body of its own: the entry says what to serve (304, or the bytes were here)."""

    entry: Entry


@dataclass(slots=True)
class FlightTrace:
    """What the flight cost upstream, for the access log."""

    requests: int = 0
    status: int = 0
    bytes: int = 0
    upstream: str = ""


class Flight:
    """The growing body: a file and, should the disk fail, a window in memory behind it."""

    def __init__(
        self, subject: str, *, window_limit: int, streamed: bool = True, join_seconds: float = JOIN_SECONDS
    ) -> None:
        """`window_limit` in bytes; `streamed`: readers read while it grows (and not only when it is whole);
        `join_seconds`: how long an answer may take to begin reading."""
        self.subject, self.streamed = subject, streamed
        loop = asyncio.get_running_loop()
        self.head: asyncio.Future[Head | Settled] = loop.create_future()
        self.stored: asyncio.Future[Entry] = loop.create_future()
        """The entry, once it is durable; fails with StoreFailure though all readers may have got everything."""
        self.received = 0
        self.released = 0
        self.total: int | None = None
        self.whole = False
        self.error: EntrepotError | None = None
        self.readers = 0
        self.trace = FlightTrace()
        self.asked: Ask | None = None
        """The request that brings the body; None where another process asks."""
        self.settled: Entry | None = None
        """What to serve instead of a body that comes this way; also where one had been announced."""
        self.fallback: Fallback | None = None
        """After a failed validation: what became of the stored entry."""
        self._changed = asyncio.Event()
        self._file: OpenBlob | None = None
        self._window = _Window(window_limit)
        self._join_seconds, self._is_left = join_seconds, False
        for future in (self.head, self.stored):
            future.add_done_callback(_seen)

    # --- the writing side -------------------------------------------------------------------------------------------

    def begin(self, head: Head, file: OpenBlob | None) -> None:
        """Headers are there; `file` is where appended bytes can be read (None: the disk takes nothing)."""
        if self._file is not None:
            # A second attempt: nothing of the first was released.
            self._file.close()
        self.total, self._file = head.total, file
        if file is not None:
            # Who still holds the flight, in an answer that was not begun yet, can read it: the file goes with it.
            weakref.finalize(self, file.close)
        if not self.head.done():
            self.head.set_result(head)

    def settle(self, entry: Entry) -> None:
        """No body comes this way: the entry has it."""
        self.settled, self.whole = entry, True
        if not self.head.done():
            self.head.set_result(Settled(entry))
        if not self.stored.done():
            self.stored.set_result(entry)
        self._wake()

    def advance(self, received: int, released: int) -> None:
        """`received` bytes can be read from file or window, of which readers may have `released`."""
        self.received = received
        if released > self.released:
            self.released = released
            self._wake()

    def finish(self, total: int) -> None:
        """All of it is here and right."""
        self.received = self.released = self.total = total
        self.whole = True
        self._wake()

    def fail(self, error: EntrepotError) -> None:
        """Tell everybody. To be called after the flight was taken off the board, so that nobody joins a dead one."""
        self.error = error
        for future in (self.head, self.stored):
            if not future.done():
                future.set_exception(error)
        self._close_useless()
        self._wake()

    def store_failed(self, error: StoreFailure) -> None:
        if not self.stored.done():
            self.stored.set_exception(error)
        asyncio.get_running_loop().call_later(self._join_seconds, self._no_more_join)

    def _no_more_join(self) -> None:
        self._is_left = self.whole
        self._close_useless()

    def spill_from(self, offset: int) -> None:
        """From here on the disk takes nothing: bytes are kept in the window until every reader had them."""
        self._window.open_at(offset)

    @property
    def spilling(self) -> bool:
        return self._window.start is not None

    @property
    def in_file(self) -> bool:
        """Whether all that was received can be read from the file."""
        return self._window.start in (None, self.received)

    async def spill(self, data: bytes) -> None:
        """Add to the window; waits while it is full and somebody still reads."""
        while self._window.is_full and self.streamed and await self._makes_room():
            pass
        if self._window.is_full:
            raise StoreFailure(f"{self.subject}: the disk takes no bytes, and the rest does not fit into memory")
        self._window.add(data)

    async def _makes_room(self) -> bool:
        """Wait for a reader to take something; False when there is none, and none comes."""
        try:
            await asyncio.wait_for(self._window.room(), None if self.readers else self._join_seconds)
        except TimeoutError:
            return self.readers > 0
        return True

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # --- the reading side -------------------------------------------------------------------------------------------

    def reader(self, start: int = 0, end: int | None = None) -> "FlightReader":
        return FlightReader(self, start, end)

    def joinable(self, start: int) -> bool:
        """Whether a reader that starts there can still get everything."""
        return self.error is None and not (self._window.lost_some and start < self._window.first)

    async def wait_released(self, offset: int) -> None:
        """Return when bytes behind `offset` may be read, or there will be none; raise if the flight failed."""
        while self.released <= offset and not self.whole and self.error is None:
            await self._changed.wait()
        if self.error is not None and self.released <= offset:
            raise self.error

    def read_now(self, offset: int, size: int) -> bytes | None:
        """Released bytes at `offset`, or None where that would wait for the disk."""
        size = min(size, self.released - offset)
        boundary = self._window.start
        if boundary is not None and offset >= boundary:
            return self._window.read(offset, size)
        if self._file is None:
            raise self.error or StoreFailure(f"{self.subject}: these bytes are gone")
        if boundary is not None:
            size = min(size, boundary - offset)
        return self._file.read_now(offset, size)

    def read_wait(self, offset: int, size: int) -> bytes:
        """The same from the disk; in a thread."""
        boundary = self._window.start
        size = min(size, self.released - offset)
        if boundary is not None:
            size = min(size, boundary - offset)
        if self._file is None:
            raise self.error or StoreFailure(f"{self.subject}: these bytes are gone")
        return self._file.read(offset, size)

    def join(self, reader: "FlightReader") -> None:
        self.readers += 1
        self._window.positions[id(reader)] = reader.tell

    def leave(self, reader: "FlightReader") -> None:
        self.readers -= 1
        self._window.positions.pop(id(reader), None)
        self._window.trim()
        self._close_useless()

    def _close_useless(self) -> None:
        # A flight and the error that it failed with, or was not stored for, hold each other by the traceback: its file
        # must not wait for the collector. Deleted, it would still take room on the disk that was full.
        if (self.error is not None or self._is_left) and self.readers == 0 and self._file is not None:
            self._file.close()
            self._file = None

    def moved(self) -> None:
        if self.spilling:
            self._window.trim()


class FlightReader:
    """Bytes `start` to `end` (excluded; None: to the end) of a flight. A context manager."""

    def __init__(self, flight: Flight, start: int, end: int | None) -> None:
        self._flight, self._position, self._end = flight, start, end
        self._joined = False

    def tell(self) -> int:
        return self._position

    def __enter__(self) -> "FlightReader":
        self._flight.join(self)
        self._joined = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._joined:
            self._joined = False
            self._flight.leave(self)

    async def read(self, size: int, in_thread: InThread) -> bytes:
        """Up to `size` bytes as soon as there are any; empty at the end. Raises what made the flight fail."""
        if self._end is not None:
            size = min(size, self._end - self._position)
        if size <= 0:
            return b""
        await self._flight.wait_released(self._position)
        if self._flight.settled is not None:
            raise StoreFailure(f"{self._flight.subject}: these bytes came another way")
        if self._flight.released <= self._position:
            return b""
        data = self._flight.read_now(self._position, size)
        if data is None:
            data = await in_thread(self._flight.read_wait, self._position, size)
        if not data:
            # Released bytes that are not there: never to be taken for the end.
            raise StoreFailure(f"{self._flight.subject}: the growing file ends at {self._position}")
        self._position += len(data)
        self._flight.moved()
        return data


class _Window:
    """Chunks in memory from `start` on, dropped once every reader is past them."""

    def __init__(self, limit: int) -> None:
        self.start: int | None = None
        """The first offset that is not in the file."""
        self.first = 0
        """The first offset that is still held."""
        self.positions: dict[int, Callable[[], int]] = {}
        self._limit = limit
        self._chunks: list[bytes] = []
        self._held = 0
        self._room = asyncio.Event()

    def open_at(self, offset: int) -> None:
        self.start = self.first = offset

    @property
    def lost_some(self) -> bool:
        """Whether bytes were dropped that are in no file either."""
        return self.start is not None and self.first > self.start

    @property
    def is_full(self) -> bool:
        return self._held >= self._limit

    async def room(self) -> None:
        self._room.clear()
        await self._room.wait()

    def add(self, data: bytes) -> None:
        self._chunks.append(data)
        self._held += len(data)

    def read(self, offset: int, size: int) -> bytes:
        position = self.first
        if offset < position:
            raise StoreFailure("these bytes are gone")
        for chunk in self._chunks:
            if offset < position + len(chunk):
                return chunk[offset - position : offset - position + size]
            position += len(chunk)
        return b""

    def trim(self) -> None:
        lowest = min((tell() for tell in self.positions.values()), default=self.first + self._held)
        while self._chunks and self._held > self._limit // 2 and self.first + len(self._chunks[0]) <= lowest:
            chunk = self._chunks.pop(0)
            self.first += len(chunk)
            self._held -= len(chunk)
        if not self.is_full or not self.positions:
            self._room.set()


def _seen(future: "asyncio.Future[Head | Settled] | asyncio.Future[Entry]") -> None:
    # A failure is told to readers through `error` as well; an unawaited future must not complain at its end.
    if not future.cancelled():
        future.exception()
