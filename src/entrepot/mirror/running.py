"""Runs mirror jobs: each in one process at a time, under a lease, until it has ended or the server does."""

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Final

from entrepot.contracts.leases import Lease
from entrepot.contracts.mirrors import Counts, Job, JobState
from entrepot.errors import EntrepotError, StoreFailure
from entrepot.mirror.absences import Absences
from entrepot.mirror.dossier import Dossiers, order_note
from entrepot.mirror.executing import Executor
from entrepot.mirror.ground import Ground
from entrepot.mirror.ledger import Ledger
from entrepot.mirror.persistence import Persistence, stops
from entrepot.mirror.planning import Planner
from entrepot.mirror.reading import OrderReader
from entrepot.mirror.trees.telling import BY_ACCESS

POLL_SECONDS: Final = 1.0
"""Other processes write jobs, too."""
FORGET_SECONDS: Final = 3600.0

_log = logging.getLogger("entrepot")


class Runner:
    def __init__(
        self,
        ground: Ground,
        dossiers: Dossiers,
        reader: OrderReader,
        *,
        holder: str,
        is_living: Callable[[str], bool],
    ) -> None:
        """`holder` names this process; `is_living` tells of others whether they can still work."""
        self._ground, self._book, self._leases, self._clock = ground, ground.book, ground.leases, ground.clock
        self._dossiers, self._reader, self._holder, self._rules = dossiers, reader, holder, ground.rules
        self._is_living = is_living
        self._running: set[asyncio.Task[None]] = set()
        self.news = asyncio.Event()
        """Set when there may be a job to do."""

    async def work(self) -> None:
        """Until it is cancelled. What runs is given back then."""
        await self._reclaim()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forget())
            while True:
                self.news.clear()
                try:
                    await self.begin(group)
                except StoreFailure as failure:
                    _log.warning("mirror jobs wait, because the catalog cannot be used: %s", failure)
                    await asyncio.sleep(self._rules.broken_seconds[0])
                news = asyncio.create_task(self.news.wait())
                try:
                    await asyncio.wait({news, *self._running}, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
                finally:
                    news.cancel()

    async def _reclaim(self) -> None:
        """Whoever was killed gave nothing back; whoever comes after need not wait until that has expired."""
        try:
            await self._leases.reclaim(self._is_living, self._clock.now())
        except StoreFailure as failure:
            _log.warning("what killed processes did goes on when their leases have expired: %s", failure)

    async def begin(self, group: asyncio.TaskGroup) -> None:
        """Begin as many of those that are due as there is room for. Raises StoreFailure."""
        room = self._rules.jobs - len(self._running)
        if room <= 0 or not self._book.any_open():
            return
        for job in await asyncio.to_thread(self._book.due, self._clock.now(), room):
            key = f"mirror/{job.id}"
            lease = await self._leases.acquire(key, self._holder, self._clock.now(), self._rules.lease_seconds)
            # Another process may have begun it, or ended it, since the rows were read.
            if lease is None:
                continue
            found = self._book.find_job(job.id)
            if found is None or found.state.ended or self._book.running(self._clock.now()) > self._rules.jobs:
                await self._leases.keep(lease.released(self._clock.now()))
                continue
            task = group.create_task(self._run(found, lease), name=f"mirror {job.id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    # --- one job ----------------------------------------------------------------------------------------------------

    async def _run(self, job: Job, lease: Lease) -> None:
        attempt = asyncio.create_task(self._attempt(job), name=f"mirror {job.id}")
        try:
            held = await self._hold(job, lease, attempt)
            if held is None:
                _log.warning("mirror job %s: another process has it now", job.id)
            else:
                await self._end(job, held, None if attempt.cancelled() else attempt.exception())
        except asyncio.CancelledError:
            await _stop(attempt)
            await self._give_back(job, lease)
            raise
        except StoreFailure as failure:
            _log.warning("mirror job %s goes on when its lease has expired: %s", job.id, failure)
        finally:
            await _stop(attempt)

    async def _hold(self, job: Job, lease: Lease, attempt: "asyncio.Task[None]") -> Lease | None:
        """The lease when the attempt has ended, or was told to because the job had; None where it was lost before."""
        renewed = self._clock.now()
        while True:
            await asyncio.wait({attempt}, timeout=self._rules.poll_seconds)
            if attempt.done():
                return lease
            found = self._book.find_job(job.id)
            if found is None or found.state.ended:
                await _stop(attempt)
                return lease
            now = self._clock.now()
            if now - renewed >= timedelta(seconds=self._rules.renew_seconds):
                renewed, lease = now, lease.renewed(now, self._rules.lease_seconds)
                if not await self._leases.keep(lease):
                    return None

    async def _end(self, job: Job, lease: Lease, error: BaseException | None) -> None:
        now = self._clock.now()
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, EntrepotError) and stops(error):
            # Not the job's fault: it goes on when there is room again.
            await self._leases.keep(lease.failed(now, *self._rules.broken_seconds, str(error)))
            _log.warning("mirror job %s waits: %s", job.id, error)
            await self._book.advance(job.id, JobState.QUEUED, now, f"it waits: {error}")
            return
        if error is not None:
            defect = None if isinstance(error, EntrepotError) else error
            _log.log(logging.ERROR if defect else logging.WARNING, "mirror job %s: %s", job.id, error, exc_info=defect)
            await self._book.advance(job.id, JobState.FAILED, now, str(error))
        await self._leases.keep(lease.released(now))

    async def _give_back(self, job: Job, lease: Lease) -> None:
        """The server ends; the next one, or another worker, need not wait until the lease expires."""
        try:
            await self._leases.keep(lease.released(self._clock.now()))
        except StoreFailure as failure:
            _log.warning("mirror job %s goes on when its lease has expired: %s", job.id, failure)

    async def _attempt(self, job: Job) -> None:
        body, was_read = self._book.find_order(job.id) or (b"", True)
        order = order_note(body)
        if not was_read:
            await self._book.advance(job.id, JobState.PLANNING, self._clock.now())
            await self._reader.read(job, order)
            await self._book.note_read(job.id)
            # All that they say is in the items.
            await asyncio.to_thread(self._dossiers.drop, job.id)
        concurrency = order.concurrency or self._rules.concurrency
        persistence = Persistence(self._ground, concurrency)
        ledger = Ledger(self._book, self._clock, job.id)
        planner = Planner(self._ground, job, persistence, concurrency)
        executor = Executor(self._ground, job, persistence, concurrency, ledger)
        planner.added = executor.turn
        writing = asyncio.create_task(ledger.work())
        try:
            async with asyncio.TaskGroup() as group:
                planning = group.create_task(self._plan(job, planner, executor))
                group.create_task(executor.work(lambda: not planning.done()))
            await planner.settle()
            await executor.work(lambda: False)
            await Absences(self._ground, job, concurrency, ledger).work()
        finally:
            await _stop(writing)
            await ledger.flush()
        await self._complete(job)

    async def _plan(self, job: Job, planner: Planner, executor: Executor) -> None:
        await self._book.advance(job.id, JobState.PLANNING, self._clock.now())
        try:
            await planner.work()
            await self._book.advance(job.id, JobState.RUNNING, self._clock.now())
        finally:
            # When this task is over: only then nothing more may come.
            asyncio.get_running_loop().call_soon(executor.turn)

    async def _complete(self, job: Job) -> None:
        found = self._book.find_job(job.id)
        if found is None:
            return
        state, problem = outcome_of(found.counts)
        former = await self._former(found) if state is not JobState.FAILED else []
        # What reading began tells only what it changed: the rest stays pinned.
        release = state is JobState.COMPLETED and job.client != BY_ACCESS
        await self._book.supersede(job.id, former, release=release)
        await self._book.advance(job.id, state, self._clock.now(), problem)

    async def _former(self, job: Job) -> Collection[str]:
        """Jobs that had the same order, or were of the same schedule: this one pins what they did, or should have."""
        jobs = await asyncio.to_thread(self._book.jobs, 1000)
        return [one.id for one in jobs if one.id != job.id and one.state.ended and _follows(job, one)]

    async def _forget(self) -> None:
        while True:
            try:
                await self._tidy()
                before = self._clock.now() - timedelta(seconds=self._rules.keep)
                for job in await self._book.forget(before):
                    await asyncio.to_thread(self._dossiers.drop, job)
            except StoreFailure as failure:
                _log.warning("old mirror jobs could not be forgotten: %s", failure)
            await asyncio.sleep(FORGET_SECONDS)

    async def _tidy(self) -> None:
        """Directories of rehearsals that were killed, and of orders that were while they were given."""
        for name in await asyncio.to_thread(self._dossiers.old, self._clock.timestamp()):
            if self._book.find_job(name) is None:
                await asyncio.to_thread(self._dossiers.drop, name)


def outcome_of(counts: Counts) -> tuple[JobState, str]:
    """The state of a job that has nothing left to do, and why it failed."""
    if not (counts.failed or counts.refused):
        return JobState.COMPLETED, ""
    if counts.done or counts.held or counts.absent:
        return JobState.COMPLETED_WITH_ERRORS, ""
    return JobState.FAILED, "nothing of it could be done"


def _follows(job: Job, former: Job) -> bool:
    scheduled = job.client.startswith("schedule ")
    return former.client == job.client if scheduled else former.order_digest == job.order_digest


async def _stop(task: "asyncio.Task[None]") -> None:
    """Whatever it does is given up; when this returns, it does nothing any more."""
    task.cancel()
    await asyncio.wait({task})
