"""Mirror jobs and their items, in the catalog's file. Counts and pinned blobs are kept by triggers (`migrations`)."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from entrepot.catalog.leases import FREE, times_at
from entrepot.catalog.pins import pin
from entrepot.catalog.rows import Row, Statement, maybe_moment_of, microseconds_of, moment_of
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.mirrors import Counts, ItemError, ItemKind, ItemState, Job, JobState, MirrorItem, Settled
from entrepot.errors import TooManyJobs

MOST_ERRORS: Final = 1000

_COUNTS = ("total", "done", "held", "absent", "refused", "skipped", "failed", "fetched_bytes", "held_bytes")
_NAMES = (
    "id", "order_digest", "name", "client", "repositories", "state", "created_at", "started_at", "ended_at", "problem",
    *_COUNTS,
)  # fmt: skip
_COLUMNS = ", ".join(_NAMES)
_OPEN = "state IN ('queued', 'planning', 'running')"
_ADD_JOB = (
    f"INSERT INTO mirror_jobs ({_COLUMNS}, order_body, was_read)"
    f" SELECT {', '.join(f':{name}' for name in _NAMES)}, :order_body, 0"
    f" WHERE NOT EXISTS (SELECT 1 FROM mirror_jobs WHERE order_digest = :order_digest AND {_OPEN})"
    f" AND (:most IS NULL OR (SELECT count(*) FROM mirror_jobs WHERE client = :client AND {_OPEN}) < :most)"
)
_FIND_SAME = f"SELECT {_COLUMNS} FROM mirror_jobs WHERE order_digest = :order_digest AND {_OPEN}"
_FIND_JOB = f"SELECT {_COLUMNS} FROM mirror_jobs WHERE id = ?"
_FIND_ORDER = "SELECT order_body, was_read FROM mirror_jobs WHERE id = ?"
_JOBS = f"SELECT {_COLUMNS} FROM mirror_jobs ORDER BY created_at DESC, id LIMIT ?"
_JOBS_OF = f"SELECT {_COLUMNS} FROM mirror_jobs WHERE client = ? ORDER BY created_at DESC, id LIMIT ?"
_DUE = (
    f"SELECT {_COLUMNS} FROM mirror_jobs WHERE {_OPEN} AND NOT EXISTS"
    f" (SELECT 1 FROM leases WHERE leases.key = 'mirror/' || id AND NOT {FREE})"
    " ORDER BY mirror_jobs.created_at LIMIT :limit"
)
_ANY_OPEN = f"SELECT 1 FROM mirror_jobs WHERE {_OPEN} LIMIT 1"
_RUNNING = "SELECT count(*) FROM leases WHERE key >= 'mirror/' AND key < 'mirror0' AND expires_at > ?"
_ADVANCE = (
    "UPDATE mirror_jobs SET state = :state, problem = :problem, started_at = coalesce(started_at, :started_at),"
    f" ended_at = :ended_at WHERE id = :id AND {_OPEN} RETURNING id"
)
_REOPEN = (
    f"UPDATE mirror_jobs SET state = CASE WHEN {_OPEN} THEN state ELSE 'queued' END, problem = '', ended_at = NULL"
    " WHERE id = :job RETURNING id"
)
_NOTE_READ = "UPDATE mirror_jobs SET was_read = 1 WHERE id = ?"
_ITEM_NAMES = ("number", "kind", "repository", "key", "payload", "state", "size_bytes")
_ITEM_COLUMNS = ", ".join(_ITEM_NAMES)
_ADD_ITEM = (
    f"INSERT INTO mirror_items (job, {_ITEM_COLUMNS}) VALUES (:job,"
    " (SELECT coalesce(max(number), 0) + 1 FROM mirror_items WHERE job = :job),"
    f" {', '.join(f':{name}' for name in _ITEM_NAMES[1:])})"
    " ON CONFLICT (job, kind, repository, key) DO UPDATE SET state = excluded.state, size_bytes = excluded.size_bytes"
    " WHERE mirror_items.state = 'open' AND excluded.state <> 'open'"
)
# What is beyond the cap is counted only. The counts have this one already.
_ADD_ERROR = (
    "INSERT INTO mirror_errors (job, number, subject, error, code) SELECT :job, number, :subject, :error, :code"
    " FROM mirror_items WHERE job = :job AND kind = :kind AND repository = :repository AND key = :key"
    f" AND (SELECT refused + skipped + failed FROM mirror_jobs WHERE id = :job) <= {MOST_ERRORS}"
    " ON CONFLICT (job, number) DO NOTHING"
)
_PAGE = f"SELECT {_ITEM_COLUMNS} FROM mirror_items WHERE job = ? AND number > ? ORDER BY number LIMIT ?"
_OPEN_PAGE = (
    f"SELECT {_ITEM_COLUMNS} FROM mirror_items WHERE job = ? AND kind = ? AND number > ? AND state = 'open'"
    " ORDER BY number LIMIT ?"
)
_REPOSITORIES = "SELECT DISTINCT repository FROM mirror_items WHERE job = ? AND repository <> ''"
_IS_FILE = "SELECT 1 FROM mirror_items WHERE job = ? AND kind = 'file' AND repository = ? AND key = ?"
_FILE_KEYS = (
    "SELECT key FROM mirror_items WHERE job = ?1 AND kind = 'file' AND repository = ?2 AND key >= ?3"
    " AND substr(key, 1, length(?3)) = ?3"
)
_ERRORS = "SELECT subject, error, code FROM mirror_errors WHERE job = ? ORDER BY number"
_HAND_OVER = "UPDATE OR REPLACE pins SET job = ? WHERE job = ?"
_RELEASE = "DELETE FROM pins WHERE job = ?"
_ENDED = f"SELECT id FROM mirror_jobs WHERE NOT ({_OPEN}) AND ended_at < ?"
_ENDED_UNREAD = (
    f"SELECT id FROM mirror_jobs WHERE client = ? AND NOT ({_OPEN}) AND NOT was_read"
    " ORDER BY created_at DESC, id LIMIT -1 OFFSET ?"
)

_FORGET = (
    "DELETE FROM mirror_items WHERE job = ?",
    "DELETE FROM mirror_errors WHERE job = ?",
    "DELETE FROM mirror_jobs WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM pins WHERE job = ?1)",
)


class SqliteMirrors:
    """A MirrorBook."""

    def __init__(self, catalog: SqliteCatalog) -> None:
        self._catalog = catalog

    # --- jobs -------------------------------------------------------------------------------------------------------

    async def add_job(self, job: Job, order: bytes, most: int | None = None) -> Job:
        add = {**_values_of(job), "order_body": order, "most": most}
        rows = await self._catalog.write((_ADD_JOB, add), (_FIND_SAME, {"order_digest": job.order_digest}))
        if not rows:
            raise TooManyJobs(job.client, most or 0)
        return _job_of(rows[0])

    def find_job(self, job: str) -> Job | None:
        rows = self._catalog.read(_FIND_JOB, (job,))
        return _job_of(rows[0]) if rows else None

    def find_order(self, job: str) -> tuple[bytes, bool] | None:
        rows = self._catalog.read(_FIND_ORDER, (job,))
        return (rows[0][0], bool(rows[0][1])) if rows else None

    def jobs(self, limit: int) -> list[Job]:
        return [_job_of(row) for row in self._catalog.read_apart(_JOBS, (limit,))]

    def jobs_named(self, client: str, limit: int) -> list[Job]:
        return [_job_of(row) for row in self._catalog.read_apart(_JOBS_OF, (client, limit))]

    def due(self, now: datetime, limit: int) -> list[Job]:
        return [_job_of(row) for row in self._catalog.read_apart(_DUE, {**times_at(now), "limit": limit})]

    def any_open(self) -> bool:
        return bool(self._catalog.read(_ANY_OPEN))

    def running(self, now: datetime) -> int:
        ((count,),) = self._catalog.read(_RUNNING, (microseconds_of(now),))
        return int(count)

    async def advance(self, job: str, state: JobState, at: datetime, problem: str = "") -> bool:
        moment = microseconds_of(at)
        values = {
            "id": job,
            "state": state.value,
            "problem": problem,
            "started_at": None if state is JobState.QUEUED else moment,
            "ended_at": moment if state.ended else None,
        }
        return bool(await self._catalog.write((_ADVANCE, values)))

    async def reopen(self, job: str, states: Collection[ItemState]) -> bool:
        # What could not be understood has nothing in it that could be done again.
        wanted = f"job = :job AND state IN ({_quoted(states)}) AND NOT (kind = 'selection' AND payload = x'')"
        place = {"job": job}
        errors = f"job = :job AND number IN (SELECT number FROM mirror_items WHERE {wanted})"
        found = await self._catalog.write(
            (f"DELETE FROM mirror_errors WHERE {errors}", place),
            (f"UPDATE mirror_items SET state = 'open' WHERE {wanted}", place),
            (_REOPEN, place),
        )
        return bool(found)

    async def note_read(self, job: str) -> None:
        await self._catalog.write((_NOTE_READ, (job,)))

    # --- items ------------------------------------------------------------------------------------------------------

    async def record(self, job: str, added: Sequence[MirrorItem], settled: Sequence[Settled], at: datetime) -> None:
        statements = [_add_item(job, item) for item in added]
        for one in settled:
            statements.append(_add_item(job, one.item))
            if one.error is not None:
                statements.append(_add_error(job, one.item, one.error))
        kept = (item for item in (*added, *(one.item for one in settled)) if item.pins)
        statements += [pin(job, item.repository, item.key, at) for item in kept]
        await self._catalog.write(*statements)

    def open_items(self, job: str, kinds: Collection[ItemKind], after: int, limit: int) -> list[MirrorItem]:
        found = [row for kind in kinds for row in self._catalog.read_apart(_OPEN_PAGE, (job, kind.value, after, limit))]
        return [_item_of(row) for row in sorted(found)[:limit]]

    def repositories_of(self, job: str) -> list[str]:
        return [name for (name,) in self._catalog.read_apart(_REPOSITORIES, (job,))]

    def is_file(self, job: str, repository: str, key: str) -> bool:
        return bool(self._catalog.read_apart(_IS_FILE, (job, repository, key)))

    def file_keys(self, job: str, repository: str, prefix: str) -> list[str]:
        return [key for (key,) in self._catalog.read_apart(_FILE_KEYS, (job, repository, prefix))]

    def items(self, job: str, after: int, limit: int) -> list[MirrorItem]:
        return [_item_of(row) for row in self._catalog.read_apart(_PAGE, (job, after, limit))]

    def errors(self, job: str) -> list[ItemError]:
        found = self._catalog.read_apart(_ERRORS, (job,))
        return [ItemError(subject=subject, error=error, code=code) for subject, error, code in found]

    # --- what comes after -------------------------------------------------------------------------------------------

    async def supersede(self, job: str, former: Collection[str], *, release: bool) -> None:
        statements: Iterable[Statement] = (
            (_RELEASE, (one,)) if release else (_HAND_OVER, (job, one)) for one in former
        )
        await self._catalog.write(*statements)

    async def forget(self, before: datetime) -> list[str]:
        return await self._forget(self._catalog.read_apart(_ENDED, (microseconds_of(before),)))

    async def forget_unread(self, client: str, most: int) -> list[str]:
        return await self._forget(self._catalog.read_apart(_ENDED_UNREAD, (client, most)))

    async def _forget(self, found: Sequence[Row]) -> list[str]:
        for ended in found:
            await self._catalog.write(*((statement, ended) for statement in _FORGET))
        return [job for (job,) in found]


def _quoted(states: Collection[ItemState]) -> str:
    return ", ".join(f"'{state.value}'" for state in states)


def _values_of(job: Job) -> dict[str, str | bytes | int | None]:
    counts = {name: getattr(job.counts, name) for name in _COUNTS}
    names = None if job.repositories is None else msgspec.msgpack.encode(job.repositories)
    return {
        "id": job.id,
        "order_digest": job.order_digest,
        "name": job.name,
        "client": job.client,
        "repositories": names,
        "state": job.state.value,
        "created_at": microseconds_of(job.created_at),
        "started_at": None,
        "ended_at": None,
        "problem": job.problem,
        **counts,
    }


def _job_of(row: Row) -> Job:
    ident, order_digest, name, client, repositories, state, created_at, started_at, ended_at, problem, *counts = row
    names = None if repositories is None else tuple(msgspec.msgpack.decode(repositories, type=list[str]))
    return Job(
        id=ident,
        order_digest=order_digest,
        name=name,
        client=client,
        repositories=names,
        state=JobState(state),
        created_at=moment_of(created_at),
        started_at=maybe_moment_of(started_at),
        ended_at=maybe_moment_of(ended_at),
        problem=problem,
        counts=Counts(**dict(zip(_COUNTS, counts, strict=True))),
    )


def _add_item(job: str, item: MirrorItem) -> Statement:
    return _ADD_ITEM, {
        "job": job,
        "kind": item.kind.value,
        "repository": item.repository,
        "key": item.key,
        "payload": item.payload,
        "state": item.state.value,
        "size_bytes": item.size_bytes,
    }


def _add_error(job: str, item: MirrorItem, error: ItemError) -> Statement:
    return _ADD_ERROR, {
        "job": job,
        "kind": item.kind.value,
        "repository": item.repository,
        "key": item.key,
        "subject": error.subject,
        "error": error.error,
        "code": error.code,
    }


def _item_of(row: Row) -> MirrorItem:
    number, kind, repository, key, payload, state, size_bytes = row
    return MirrorItem(
        number=number,
        kind=ItemKind(kind),
        repository=repository,
        key=key,
        payload=payload,
        state=ItemState(state),
        size_bytes=size_bytes,
    )
