"""Mirror jobs, for whoever orders them or looks after them (policy §7)."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Collection
from contextlib import suppress

from entrepot.contracts.mirrors import ItemError, ItemState, Job, JobState
from entrepot.errors import BadRequest, EntrepotError
from entrepot.mirror.dossier import Dossiers, OrderNote, compact, digest_of, encode_order, note_of
from entrepot.mirror.dry_run import PlannedItem, Stages, rehearse
from entrepot.mirror.ground import Ground
from entrepot.mirror.running import Runner
from entrepot.model.order import MirrorOrder
from entrepot.model.platforms import parse_platform


class Mirror:
    def __init__(self, ground: Ground, dossiers: Dossiers, runner: Runner, stages: Stages) -> None:
        """`stages` gives a place to rehearse."""
        self._ground, self._book, self._clock = ground, ground.book, ground.clock
        self._dossiers, self._runner, self._stages = dossiers, runner, stages
        self._most = ground.rules.per_token

    # --- orders -----------------------------------------------------------------------------------------------------

    async def submit(
        self,
        order: MirrorOrder,
        *,
        client: str,
        repositories: Collection[str] | None = None,
        name: str = "",
        limited: bool = False,
    ) -> Job:
        """The job that does it: a new one, or one that has the same order and has not ended. `repositories`: the only
        ones that whoever asks may fill; `limited`: whether the client may have only so many jobs open. Raises
        BadRequest, TooManyJobs, StoreFailure."""
        order = await asyncio.to_thread(compact, order)
        note = await asyncio.to_thread(note_of, order)
        job = self._new_job(order, note, client, repositories, name)
        # Before anybody can see the job: whoever takes it on needs them.
        await asyncio.to_thread(self._dossiers.keep, job.id, order.papers)
        try:
            taken = await self._book.add_job(job, encode_order(note), self._most if limited else None)
        except EntrepotError:
            await asyncio.to_thread(self._dossiers.drop, job.id)
            raise
        if taken.id != job.id:
            await asyncio.to_thread(self._dossiers.drop, job.id)
        self._runner.news.set()
        # Whoever cancels what was not begun yet shall not fill the disk that way, either.
        for old in await self._book.forget_unread(client, self._most) if limited else ():
            await asyncio.to_thread(self._dossiers.drop, old)
        return taken

    async def rehearse(
        self, order: MirrorOrder, *, repositories: Collection[str] | None = None
    ) -> AsyncGenerator[PlannedItem, None]:
        """What a job would do; documents that are not held are fetched for it, and nothing is kept or changed. To be
        closed (`contextlib.aclosing`) where it is not read to its end. Raises BadRequest, StoreFailure."""
        order = await asyncio.to_thread(compact, order)
        note = await asyncio.to_thread(note_of, order)
        job = self._new_job(order, note, "rehearsal", repositories, "")
        async with self._stages() as stage:
            async for planned in rehearse(stage, order, note, job):
                yield planned

    def _new_job(
        self, order: MirrorOrder, note: OrderNote, client: str, allowed: Collection[str] | None, name: str
    ) -> Job:
        self._check(order, allowed)
        return Job(
            id=secrets.token_hex(16),
            order_digest=digest_of(note, client, allowed),
            name=name,
            client=client,
            repositories=None if allowed is None else tuple(sorted(allowed)),
            state=JobState.QUEUED,
            created_at=self._clock.now(),
        )

    def _check(self, order: MirrorOrder, allowed: Collection[str] | None) -> None:
        if not (order.purls or order.papers or order.trees):
            raise BadRequest("there is nothing to mirror in this order")
        known = self._ground.repositories if allowed is None else sorted(allowed)
        for name in (*order.repositories, *(tree.strip("/").partition("/")[0] for tree in order.trees)):
            if name not in known:
                raise BadRequest(f"there is no repository {name!r} to fill; there are: {', '.join(known)}")
        for platform in order.extent.platforms:
            parse_platform(platform)

    # --- looking ----------------------------------------------------------------------------------------------------

    def jobs(self, limit: int = 1000) -> list[Job]:
        """The newest first. May take long: call it in a thread."""
        return self._book.jobs(limit)

    def last_of(self, client: str) -> Job | None:
        """The newest that a client ordered. May take long: call it in a thread."""
        return next(iter(self._book.jobs_named(client, 1)), None)

    def find_job(self, job: str) -> Job | None:
        """With its counts as they are now."""
        return self._book.find_job(job)

    def errors(self, job: str) -> list[ItemError]:
        """At most 1,000. May take long: call it in a thread."""
        return self._book.errors(job)

    # --- changing ---------------------------------------------------------------------------------------------------

    async def cancel(self, job: str) -> Job:
        """Within a second nothing more of it begins, in whatever process it runs. One that has ended stays what it is.
        Raises BadRequest where there is none."""
        self._found(job)
        await self._book.advance(job, JobState.CANCELLED, self._clock.now())
        return self._found(job)

    async def resume(self, job: str) -> Job:
        """A cancelled or failed one goes on with what is open. Raises BadRequest."""
        found = self._found(job)
        if found.state in (JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS):
            raise BadRequest(f"job {job} is {found.state.value}: there is nothing left to do; retry does what failed")
        return await self._reopen(job, ())

    async def retry(self, job: str) -> Job:
        """What failed, or was refused, is to be done again, with what is still open. Raises BadRequest."""
        self._found(job)
        return await self._reopen(job, (ItemState.FAILED, ItemState.REFUSED))

    async def _reopen(self, job: str, states: Collection[ItemState]) -> Job:
        await self._book.reopen(job, states)
        self._runner.news.set()
        return self._found(job)

    def _found(self, job: str) -> Job:
        found = self._book.find_job(job)
        if found is None:
            raise BadRequest(f"there is no mirror job {job!r}; `entrepot mirror list` names those there are")
        return found

    # --- working ----------------------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Until it is cancelled: in every process that serves."""
        await self._runner.work()

    async def finish(self, job: str) -> Job:
        """The job when it has ended; the work is done here, where no server does it."""
        working = asyncio.create_task(self.work())
        try:
            while not (found := self._found(job)).state.ended:
                done, _ = await asyncio.wait({working}, timeout=self._ground.rules.poll_seconds)
                if done:
                    await working
            return found
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
