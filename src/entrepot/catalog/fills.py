"""What is to be fetched behind answers, in the catalog's file. SQL as in `leases`."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from entrepot.catalog.leases import COLUMNS as LEASE_COLUMNS
from entrepot.catalog.leases import FREE, lease_of, times_at
from entrepot.catalog.rows import Row, microseconds_of, moment_of
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.fills import Fill, FillRecord, FillState

_NAMES = ("key", "repository", "path", "query", "accept", "reason", "client", "state", "created_at")
_COLUMNS = ", ".join(f"fills.{name}" for name in _NAMES)
_ADD = (
    f"INSERT INTO fills ({', '.join(_NAMES)}) SELECT {', '.join(f':{name}' for name in _NAMES)}"
    f" WHERE NOT EXISTS (SELECT 1 FROM leases WHERE leases.key = :key AND NOT {FREE})"
    " ON CONFLICT (key) DO UPDATE SET reason = excluded.reason, client = excluded.client, state = excluded.state,"
    " created_at = excluded.created_at WHERE fills.state <> excluded.state RETURNING key"
)
_CLOSE = "UPDATE fills SET state = :state WHERE key = :key"
_REMOVE = "DELETE FROM fills WHERE key = :key OR substr(key, 1, length(:key) + 1) = :key || ' ' RETURNING key"
_REMOVE_FAILED = "DELETE FROM fills WHERE state = 'failed' RETURNING key"
_FORGET = "DELETE FROM fills WHERE state <> 'open' AND NOT EXISTS (SELECT 1 FROM leases WHERE leases.key = fills.key)"
_IS_OPEN = "SELECT 1 FROM fills WHERE key = :key AND state = 'open'"
_ANY_OPEN = "SELECT 1 FROM fills WHERE state = 'open' LIMIT 1"
_DUE = (
    f"SELECT {_COLUMNS} FROM fills LEFT JOIN leases ON leases.key = fills.key"
    f" WHERE fills.state = 'open' AND (leases.key IS NULL OR {FREE})"
    " ORDER BY fills.created_at LIMIT :limit"
)
_COUNTS = "SELECT client, repository, count(*) FROM fills WHERE state = 'open' GROUP BY client, repository"
_RECORDS = (
    f"SELECT {_COLUMNS}, {LEASE_COLUMNS} FROM fills LEFT JOIN leases ON leases.key = fills.key"
    " ORDER BY fills.state DESC, fills.created_at LIMIT :limit"
)


class SqliteFills:
    """A FillBook."""

    def __init__(self, catalog: SqliteCatalog) -> None:
        self._catalog = catalog

    async def add(self, fills: Sequence[Fill], now: datetime) -> set[str]:
        times = times_at(now)
        rows = await self._catalog.write(*((_ADD, {**_values_of(fill), **times}) for fill in fills))
        return {key for (key,) in rows}

    async def close(self, key: str, state: FillState) -> None:
        await self._catalog.write((_CLOSE, {"key": key, "state": state.value}))

    async def remove(self, key: str) -> list[str]:
        return [key for (key,) in await self._catalog.write((_REMOVE, {"key": key}))]

    async def remove_failed(self) -> list[str]:
        return [key for (key,) in await self._catalog.write((_REMOVE_FAILED, ()))]

    async def forget(self) -> None:
        await self._catalog.write((_FORGET, ()))

    def is_open(self, key: str) -> bool:
        return bool(self._catalog.read(_IS_OPEN, {"key": key}))

    def any_open(self) -> bool:
        return bool(self._catalog.read(_ANY_OPEN))

    def due(self, now: datetime, limit: int) -> list[Fill]:
        return [_fill_of(row) for row in self._catalog.read_apart(_DUE, {**times_at(now), "limit": limit})]

    def open_counts(self) -> Mapping[tuple[str, str], int]:
        return {(client, repository): count for client, repository, count in self._catalog.read_apart(_COUNTS)}

    def records(self, limit: int) -> list[FillRecord]:
        return [_record_of(row) for row in self._catalog.read_apart(_RECORDS, {"limit": limit})]


def _values_of(fill: Fill) -> Mapping[str, str | int]:
    return {
        "key": fill.key,
        "repository": fill.repository,
        "path": fill.path,
        "query": fill.query,
        "accept": fill.accept,
        "reason": fill.reason,
        "client": fill.client,
        "state": fill.state.value,
        "created_at": microseconds_of(fill.created_at),
    }


def _fill_of(row: Row) -> Fill:
    key, repository, path, query, accept, reason, client, state, created_at = row
    return Fill(
        key=key,
        repository=repository,
        path=path,
        query=query,
        accept=accept,
        reason=reason,
        client=client,
        state=FillState(state),
        created_at=moment_of(created_at),
    )


def _record_of(row: Row) -> FillRecord:
    own, of_lease = row[: len(_NAMES)], row[len(_NAMES) :]
    return FillRecord(fill=_fill_of(own), lease=lease_of(of_lease) if of_lease[0] is not None else None)
