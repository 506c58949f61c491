"""Orders that are carried out again and again: each once in its time, however many processes look after it."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from cronsim import CronSim

from entrepot.contracts.clock import Clock
from entrepot.contracts.leases import CLOCKS_APART, Lease, Leases
from entrepot.errors import EntrepotError, StoreFailure
from entrepot.mirror.jobs import Mirror
from entrepot.model.order import MirrorOrder

LEASE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 5.0
BACKOFF: Final = (60.0, 3600.0)
"""Seconds, after an order that could not be given."""

_log = logging.getLogger("entrepot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    name: str
    order: Callable[[], MirrorOrder]
    """As it is now; reads files: called in a thread. Raises BadRequest."""
    every: float | None
    """Seconds from one start to the next; None: as `cron` says."""
    cron: str
    jitter: float
    """Seconds."""

    @property
    def client(self) -> str:
        return f"schedule {self.name}"

    def next_after(self, start: datetime) -> datetime:
        if self.every is not None:
            return start + timedelta(seconds=self.every)
        return next(CronSim(self.cron, start))


class Scheduler:
    def __init__(
        self, mirror: Mirror, leases: Leases, clock: Clock, schedules: Sequence[Schedule], *, holder: str
    ) -> None:
        self._mirror, self._leases, self._clock = mirror, leases, clock
        self._schedules, self._holder = schedules, holder

    async def work(self) -> None:
        """Until it is cancelled."""
        while self._schedules:
            await self.begin()
            await asyncio.sleep(POLL_SECONDS)

    async def begin(self) -> None:
        """Whatever is due."""
        for schedule in self._schedules:
            try:
                await self._begin(schedule)
            except StoreFailure as failure:
                _log.warning("%s waits, because the catalog cannot be used: %s", schedule.client, failure)

    async def _begin(self, schedule: Schedule) -> None:
        key, now = f"schedule/{schedule.name}", self._clock.now()
        if not await self._is_due(schedule, key, now):
            return
        lease = await self._leases.acquire(key, self._holder, now, LEASE_SECONDS)
        if lease is None:
            return
        former = await asyncio.to_thread(self._mirror.last_of, schedule.client)
        # Who had the lease before may have died after the order and before it could say so.
        given = former is not None and former.created_at >= lease.not_before
        # What was never done is not late: it begins when its time comes.
        begins = former is None and lease.last_success_at is None and lease.last_failure_at is None
        waits = begins and schedule.every is None
        try:
            if not (given or waits):
                order = await asyncio.to_thread(schedule.order)
                job = await self._mirror.submit(order, client=schedule.client, name=schedule.name)
                _log.info("%s: mirror job %s", schedule.client, job.id)
        except StoreFailure:
            raise
        except EntrepotError as error:
            _log.error("%s: %s", schedule.client, error)
            await self._leases.keep(lease.failed(now, *BACKOFF, str(error)))
            return
        await self._leases.keep(self._done(schedule, lease, now))

    def _done(self, schedule: Schedule, lease: Lease, now: datetime) -> Lease:
        pause = (schedule.next_after(now) - lease.started_at).total_seconds()
        return lease.succeeded(now, pause, random.uniform(0.0, schedule.jitter))

    async def _is_due(self, schedule: Schedule, key: str, now: datetime) -> bool:
        lease = self._leases.find(key)
        if lease is None or lease.written_at > now + CLOCKS_APART:
            return True
        if lease.last_success_at is not None and not lease.failures:
            # The configuration may have changed since, and have it begin sooner than was written down.
            due = schedule.next_after(lease.started_at) + timedelta(seconds=schedule.jitter)
            if due < lease.not_before:
                lease = replace(lease, not_before=due, written_at=now)
                await self._leases.keep(lease)
        return lease.not_before <= now
