"""The catalog in one SQLite file, shared by the processes of one machine.

Reads (`reading`) go through one connection in the caller's thread. Writes go to one thread (`writing`), which stores
them in batches; until they are stored, an overlay in memory answers for them. WAL: readers and the writer do not wait
for one another, whoever holds the lock.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from entrepot.catalog import rows
from entrepot.catalog.opening import back_up, connect, failure_of, prepare
from entrepot.catalog.reading import SqliteReading
from entrepot.catalog.rows import Row, Statement
from entrepot.catalog.writing import Write, Writer
from entrepot.contracts.catalog import Derived, OriginState, Published
from entrepot.contracts.clock import Clock
from entrepot.errors import StoreFailure
from entrepot.model.entry import Blob, Entry, Remembered
from entrepot.model.resource import edition_key

# What a reader may wait while another process opens, closes or repairs the log; nothing else makes it wait.
_READER_BUSY_SECONDS = 0.05


class SqliteCatalog(SqliteReading):
    """A Catalog. To be used from one event loop at a time; `probe`, and what `SqliteReading` says, from any thread."""

    recovered: str | None
    """A sentence for the log when the file was found missing or corrupt and something was done about it."""

    @classmethod
    def open(
        cls, path: Path, clock: Clock, *, lock_patience: float = 60.0, use_interval: float = 30.0
    ) -> "SqliteCatalog":
        """`lock_patience`: seconds a write waits while others hold the lock. `use_interval`: seconds between two
        storings of noted uses. Raises StoreFailure."""
        recovered = prepare(path, clock.now())
        try:
            reader = connect(path, busy_seconds=_READER_BUSY_SECONDS)
            writer = connect(path, busy_seconds=min(1.0, lock_patience))
        except sqlite3.Error as error:
            raise failure_of(path, error) from error
        inode = path.stat().st_ino
        return cls(
            path,
            clock,
            reader,
            Writer(writer, lambda error: failure_of(path, error), patience=lock_patience, use_interval=use_interval),
            inode,
            recovered,
        )

    def __init__(
        self,
        path: Path,
        clock: Clock,
        reader: sqlite3.Connection,
        writer: Writer,
        inode: int,
        recovered: str | None,
    ) -> None:
        super().__init__(path, reader)
        self.recovered = recovered
        self._clock = clock
        self._writer = writer
        self._inode = inode

    async def put_stored(self, entry: Entry, blob: Blob, remember: bool) -> None:
        name = (entry.repository, entry.key)
        seen = Remembered(sha256=entry.sha256, size_bytes=entry.size_bytes, first_seen=entry.stored_at)
        new = remember and self.find_remembered(*name) is None
        statements = [rows.put_blob(blob, self._clock.timestamp()), rows.put_entry(entry)]
        if new:
            statements.append(rows.put_remembered(*name, seen, replace=False))
        write, done = self._submit(statements)
        self._blobs.cover(blob.sha256, blob, write)
        self._entries.cover(name, entry, write)
        if new:
            self._remembered.cover(name, seen, write)
        await done

    async def put_entry(self, entry: Entry) -> None:
        write, done = self._submit([rows.put_entry(entry)])
        self._entries.cover((entry.repository, entry.key), entry, write)
        await done

    async def put_blob(self, blob: Blob) -> None:
        write, done = self._submit([rows.put_blob(blob, self._clock.timestamp(), again=True)])
        self._blobs.cover(blob.sha256, blob, write)
        await done

    async def put_owner(self, repository: str, package: str, upstream: str) -> None:
        if self.find_owner(repository, package) is not None:
            return
        write, done = self._submit([rows.put_owner(repository, package, upstream)])
        self._owners.cover((repository, package), upstream, write)
        await done

    async def put_derived(self, derived: Derived, blob: Blob) -> None:
        write, done = self._submit([rows.put_blob(blob, self._clock.timestamp()), rows.put_derived(derived)])
        self._blobs.cover(blob.sha256, blob, write)
        self._derived.cover(derived.key, derived, write)
        await done

    async def put_origin(self, state: OriginState) -> None:
        write, done = self._submit([rows.put_origin(state)])
        self._origins.cover(state.origin, state, write)
        await done

    async def put_sightings(
        self, repository: str, place: str, package: str, versions: Iterable[str], at: datetime, *, reading: bool = True
    ) -> None:
        moment = rows.microseconds_of(at)
        seen, read_at = self._seen(rows.FIND_SIGHTINGS, repository, package), self._reading(repository, place)
        news = {(place, one): moment for one in versions if seen.get((place, one), moment + 1) > moment}
        statements = [rows.put_sighting(repository, package, one, place, moment) for _, one in news]
        reads = reading and (read_at is None or moment < read_at)
        if reads:
            statements.append(rows.put_reading(repository, place, moment))
        if not statements:
            return
        write, done = self._submit(statements)
        if reads:
            self._readings.cover((repository, place), moment, write)
        pending = self._sightings.get((repository, package))
        self._sightings.cover((repository, package), {**(pending[0] if pending else {}), **news}, write)
        await done

    async def accept(self, repository: str, key: str, remembered: Remembered) -> None:
        write, done = self._submit([rows.put_remembered(repository, key, remembered, replace=True)])
        self._remembered.cover((repository, key), remembered, write)
        await done

    async def forget(self, repository: str, package: str, keys: Iterable[str]) -> None:
        forgotten = list(keys)
        statements = [rows.delete_remembered(repository, key) for key in forgotten]
        write, done = self._submit([rows.delete_owner(repository, package), *statements])
        self._owners.cover((repository, package), None, write)
        for key in forgotten:
            self._remembered.cover((repository, key), None, write)
        await done

    async def delete_entries(self, repository: str, keys: Iterable[str]) -> None:
        deleted = list(keys)
        write, done = self._submit([rows.delete_entry(repository, key) for key in deleted])
        for key in deleted:
            self._entries.cover((repository, key), None, write)
        await done

    async def publish(self, generation: Published, root: Entry, blob: Blob, members: Iterable[Entry]) -> None:
        before = self.members_of(generation.repository, generation.root)
        news, suffix = list(members), edition_key("", generation.number)
        former = self._former(generation)
        current = [root, *(replace(one, key=one.key.removesuffix(suffix), aside_at=None) for one in news)]
        write, done = self._submit(
            [
                rows.put_blob(blob, self._clock.timestamp()),
                *rows.set_members_aside(generation),
                *(rows.put_entry(one) for one in former),
                *(rows.delete_entry(generation.repository, one.key) for one in news),
                *(rows.put_entry(one) for one in current),
                rows.put_generation(generation),
            ]
        )
        self._blobs.cover(blob.sha256, blob, write)
        self._generations.cover((generation.repository, generation.root), generation, write)
        for one in former:
            self._entries.cover((one.repository, one.key), one, write)
        for one in before:
            aside = edition_key(one.key, generation.number - 1)
            self._entries.cover((one.repository, one.key), None, write)
            moved = replace(one, key=aside, aside_at=generation.published_at)
            self._entries.cover((one.repository, aside), moved, write)
        for one in news:
            self._entries.cover((one.repository, one.key), None, write)
        for one in current:
            self._entries.cover((one.repository, one.key), one, write)
        await done

    def _former(self, generation: Published) -> list[Entry]:
        """The root that this generation takes the place of, as it is kept."""
        last = self.generation_of(generation.repository, generation.root)
        root = self.find_entry(generation.repository, generation.root)
        if last is None or root is None or root.sha256 != last.sha256 or last.number != generation.number - 1:
            return []
        key = edition_key(root.key, last.number)
        return [replace(root, key=key, stored_at=last.published_at, aside_at=generation.published_at)]

    async def delete_aside(self, before: datetime, kept: Mapping[str, datetime] | None = None) -> list[str]:
        return [sha256.hex() for (sha256,) in await self.write(*rows.delete_aside(before, kept or {})) if sha256]

    async def delete_absences(self, before: datetime, most: int) -> None:
        _, done = self._submit([rows.delete_absences(before, most)])
        await done

    async def delete_blob(self, sha256: str) -> None:
        write, done = self._submit(rows.delete_blob(sha256))
        self._blobs.cover(sha256, None, write)
        self._dropped.cover(sha256, None, write)
        for name, entry in self._entries.items():
            if entry and entry.sha256 == sha256:
                self._entries.cover(name, None, write)
        for key, derived in self._derived.items():
            if derived and derived.sha256 == sha256:
                self._derived.cover(key, None, write)
        await done

    def note_use(self, sha256: str, at: float) -> None:
        self._writer.note_use(sha256, at)

    # ----------------------------------------------------------------------------------------------------- operation

    def probe(self) -> None:
        try:
            if self._path.stat().st_ino != self._inode:
                raise StoreFailure(f"{self._path.name}: the file was replaced while it was used; restart")
            with closing(connect(self._path, busy_seconds=1)) as connection:
                connection.execute(rows.FIND_TOTALS).fetchone()
                connection.execute(rows.TOUCH_TOTALS)
        except OSError as error:
            raise StoreFailure(f"{self._path.name}: {error.strerror or error}") from error
        except sqlite3.Error as error:
            raise failure_of(self._path, error) from error

    async def flush(self) -> None:
        _, done = self._submit((), with_uses=True)
        await done

    async def backup(self, path: str) -> None:
        await self.flush()
        await asyncio.to_thread(back_up, self._path, Path(path))

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        _, done = self._submit((), with_uses=True)
        self._writer.begin_closing()
        try:
            await done
        finally:
            await asyncio.to_thread(self._close_connections)

    def _close_connections(self) -> None:
        # One after the other: the last to go empties the log into the file, and of two at once neither is the last.
        self._writer.join()
        self._close_idle(0)
        self._connection.close()

    # --------------------------------------------------------------------------------- for the other tables of the file

    async def write(self, *statements: Statement) -> list[Row]:
        """All of them in one transaction; what they returned."""
        write, done = self._submit(statements)
        await done
        return write.found

    def _submit(
        self, statements: Sequence[Statement], *, with_uses: bool = False
    ) -> "tuple[Write, asyncio.Future[None]]":
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        write = Write(statements=statements, done=done, with_uses=with_uses)
        self._writer.submit(write)
        return write, done
