"""The catalog in one SQLite file, shared by the processes of one machine.

Reads go through one connection in the caller's thread. Writes go to one thread (`writing`), which stores them in
batches; until they are stored, an overlay in memory answers for them. WAL: readers and the writer do not wait for one
another, whoever holds the lock.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from entrepot.catalog import rows
from entrepot.catalog.opening import back_up, connect, failure_of, prepare
from entrepot.catalog.rows import Row, Statement
from entrepot.catalog.writing import Overlay, Write, Writer
from entrepot.contracts.catalog import Derived, OriginState, Published, Sighting, StoredVersion, Usage
from entrepot.contracts.clock import Clock
from entrepot.errors import StoreFailure
from entrepot.model.entry import Blob, Entry, Remembered
from entrepot.model.resource import edition_key, edition_of

_PAGE_OF_ENTRIES = 500
# What a reader may wait while another process opens, closes or repairs the log; nothing else makes it wait.
_READER_BUSY_SECONDS = 0.05


_Seen = Mapping[tuple[str, str], int]
"""Of one package: (place, version) to microseconds."""


class SqliteCatalog:
    """A Catalog. Everything but `entries`, `usage`, `probe` and `totals` also sees what is not durable yet.

    To be used from one event loop at a time; `entries`, `usage`, `totals` and `probe` from any thread.
    """

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
        self.recovered = recovered
        self._path = path
        self._clock = clock
        self._reader = reader
        self._writer = writer
        self._inode = inode
        self._closed = False
        self._entries: Overlay[tuple[str, str], Entry | None] = Overlay()
        self._blobs: Overlay[str, Blob | None] = Overlay()
        self._dropped: Overlay[str, None] = Overlay()
        """Blobs whose stored entries and derived things are about to go."""
        self._remembered: Overlay[tuple[str, str], Remembered | None] = Overlay()
        self._owners: Overlay[tuple[str, str], str | None] = Overlay()
        self._derived: Overlay[str, Derived | None] = Overlay()
        self._origins: Overlay[str, OriginState] = Overlay()
        self._generations: Overlay[tuple[str, str], Published] = Overlay()
        self._readings: Overlay[tuple[str, str], int] = Overlay()
        self._sightings: Overlay[tuple[str, str], _Seen] = Overlay()

    # ------------------------------------------------------------------------------------------------------- reading

    def find_entry(self, repository: str, key: str) -> Entry | None:
        pending = self._entries.get((repository, key))
        if pending is not None:
            return pending[0]
        row = self._row(rows.FIND_ENTRY, (repository, key))
        if row is None:
            return None
        entry = rows.entry_of(row)
        return None if self._dropped.get(entry.sha256) else entry

    def find_blob(self, sha256: str) -> Blob | None:
        pending = self._blobs.get(sha256)
        if pending is not None:
            return pending[0]
        row = self._row(rows.FIND_BLOB, (bytes.fromhex(sha256),))
        return None if row is None else rows.blob_of(row)

    def find_remembered(self, repository: str, key: str) -> Remembered | None:
        pending = self._remembered.get((repository, key))
        if pending is not None:
            return pending[0]
        row = self._row(rows.FIND_REMEMBERED, (repository, key))
        return None if row is None else rows.remembered_of(row)

    def find_owner(self, repository: str, package: str) -> str | None:
        pending = self._owners.get((repository, package))
        if pending is not None:
            return pending[0]
        row = self._row(rows.FIND_OWNER, (repository, package))
        return None if row is None else str(row[0])

    def find_derived(self, key: str) -> Derived | None:
        pending = self._derived.get(key)
        if pending is not None:
            return pending[0]
        row = self._row(rows.FIND_DERIVED, (key,))
        if row is None:
            return None
        derived = rows.derived_of(row)
        return None if self._dropped.get(derived.sha256) else derived

    def find_origin(self, origin: str) -> OriginState | None:
        pending = self._origins.get(origin)
        if pending is not None:
            return pending[0]
        row = self._row(rows.FIND_ORIGIN, (origin,))
        return None if row is None else rows.origin_state_of(row)

    def find_sighting(self, repository: str, package: str, version: str) -> Sighting | None:
        found = self._seen(rows.FIND_SIGHTING, repository, package, version)
        return self._sightings_of(repository, found).get(version)

    def find_sightings(self, repository: str, package: str) -> Mapping[str, Sighting]:
        return self._sightings_of(repository, self._seen(rows.FIND_SIGHTINGS, repository, package))

    def find_reading(self, repository: str, place: str) -> datetime | None:
        read_at = self._reading(repository, place)
        return None if read_at is None else rows.moment_of(read_at)

    def generation_of(self, repository: str, root: str) -> Published | None:
        pending = self._generations.get((repository, root))
        if pending is not None:
            return pending[0]
        row = self._row(rows.FIND_GENERATION, (repository, root))
        return None if row is None else rows.generation_of(row)

    def members_of(self, repository: str, root: str) -> list[Entry]:
        stored = map(rows.entry_of, self.read(rows.FIND_MEMBERS, (repository, root)))
        found: dict[str, Entry | None] = {entry.key: entry for entry in stored if not self._dropped.get(entry.sha256)}
        found |= {key: entry for (name, key), entry in self._entries.items() if name == repository}
        members = (entry for entry in found.values() if entry is not None and entry.snapshot == root)
        return sorted((one for one in members if one.aside_at is None and one.key != root), key=lambda one: one.key)

    def groups_of(self, repository: str) -> list[Published]:
        found = {one.root: one for one in map(rows.generation_of, self.read(rows.FIND_GROUPS, (repository,)))}
        found |= {root: one for (name, root), one in self._generations.items() if name == repository}
        return [found[root] for root in sorted(found)]

    def former_roots(self, repository: str, root: str) -> list[Entry]:
        start, end = f"{root} @", f"{root} A"  # The character behind "@".
        stored = map(rows.entry_of, self.read(rows.FIND_EDITIONS, (repository, start, end)))
        found: dict[str, Entry | None] = {entry.key: entry for entry in stored if not self._dropped.get(entry.sha256)}
        found |= {key: one for (name, key), one in self._entries.items() if name == repository and start <= key < end}
        kept = [one for one in found.values() if one is not None and one.snapshot == root]
        return sorted(kept, key=lambda one: edition_of(one.key), reverse=True)

    def _sightings_of(self, repository: str, seen: _Seen) -> dict[str, Sighting]:
        readings = {place: self._reading(repository, place) for place in {place for place, _ in seen}}
        return rows.sightings_of(((*name, at) for name, at in seen.items()), readings)

    def _seen(self, statement: str, repository: str, package: str, *version: str) -> _Seen:
        stored = self.read(statement, (repository, package, *version))
        seen = {(place, name): at for place, name, at in stored}
        pending = self._sightings.get((repository, package))
        for (place, name), at in pending[0].items() if pending else ():
            seen[place, name] = min(at, seen.get((place, name), at))
        return seen

    def _reading(self, repository: str, place: str) -> int | None:
        """Microseconds since the epoch."""
        row = self._row(rows.FIND_READING, (repository, place))
        pending = self._readings.get((repository, place))
        known = [*(row or ()), *((pending[0],) if pending else ())]
        return min(known, default=None)

    def entries(self, repository: str | None = None, prefix: str = "") -> Iterator[Entry]:
        for name in self._repositories() if repository is None else [repository]:
            yield from self._entries_of(name, prefix)

    def _entries_of(self, repository: str, prefix: str) -> Iterator[Entry]:
        """Page by page, so that no long read keeps the log from being emptied."""
        start = prefix
        while page := self.read_apart(rows.FIND_ENTRIES, (repository, start, _PAGE_OF_ENTRIES)):
            for entry in map(rows.entry_of, page):
                if not entry.key.startswith(prefix):
                    return
                yield entry
            start = f"{entry.key}\0"  # The smallest key behind this one.

    def _repositories(self) -> Iterator[str]:
        name: str | None = ""
        while name is not None:
            ((name,),) = self.read_apart(rows.NEXT_REPOSITORY, (name,))
            if name is not None:
                yield name

    def versions_since(self, repository: str, since: datetime, limit: int) -> list[StoredVersion]:
        found = self.read_apart(rows.VERSIONS_SINCE, (repository, rows.microseconds_of(since), limit))
        return [rows.stored_version_of(row) for row in found]

    def versions_after(self, repository: str, package: str, version: str, limit: int) -> list[StoredVersion]:
        found = self.read_apart(rows.VERSIONS_AFTER, (repository, package, version, limit))
        return [rows.stored_version_of(row) for row in found]

    def usage(self, limit: int) -> list[Usage]:
        return [rows.usage_of(row) for row in self.read_apart(rows.FIND_USAGE, (limit,))]

    def is_used(self, sha256: str) -> bool:
        return bool(self.read_apart(rows.FIND_MAKINGS, (rows.digest_of(sha256),)))

    def remembered_keys(self, repository: str, package: str) -> list[str]:
        return [key for (key,) in self.read_apart(rows.FIND_REMEMBERED_KEYS, (repository, package))]

    def totals(self) -> tuple[int, int, int]:
        found = self.read_apart(rows.FIND_TOTALS, ())
        if not found:
            raise StoreFailure(f"{self._path.name}: its totals are missing")
        entries, blobs, blob_bytes = found[0]
        return entries, blobs, blob_bytes

    # ------------------------------------------------------------------------------------------------------- writing

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
        self._reader.close()

    # --------------------------------------------------------------------------------- for the other tables of the file

    async def write(self, *statements: Statement) -> list[Row]:
        """All of them in one transaction; what they returned."""
        write, done = self._submit(statements)
        await done
        return write.found

    def read(self, statement: str, values: rows.Values = ()) -> list[Row]:
        """A few rows, in the caller's thread."""
        self._check_open()
        try:
            return self._reader.execute(statement, values).fetchall()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise failure_of(self._path, error) from error

    def read_apart(self, statement: str, values: rows.Values = ()) -> list[Row]:
        """On a connection of its own, because it may take long and run in any thread."""
        try:
            with closing(connect(self._path, busy_seconds=1)) as connection:
                return connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise failure_of(self._path, error) from error

    def _submit(
        self, statements: Sequence[Statement], *, with_uses: bool = False
    ) -> "tuple[Write, asyncio.Future[None]]":
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        write = Write(statements=statements, done=done, with_uses=with_uses)
        self._writer.submit(write)
        return write, done

    def _check_open(self) -> None:
        """The connection is closed in another thread: whoever reads meanwhile would read freed memory."""
        if self._closed:
            raise StoreFailure(f"{self._path.name}: closed")

    def _row(self, statement: str, values: Sequence[rows.Value]) -> Row | None:
        self._check_open()
        try:
            row: Row | None = self._reader.execute(statement, values).fetchone()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise failure_of(self._path, error) from error
        return row
