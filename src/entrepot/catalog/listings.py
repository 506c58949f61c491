"""Stored listings in the catalog's file. SQL as in `leases`."""

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from entrepot.catalog.rows import (
    Row,
    Statement,
    Values,
    digest_of,
    maybe_microseconds_of,
    maybe_moment_of,
    microseconds_of,
    moment_of,
)
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.listings import Listed

_COLUMNS = "repository, sha256, key, root, url, base, content_type, had_at, aside_at"
_OF = f"SELECT {_COLUMNS} FROM listings WHERE repository = ? ORDER BY aside_at IS NOT NULL, had_at DESC, key"
_REPLACE = (
    "UPDATE listings SET aside_at = :at WHERE repository = :repository AND root = '' AND :root = '' AND key = :key"
    " AND sha256 <> :sha256 AND aside_at IS NULL"
)
_PUT = (
    f"INSERT INTO listings ({_COLUMNS})"
    " VALUES (:repository, :sha256, :key, :root, :url, :base, :content_type, :had_at, :aside_at)"
    " ON CONFLICT (repository, sha256, key) DO UPDATE SET"
    " had_at = min(listings.had_at, excluded.had_at), aside_at = NULL,"
    " root = CASE WHEN excluded.root <> '' THEN excluded.root ELSE listings.root END"
)
_OF_ROOT = "repository = :repository AND root = :root"
_NAMED = "lower(hex(sha256)) IN (SELECT value FROM json_each(:digests))"
_SET_ASIDE = f"UPDATE listings SET aside_at = :at WHERE {_OF_ROOT} AND aside_at IS NULL AND NOT {_NAMED}"
_TAKE_BACK = f"UPDATE listings SET aside_at = NULL WHERE {_OF_ROOT} AND aside_at IS NOT NULL AND {_NAMED}"
_DELETE = (
    "DELETE FROM listings WHERE aside_at < ?1 AND repository NOT IN (SELECT value FROM json_each(?2))"
    f" RETURNING {_COLUMNS}"
)
_DELETE_IN = f"DELETE FROM listings WHERE aside_at < ? AND repository = ? RETURNING {_COLUMNS}"


class SqliteListings:
    """A Listings."""

    def __init__(self, catalog: SqliteCatalog) -> None:
        self._catalog = catalog

    def of(self, repository: str) -> list[Listed]:
        return [_listed_of(row) for row in self._catalog.read(_OF, (repository,))]

    async def put(self, listed: Listed) -> None:
        values: Values = {
            "repository": listed.repository,
            "sha256": digest_of(listed.sha256),
            "key": listed.key,
            "root": listed.root,
            "url": listed.url,
            "base": listed.base,
            "content_type": listed.content_type,
            "had_at": microseconds_of(listed.had_at),
            "aside_at": maybe_microseconds_of(listed.aside_at),
            "at": microseconds_of(listed.had_at),
        }
        await self._catalog.write((_REPLACE, values), (_PUT, values))

    async def name(self, repository: str, root: str, digests: Collection[str], at: datetime) -> None:
        values: Values = {
            "repository": repository,
            "root": root,
            "digests": msgspec.json.encode(sorted(digests)).decode(),
            "at": microseconds_of(at),
        }
        await self._catalog.write((_SET_ASIDE, values), (_TAKE_BACK, values))

    async def delete_aside(self, before: datetime, kept: Mapping[str, datetime]) -> list[Listed]:
        others = microseconds_of(before), msgspec.json.encode([*kept]).decode()
        statements: list[Statement] = [(_DELETE, others)]
        statements += [(_DELETE_IN, (microseconds_of(moment), name)) for name, moment in kept.items()]
        return [_listed_of(row) for row in await self._catalog.write(*statements)]


def _listed_of(row: Row) -> Listed:
    repository, sha256, key, root, url, base, content_type, had_at, aside_at = row
    return Listed(
        repository=repository,
        sha256=sha256.hex(),
        key=key,
        root=root,
        url=url,
        base=base,
        content_type=content_type,
        had_at=moment_of(had_at),
        aside_at=maybe_moment_of(aside_at),
    )
