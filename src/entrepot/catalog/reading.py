"""What the catalog says: from the file, and from an overlay for what is still on its way there."""

import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from entrepot.catalog import rows
from entrepot.catalog.opening import connect, failure_of
from entrepot.catalog.rows import Row
from entrepot.catalog.writing import Overlay
from entrepot.contracts.catalog import Derived, OriginState, Published, Sighting, StoredVersion, Usage
from entrepot.errors import StoreFailure
from entrepot.model.entry import Blob, Entry, Remembered
from entrepot.model.resource import edition_of

_PAGE_OF_ENTRIES = 500
_IDLE_KEPT = 2

Seen = Mapping[tuple[str, str], int]
"""Of one package: (place, version) to microseconds."""


class SqliteReading:
    """The reading half of a Catalog. Everything but `entries`, `usage` and `totals` also sees what is not durable yet.

    To be used from one event loop at a time; `entries`, `usage`, `totals` and `read_apart` from any thread.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._connection = path, connection
        self._closed = False
        self._idle: deque[sqlite3.Connection] = deque()
        """Of those for other threads."""
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
        self._sightings: Overlay[tuple[str, str], Seen] = Overlay()

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

    def _sightings_of(self, repository: str, seen: Seen) -> dict[str, Sighting]:
        readings = {place: self._reading(repository, place) for place in {place for place, _ in seen}}
        return rows.sightings_of(((*name, at) for name, at in seen.items()), readings)

    def _seen(self, statement: str, repository: str, package: str, *version: str) -> Seen:
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

    # --------------------------------------------------------------------------------- for the other tables of the file

    def read(self, statement: str, values: rows.Values = ()) -> list[Row]:
        """A few rows, in the caller's thread."""
        self._check_open()
        try:
            return self._connection.execute(statement, values).fetchall()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise failure_of(self._path, error) from error

    def read_apart(self, statement: str, values: rows.Values = ()) -> list[Row]:
        """On another connection, because it may take long and run in any thread."""
        try:
            with self._apart() as connection:
                return connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise failure_of(self._path, error) from error

    @contextmanager
    def _apart(self) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else uses. A new one has to read the schema first, so a few are kept."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = connect(self._path, busy_seconds=1)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        if self._closed or len(self._idle) > _IDLE_KEPT:
            self._close_idle(0 if self._closed else _IDLE_KEPT)

    def _close_idle(self, kept: int) -> None:
        with suppress(IndexError):
            while len(self._idle) > kept:
                self._idle.popleft().close()

    def _check_open(self) -> None:
        """The connection is closed in another thread: whoever reads meanwhile would read freed memory."""
        if self._closed:
            raise StoreFailure(f"{self._path.name}: closed")

    def _row(self, statement: str, values: Sequence[rows.Value]) -> Row | None:
        self._check_open()
        try:
            row: Row | None = self._connection.execute(statement, values).fetchone()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise failure_of(self._path, error) from error
        return row
