"""Does the fills that are due: under a lease each, some at a time, until the server ends."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

from entrepot.cache.repository import Repository
from entrepot.contracts.fills import Fill
from entrepot.contracts.leases import Lease
from entrepot.errors import EntrepotError, NotServed, StoreFailure
from entrepot.mirror.fills import Fills
from entrepot.mirror.outcomes import Outcome, lease_after, outcome_of, state_after
from entrepot.model.resource import Request, Resource

LEASE_SECONDS: Final = 60.0
RENEW_SECONDS: Final = 20.0
WRITE_SECONDS: Final = 0.2
"""What is offered waits so long for company."""
POLL_SECONDS: Final = 1.0
"""Rows become due by the clock, and other processes write some, too."""
BROKEN_SECONDS: Final = 30.0
"""After the catalog could not be used."""
FORGET_SECONDS: Final = 3600.0
KEPT: Final = timedelta(days=1)
"""How long what has no effect any more can still be looked up."""
JITTER: Final = 0.1
"""Of the quiet period, so that what began together does not begin together again."""

Fetch = Callable[[Repository, Resource], Awaitable[None]]

_log = logging.getLogger("entrepot")


class Filler:
    def __init__(
        self,
        fills: Fills,
        repositories: Mapping[str, Repository],
        fetch: Fetch,
        *,
        holder: str,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        """`fetch` stores a resource, or raises what makes that impossible; `holder` names this process."""
        self._fills, self._repositories, self._fetch = fills, repositories, fetch
        self._book, self._leases, self._clock, self._rules = fills.book, fills.leases, fills.clock, fills.rules
        self._holder, self._renew_seconds = holder, renew_seconds
        self._running: set[asyncio.Task[None]] = set()

    async def work(self) -> None:
        """Until it is cancelled. What was offered is then written down, and what runs is given back."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write_down())
                group.create_task(self._forget())
                await self._fill(group)
        finally:
            await self._fills.write_down()

    async def _write_down(self) -> None:
        while True:
            await self._fills.offered.wait()
            await asyncio.sleep(WRITE_SECONDS)
            await self._fills.write_down()

    async def _forget(self) -> None:
        while True:
            try:
                await self._leases.forget(self._clock.now() - KEPT)
                await self._book.forget()
            except StoreFailure as failure:
                _log.warning("old fills could not be forgotten: %s", failure)
            await asyncio.sleep(FORGET_SECONDS)

    async def _fill(self, group: asyncio.TaskGroup) -> None:
        while True:
            self._fills.added.clear()
            try:
                await self.begin(group)
            except StoreFailure as failure:
                _log.warning("fills wait, because the catalog cannot be used: %s", failure)
                await asyncio.sleep(BROKEN_SECONDS)
            news = asyncio.create_task(self._fills.added.wait())
            try:
                await asyncio.wait({news, *self._running}, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
            finally:
                news.cancel()

    async def begin(self, group: asyncio.TaskGroup) -> None:
        """Begin as many of those that are due as there is room for. Raises StoreFailure."""
        room = self._rules.workers - len(self._running)
        if room <= 0 or not self._book.any_open():
            return
        for fill in await asyncio.to_thread(self._book.due, self._clock.now(), room):
            lease = await self._leases.acquire(fill.key, self._holder, self._clock.now(), LEASE_SECONDS)
            # Another process may have begun it, or done it, since the rows were read.
            if lease is None:
                continue
            if not self._book.is_open(fill.key):
                await self._leases.keep(lease.released(self._clock.now()))
                continue
            task = group.create_task(self._run(fill, lease), name=f"fill {fill.key}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    # --- one fill ---------------------------------------------------------------------------------------------------

    async def _run(self, fill: Fill, lease: Lease) -> None:
        attempt = asyncio.create_task(self._attempt(fill), name=f"fetch {fill.key}")
        try:
            held = await self._hold(lease, attempt)
            if held is None:
                _log.warning("%s: another process has it now", fill.key)
            elif attempt.cancelled():
                await self._leases.keep(held.released(self._clock.now()))
            else:
                await self._settle(fill, held, attempt.exception())
        except asyncio.CancelledError:
            await self._give_back(fill, lease)
            raise
        except StoreFailure as failure:
            _log.warning("%s: its fill is done again, because it could not be noted: %s", fill.key, failure)
        finally:
            attempt.cancel()

    async def _attempt(self, fill: Fill) -> None:
        repository = self._repositories.get(fill.repository)
        if repository is None:
            raise NotServed(f"{fill.key}: there is no repository {fill.repository!r} any more")
        await self._fetch(repository, resource_of(repository, fill))

    async def _hold(self, lease: Lease, attempt: "asyncio.Task[None]") -> Lease | None:
        """The lease when the attempt has ended; None where it was lost before."""
        while True:
            await asyncio.wait({attempt}, timeout=self._renew_seconds)
            if attempt.done():
                return lease
            lease = lease.renewed(self._clock.now(), LEASE_SECONDS)
            if not await self._leases.keep(lease):
                return None

    async def _settle(self, fill: Fill, lease: Lease, error: BaseException | None) -> None:
        now, outcome = self._clock.now(), outcome_of(error, lease.failures)
        jitter = random.uniform(-JITTER, JITTER) * self._rules.quiet_period
        after = lease_after(lease, outcome, now, self._rules, str(error or ""), jitter)
        if not await self._leases.keep(after):
            return
        if outcome is not Outcome.AGAIN:
            await self._book.close(fill.key, state_after(outcome))
        if error is not None:
            _tell(fill, after, outcome, error)

    async def _give_back(self, fill: Fill, lease: Lease) -> None:
        """The server ends; the next one, or another worker, need not wait until the lease expires."""
        try:
            await self._leases.keep(lease.released(self._clock.now()))
        except StoreFailure as failure:
            _log.warning("%s: its fill goes on when its lease has expired: %s", fill.key, failure)


def resource_of(repository: Repository, fill: Fill) -> Resource:
    """What was to be filled, as the repository understands it now. Raises NotServed and other refusals."""
    request = Request(method="GET", path=fill.path, query=fill.query, accept=fill.accept)
    resource = repository.ecosystem.route(request)
    if not isinstance(resource, Resource) or f"{repository.name}/{resource.stored_key}" != fill.key:
        raise NotServed(f"{fill.key}: the repository serves something else there now")
    return resource


def _tell(fill: Fill, lease: Lease, outcome: Outcome, error: BaseException) -> None:
    # Of what we did not foresee we want to know where it happened.
    defect = None if isinstance(error, EntrepotError) else error
    again = "tried again" if outcome is Outcome.AGAIN else "not tried again"
    level = logging.ERROR if defect else logging.WARNING
    _log.log(
        level,
        "%s: not filled: %s; %s before %s",
        fill.key,
        error,
        again,
        lease.not_before.isoformat(timespec="seconds"),
        exc_info=defect,
    )
