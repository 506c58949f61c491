"""What was written into bundles and taken over from them, and what goes along with entries, in the catalog's file."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from entrepot.catalog import rows
from entrepot.catalog.rows import Row, Statement, microseconds_of, moment_of
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.bundles import Seen, TakenBundle, WrittenBundle
from entrepot.model.entry import Blob, Remembered

_PAGE = 1000
_STORE = "SELECT name FROM store"
_WRITTEN_COLUMNS = "number, digest, content, since, written_at, what, entries, size_bytes"
_WRITTEN = f"SELECT {_WRITTEN_COLUMNS} FROM bundles_written ORDER BY number DESC"
_PUT_WRITTEN = f"INSERT OR REPLACE INTO bundles_written ({_WRITTEN_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_TAKEN_COLUMNS = "store, number, digest, signer, taken_at, entries"
_TAKEN = f"SELECT {_TAKEN_COLUMNS} FROM bundles_taken ORDER BY taken_at DESC, store, number DESC"
_PUT_TAKEN = f"INSERT OR REPLACE INTO bundles_taken ({_TAKEN_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
_PUT_ITEM = "INSERT OR IGNORE INTO bundle_items (number, item) VALUES (?, ?)"
_ITEMS = "SELECT item FROM bundle_items WHERE number = ?1 AND item > ?2 ORDER BY item LIMIT ?3"
_REMEMBERED = (
    "SELECT key, sha256, size_bytes, first_seen FROM remembered"
    " WHERE repository = ?1 AND key > ?2 ORDER BY key LIMIT ?3"
)
_OWNERS = "SELECT package, upstream FROM owners WHERE repository = ?1 AND package > ?2 ORDER BY package LIMIT ?3"
_READINGS = "SELECT place, read_at FROM readings WHERE repository = ?1 AND place > ?2 ORDER BY place LIMIT ?3"
_PINNED = "SELECT DISTINCT key FROM pins WHERE repository = ?1 AND key > ?2 ORDER BY key LIMIT ?3"
_PINNED_BY = (
    "SELECT repository, key FROM pins WHERE job = ?1 AND (repository, key) > (?2, ?3) ORDER BY repository, key LIMIT ?4"
)
_SIGHTINGS = (
    "SELECT package, version, place, first_seen FROM sightings"
    " WHERE repository = ?1 AND (package, version, place) > (?2, ?3, ?4) ORDER BY package, version, place LIMIT ?5"
)


class SqliteBundles:
    """A BundleBook."""

    def __init__(self, catalog: SqliteCatalog) -> None:
        self._catalog = catalog

    def store(self) -> str:
        return str(self._catalog.read_apart(_STORE)[0][0])

    def written(self) -> list[WrittenBundle]:
        return [_written_of(row) for row in self._catalog.read_apart(_WRITTEN)]

    def taken(self) -> list[TakenBundle]:
        return [_taken_of(row) for row in self._catalog.read_apart(_TAKEN)]

    def carried(self, number: int) -> Iterator[bytes]:
        item = b""
        while page := self._catalog.read_apart(_ITEMS, (number, item, _PAGE)):
            for (item,) in page:
                yield item

    async def note_written(self, bundle: WrittenBundle, items: Iterable[bytes]) -> None:
        """The items first: without its own row a bundle does not count."""
        remaining = iter(items)
        while page := list(islice(remaining, _PAGE)):
            await self._catalog.write(*((_PUT_ITEM, (bundle.number, item)) for item in page))
        await self._catalog.write(_put_written(bundle))

    async def note_taken(self, bundle: TakenBundle) -> None:
        values = (
            bundle.store,
            bundle.number,
            bytes.fromhex(bundle.digest),
            bundle.signer,
            microseconds_of(bundle.taken_at),
            bundle.entries,
        )
        await self._catalog.write((_PUT_TAKEN, values))

    # --- what goes along with entries -------------------------------------------------------------------------------

    def remembered(self, repository: str) -> Iterator[tuple[str, Remembered]]:
        for key, *row in self._pages(_REMEMBERED, repository):
            yield key, rows.remembered_of(tuple(row))

    def owners(self, repository: str) -> Iterator[tuple[str, str]]:
        yield from ((package, upstream) for package, upstream in self._pages(_OWNERS, repository))

    def readings(self, repository: str) -> Iterator[tuple[str, datetime]]:
        yield from ((place, moment_of(at)) for place, at in self._pages(_READINGS, repository))

    def sightings(self, repository: str) -> Iterator[Seen]:
        for package, version, place, at in self._pages(_SIGHTINGS, repository, 3):
            yield Seen(package=package, version=version, place=place, first_seen=moment_of(at))

    def pinned(self, repository: str) -> Iterator[str]:
        yield from (key for (key,) in self._pages(_PINNED, repository))

    def pinned_by(self, job: str) -> Iterator[tuple[str, str]]:
        yield from ((repository, key) for repository, key in self._pages(_PINNED_BY, job, 2))

    def find_blob(self, sha256: str) -> Blob | None:
        found = self._catalog.read_apart(rows.FIND_BLOB, (bytes.fromhex(sha256),))
        return rows.blob_of(found[0]) if found else None

    def _pages(self, statement: str, of: str, width: int = 1) -> Iterator[Row]:
        """Page by page, so that no long read keeps the log from being emptied; `width` columns tell the place."""
        place: tuple[str, ...] = ("",) * width
        while page := self._catalog.read_apart(statement, (of, *place, _PAGE)):
            yield from page
            place = tuple(page[-1][:width])


def _put_written(bundle: WrittenBundle) -> Statement:
    return _PUT_WRITTEN, (
        bundle.number,
        bytes.fromhex(bundle.digest),
        bytes.fromhex(bundle.content),
        bundle.since,
        microseconds_of(bundle.written_at),
        bundle.what,
        bundle.entries,
        bundle.size_bytes,
    )


def _written_of(row: Row) -> WrittenBundle:
    number, digest, content, since, written_at, what, entries, size_bytes = row
    return WrittenBundle(
        number=number,
        digest=digest.hex(),
        content=content.hex(),
        since=since,
        written_at=moment_of(written_at),
        what=what,
        entries=entries,
        size_bytes=size_bytes,
    )


def _taken_of(row: Row) -> TakenBundle:
    store, number, digest, signer, taken_at, entries = row
    return TakenBundle(
        store=store,
        number=number,
        digest=digest.hex(),
        signer=signer,
        taken_at=moment_of(taken_at),
        entries=entries,
    )
