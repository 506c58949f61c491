"""Leases in the catalog's file.

What may be had is decided by one statement, in the writer's transaction, so it is decided once however many processes
ask. The statements are SQL that PostgreSQL understands, too.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from entrepot.catalog.rows import Row, Values, maybe_microseconds_of, maybe_moment_of, microseconds_of, moment_of
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.leases import CLOCKS_APART, Lease

COLUMNS = (
    "leases.key, leases.holder, leases.fence, leases.expires_at, leases.started_at, leases.last_success_at,"
    " leases.last_failure_at, leases.failures, leases.not_before, leases.result, leases.written_at"
)
FREE = "(leases.written_at > :soon OR (leases.expires_at <= :now AND leases.not_before <= :now))"
"""Whether a lease may be acquired; `times_at` brings what it compares with."""

_FIND = f"SELECT {COLUMNS} FROM leases WHERE key = :key"
# A first fence is a time, so that fences grow also where a lease was forgotten in between.
_ACQUIRE = (
    "INSERT INTO leases (key, holder, fence, expires_at, started_at, failures, not_before, result, written_at)"
    " VALUES (:key, :holder, :now, :expires_at, :now, 0, :now, '', :now)"
    " ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, fence = leases.fence + 1,"
    " expires_at = excluded.expires_at, started_at = excluded.started_at, written_at = excluded.written_at"
    f" WHERE {FREE} RETURNING {COLUMNS}"
)
_KEEP = (
    "UPDATE leases SET expires_at = :expires_at, last_success_at = :last_success_at,"
    " last_failure_at = :last_failure_at, failures = :failures, not_before = :not_before, result = :result,"
    " written_at = :written_at WHERE key = :key AND fence = :fence RETURNING key"
)
_HOLDERS = "SELECT DISTINCT holder FROM leases WHERE expires_at > ?"
_RECLAIM = "UPDATE leases SET expires_at = :now, written_at = :now WHERE holder = :holder AND expires_at > :now"
_CLEAR = "DELETE FROM leases WHERE key = :key"
_FORGET = "DELETE FROM leases WHERE expires_at < :before AND not_before < :before"


class SqliteLeases:
    """Leases."""

    def __init__(self, catalog: SqliteCatalog) -> None:
        self._catalog = catalog

    async def acquire(self, key: str, holder: str, now: datetime, ttl: float) -> Lease | None:
        expires_at = microseconds_of(now + timedelta(seconds=ttl))
        values: Values = {"key": key, "holder": holder, "expires_at": expires_at, **times_at(now)}
        rows = await self._catalog.write((_ACQUIRE, values))
        return lease_of(rows[0]) if rows else None

    async def keep(self, lease: Lease) -> bool:
        values: Values = {
            "key": lease.key,
            "fence": lease.fence,
            "expires_at": microseconds_of(lease.expires_at),
            "last_success_at": maybe_microseconds_of(lease.last_success_at),
            "last_failure_at": maybe_microseconds_of(lease.last_failure_at),
            "failures": lease.failures,
            "not_before": microseconds_of(lease.not_before),
            "result": lease.result,
            "written_at": microseconds_of(lease.written_at),
        }
        return bool(await self._catalog.write((_KEEP, values)))

    def find(self, key: str) -> Lease | None:
        rows = self._catalog.read(_FIND, {"key": key})
        return lease_of(rows[0]) if rows else None

    async def reclaim(self, is_living: Callable[[str], bool], now: datetime) -> None:
        moment = microseconds_of(now)
        dead = [holder for (holder,) in self._catalog.read(_HOLDERS, (moment,)) if not is_living(holder)]
        if dead:
            await self._catalog.write(*((_RECLAIM, {"holder": holder, "now": moment}) for holder in dead))

    async def clear(self, key: str) -> None:
        await self._catalog.write((_CLEAR, {"key": key}))

    async def forget(self, before: datetime) -> None:
        await self._catalog.write((_FORGET, {"before": microseconds_of(before)}))


def times_at(now: datetime) -> dict[str, int]:
    return {"now": microseconds_of(now), "soon": microseconds_of(now + CLOCKS_APART)}


def lease_of(row: Row) -> Lease:
    """From the COLUMNS."""
    key, holder, fence, expires_at, started_at, success_at, failure_at, failures, not_before, result, written_at = row
    return Lease(
        key=key,
        holder=holder,
        fence=fence,
        expires_at=moment_of(expires_at),
        started_at=moment_of(started_at),
        last_success_at=maybe_moment_of(success_at),
        last_failure_at=maybe_moment_of(failure_at),
        failures=failures,
        not_before=moment_of(not_before),
        result=result,
        written_at=moment_of(written_at),
    )
