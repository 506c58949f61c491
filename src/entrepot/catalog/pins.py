"""What is kept from eviction, in the catalog's file. Which blobs that means is kept by triggers (`migrations`)."""

from collections.abc import Sequence
from datetime import datetime

from entrepot.catalog.rows import Statement, microseconds_of, moment_of
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.mirrors import PinSummary

_PIN = "INSERT INTO pins (repository, key, job, pinned_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_RELEASE = "DELETE FROM pins WHERE job = ? RETURNING 1"
_SUMMARIES = (
    "SELECT pins.job, coalesce(max(mirror_jobs.name), max(sessions.name), ''), count(*),"
    " coalesce(sum(entries.size_bytes), 0), min(pins.pinned_at) FROM pins"
    " LEFT JOIN entries ON entries.repository = pins.repository AND entries.key = pins.key"
    " LEFT JOIN mirror_jobs ON mirror_jobs.id = pins.job"
    " LEFT JOIN sessions ON 'session:' || sessions.id = pins.job"
    " GROUP BY pins.job ORDER BY min(pins.pinned_at)"
)


def pin(job: str, repository: str, key: str, at: datetime) -> Statement:
    return _PIN, (repository, key, job, microseconds_of(at))


class SqlitePins:
    """Pins."""

    def __init__(self, catalog: SqliteCatalog) -> None:
        self._catalog = catalog

    async def pin(self, job: str, entries: Sequence[tuple[str, str]], at: datetime) -> None:
        await self._catalog.write(*(pin(job, repository, key, at) for repository, key in entries))

    async def release(self, job: str) -> int:
        return len(await self._catalog.write((_RELEASE, (job,))))

    def summaries(self) -> list[PinSummary]:
        return [
            PinSummary(job=job, name=name, entries=count, size_bytes=size, pinned_at=moment_of(pinned_at))
            for job, name, count, size, pinned_at in self._catalog.read_apart(_SUMMARIES)
        ]
