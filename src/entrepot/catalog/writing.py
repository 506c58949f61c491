"""The one thread that writes the catalog, and what readers see of writes that are still on their way."""

import queue
import sqlite3
import threading
import time
from asyncio import Future
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from entrepot.catalog.rows import Row, Statement, put_use
from entrepot.errors import StoreFailure

K = TypeVar("K")
V = TypeVar("V")

_LARGEST_BATCH = 1000
_CLOSING_PATIENCE = 5.0


@dataclass(slots=True, eq=False)
class Write:
    """Statements that are stored together or not at all."""

    statements: Sequence[Statement] = ()
    done: "Future[None] | None" = None
    """Of the event loop; None: nobody waits."""
    with_uses: bool = False
    """Whether the uses noted so far are stored with it."""
    uncover: list[Callable[[], None]] = field(default_factory=list)
    """Called when the file, and no longer the overlay, is to be asked."""
    found: list[Row] = field(default_factory=list)
    """What its statements returned, when it is done."""

    def settle(self, failure: StoreFailure | None) -> None:
        """Runs in the event loop's thread."""
        for call in self.uncover:
            call()
        if self.done is None or self.done.done():
            return  # Whoever waited was cancelled.
        if failure:
            self.done.set_exception(failure)
        else:
            self.done.set_result(None)


class Overlay(Generic[K, V]):
    """What one kind of key will be when the pending writes are stored. Of the event loop's thread."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[K, tuple[V, Write]] = {}

    def get(self, key: K) -> tuple[V, Write] | None:
        return self._rows.get(key)

    def cover(self, key: K, value: V, write: Write) -> None:
        self._rows[key] = (value, write)
        write.uncover.append(lambda: self._uncover(key, write))

    def items(self) -> list[tuple[K, V]]:
        return [(key, value) for key, (value, _) in self._rows.items()]

    def _uncover(self, key: K, write: Write) -> None:
        # A later write of the same key keeps covering it.
        row = self._rows.get(key)
        if row and row[1] is write:
            del self._rows[key]


class Writer:
    """Stores writes in batches, one transaction each, in the order they were handed in.

    While somebody else holds the file's lock it waits, at most `patience` seconds; then the batch fails.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        failure_of: Callable[[Exception], StoreFailure],
        *,
        patience: float,
        use_interval: float,
    ) -> None:
        self._connection = connection
        self._failure_of = failure_of
        self._patience = patience
        self._use_interval = use_interval
        self._queue: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._uses: dict[str, float] = {}
        self._uses_due = time.monotonic() + use_interval
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="catalog-writer", daemon=True)
        self._thread.start()

    def submit(self, write: Write) -> None:
        if self._closing or not self._thread.is_alive():
            raise StoreFailure("catalog: it is closed")
        self._queue.put(write)

    def note_use(self, sha256: str, at: float) -> None:
        self._uses[sha256] = at

    def begin_closing(self) -> None:
        """Nothing is taken any more; what was taken is stored."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        try:
            last = False
            while not last:
                batch, last = self._next_batch()
                if time.monotonic() >= self._uses_due:
                    self._uses_due = time.monotonic() + self._use_interval
                    batch.append(Write(with_uses=True))
                self._store(batch)
        finally:
            self._connection.close()

    def _next_batch(self) -> tuple[list[Write], bool]:
        """What has been handed in, waiting for something; and whether it is the last."""
        batch: list[Write] = []
        try:
            write = self._queue.get(timeout=max(0.0, self._uses_due - time.monotonic()))
            while write and len(batch) < _LARGEST_BATCH:
                batch.append(write)
                write = self._queue.get_nowait()
        except queue.Empty:
            return batch, False
        if write:
            batch.append(write)
        return batch, write is None

    def _store(self, batch: Sequence[Write]) -> None:
        uses = self._take_uses() if any(write.with_uses for write in batch) else {}
        failure = None
        try:
            self._transact([put_use(*use) for use in uses.items()], batch)
        except (sqlite3.Error, ValueError, OverflowError) as error:
            for sha256, at in uses.items():
                self._uses.setdefault(sha256, at)
            if not isinstance(error, sqlite3.Error) and len(batch) > 1:
                # One value that SQLite cannot hold shall not take the others with it.
                for write in batch:
                    self._store([write])
                return
            failure = self._failure_of(error)
        for write in batch:
            _settle(write, failure)

    def _take_uses(self) -> dict[str, float]:
        """Item by item, because the event loop may be adding at the same time."""
        return dict(self._uses.popitem() for _ in range(len(self._uses)))

    def _transact(self, uses: Sequence[Statement], batch: Sequence[Write]) -> None:
        if not uses and not any(write.statements for write in batch):
            return
        self._begin()
        try:
            for statement, values in uses:
                self._connection.execute(statement, values)
            for write in batch:
                write.found = [row for one in write.statements for row in self._connection.execute(*one)]
            self._connection.execute("COMMIT")
        finally:
            # Still open only when something failed; a full disk may have rolled it back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _begin(self) -> None:
        started = time.monotonic()
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                # The connection's busy timeout was the pause.
                patience = min(self._patience, _CLOSING_PATIENCE) if self._closing else self._patience
                if not is_busy(error) or time.monotonic() - started >= patience:
                    raise


def is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _settle(write: Write, failure: StoreFailure | None) -> None:
    loop = write.done.get_loop() if write.done else None
    # A closed loop has nobody left who waits.
    if loop and not loop.is_closed():
        loop.call_soon_threadsafe(write.settle, failure)
