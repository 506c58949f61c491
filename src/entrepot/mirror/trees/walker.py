"""Walks trees: each in one process at a time, under a lease that tells when the next walk may begin (policy §6)."""

import asyncio
import logging
import random
from dataclasses import replace
from datetime import datetime
from typing import Final

from entrepot.cache.repository import Repository
from entrepot.contracts.leases import Lease
from entrepot.contracts.mirrors import ItemState
from entrepot.contracts.trees import WalkState
from entrepot.errors import BadRequest, NotServed, StoreFailure, WalkUnderWay
from entrepot.mirror.trees.grove import Grove, Report, Walked, WalkResult, silent
from entrepot.mirror.trees.purge import Purger
from entrepot.mirror.trees.walk import RefusedByUpstream, Walk
from entrepot.model.trees import Tree, folder_key, tree_of

LEASE_SECONDS: Final = 60.0
RENEW_SECONDS: Final = 20.0
FIRST_PAUSE: Final = 60.0
"""Seconds after the first failure; it doubles, up to the tree's min_interval."""
CREDENTIALS_PAUSE: Final = 86400.0
"""After upstream refused our credentials: somebody has to do something about it."""

_log = logging.getLogger("entrepot")


class Walker:
    def __init__(self, grove: Grove, *, holder: str, renew_seconds: float = RENEW_SECONDS) -> None:
        """`holder` names this process."""
        self._grove, self._holder, self._renew_seconds = grove, holder, renew_seconds
        self._book, self._leases, self._clock = grove.book, grove.leases, grove.clock

    async def walk(self, repository: str, path: str, report: Report = silent) -> WalkResult:
        """Now, whatever the quiet period says. Raises NotServed, BadRequest, WalkUnderWay where somebody walks it
        already, StoreFailure."""
        known, tree = self._find(repository, path)
        lease = await self._acquire(known, tree)
        return await self._under(lease, known, tree, report)

    async def rehearse(self, repository: str, path: str, report: Report = silent) -> WalkResult:
        """What a walk would do. Listings are read, and noted in this grove's book: it should be a copy. Raises as
        `walk` does."""
        known, tree = self._find(repository, path)
        now = self._clock.now()
        number = await self._book.begin(known.name, tree.path, now)
        result = await self._attempt(now, known, tree, number, report, rehearsed=True)
        for key in result.gone:
            report(Walked(key=key, state=ItemState.ABSENT))
        return result

    def _find(self, repository: str, path: str) -> tuple[Repository, Tree]:
        known = self._grove.repositories.get(repository)
        if known is None:
            raise NotServed(f"there is no repository {repository!r}")
        tree = tree_at(known, path)
        if known.rules.network == "offline":
            raise BadRequest(f"{subject_of(known, tree)} cannot be walked: the repository is offline")
        return known, tree

    async def _acquire(self, repository: Repository, tree: Tree) -> Lease:
        key = lease_key(repository.name, tree.path)
        now, waiting = self._clock.now(), self._leases.find(key)
        if waiting is not None and waiting.expires_at <= now < waiting.not_before:
            await self._leases.keep(replace(waiting, not_before=now, written_at=now))
        lease = await self._leases.acquire(key, self._holder, now, LEASE_SECONDS)
        if lease is None:
            raise WalkUnderWay(f"{subject_of(repository, tree)} is being walked already")
        return lease

    # --- one walk ---------------------------------------------------------------------------------------------------

    async def _under(self, lease: Lease, repository: Repository, tree: Tree, report: Report) -> WalkResult:
        number = await self._book.begin(repository.name, tree.path, lease.started_at)
        _log.info("%s: the walk begins", subject_of(repository, tree))
        attempt = asyncio.create_task(
            self._attempt(lease.started_at, repository, tree, number, report),
            name=f"walk {subject_of(repository, tree)}",
        )
        try:
            held = await self._hold(lease, attempt)
            if held is None:
                raise WalkUnderWay(f"{subject_of(repository, tree)}: another process walks it now")
            return await self._settle(held, repository, tree, number, attempt)
        except asyncio.CancelledError:
            await _stop(attempt)
            await self._give_back(lease, repository, tree, number)
            raise
        finally:
            await _stop(attempt)

    async def _attempt(
        self,
        began_at: datetime,
        repository: Repository,
        tree: Tree,
        number: int,
        report: Report,
        *,
        rehearsed: bool = False,
    ) -> WalkResult:
        walk = Walk(
            grove=self._grove, repository=repository, tree=tree, number=number, report=report, rehearsed=rehearsed
        )
        refused = ""
        try:
            await walk.run()
        except RefusedByUpstream as error:
            refused = f"upstream refuses our credentials: {error}"
        gone: list[str] = []
        over = 0
        complete = walk.complete and not refused
        if complete:
            gone, over = await Purger(self._grove, repository, tree).after(number, began_at, rehearsed=rehearsed)
            walk.counts.purged = len(gone)
        problem = refused or _problem_of(walk, over)
        return WalkResult(
            counts=walk.counts,
            complete=complete,
            problem=problem,
            gone=tuple(gone),
            over_budget=over,
            errors=tuple(walk.problems),
            refused=bool(refused),
        )

    async def _hold(self, lease: Lease, attempt: "asyncio.Task[WalkResult]") -> Lease | None:
        """The lease when the attempt has ended; None where it was lost before."""
        while True:
            await asyncio.wait({attempt}, timeout=self._renew_seconds)
            if attempt.done():
                return lease
            lease = lease.renewed(self._clock.now(), LEASE_SECONDS)
            if not await self._leases.keep(lease):
                return None

    async def _settle(
        self, lease: Lease, repository: Repository, tree: Tree, number: int, attempt: "asyncio.Task[WalkResult]"
    ) -> WalkResult:
        now, subject = self._clock.now(), subject_of(repository, tree)
        error = attempt.exception()
        if error is not None:
            await self._note(repository, tree, number, None, f"{error}")
            await self._leases.keep(lease.failed(now, FIRST_PAUSE, tree.min_interval, str(error)))
            raise error
        result = attempt.result()
        await self._note(repository, tree, number, result, result.problem)
        if result.refused:
            await self._leases.keep(lease.failed_for_good(now, CREDENTIALS_PAUSE, result.problem))
        elif result.succeeded:
            jitter = random.uniform(0.0, tree.jitter)
            await self._leases.keep(lease.succeeded(now, tree.min_interval, jitter))
        else:
            await self._leases.keep(lease.failed(now, FIRST_PAUSE, tree.min_interval, result.problem))
        level = logging.ERROR if result.refused or result.over_budget else logging.INFO
        _log.log(level, "%s: the walk ended: %s; %s", subject, result.problem or "all well", result.counts)
        return result

    async def _note(
        self, repository: Repository, tree: Tree, number: int, result: WalkResult | None, problem: str
    ) -> None:
        before = await asyncio.to_thread(self._book.find_state, repository.name, tree.path)
        if before is None or before.number != number:
            return  # Somebody else walks it by now.
        now, well = self._clock.now(), result is not None and result.succeeded
        state = WalkState(
            repository=repository.name,
            path=tree.path,
            number=number,
            started_at=before.started_at,
            ended_at=now,
            succeeded_at=now if well else before.succeeded_at,
            failures=0 if well else before.failures + 1,
            problem=problem,
        )
        await self._book.end(replace(state, counts=result.counts) if result is not None else state)

    async def _give_back(self, lease: Lease, repository: Repository, tree: Tree, number: int) -> None:
        """Somebody ended it, or the server ends: whoever comes next may begin anew at once."""
        try:
            await self._note(repository, tree, number, None, "it was ended before it was done")
            await self._leases.keep(lease.released(self._clock.now()))
        except StoreFailure as failure:
            _log.warning("%s is walked again when its lease has expired: %s", subject_of(repository, tree), failure)


def tree_at(repository: Repository, path: str) -> Tree:
    """The configured tree or, for any other folder, one under the settings of the tree that it lies in, of which
    nothing is ever removed. Raises BadRequest."""
    key = folder_key(path)
    around = tree_of(repository.trees, key)
    if around is not None and around.path == key:
        return around
    return replace(around or Tree(path=key), path=key, purge="never")


def lease_key(repository: str, path: str) -> str:
    return f"tree/{repository}/{path}"


def subject_of(repository: Repository, tree: Tree) -> str:
    return f"/{repository.name}/{tree.path}"


def _problem_of(walk: Walk, over: int) -> str:
    if over:
        return (
            f"{over} names are gone upstream, which is more than purge_budget allows, so nothing was removed; "
            "if that is true, raise it for one walk"
        )
    if not walk.complete:
        return f"not all listings could be read, so nothing was removed: {walk.problems[-1]}"
    return f"{walk.counts.failed} files could not be fetched: {walk.problems[-1]}" if walk.counts.failed else ""


async def _stop(task: "asyncio.Task[WalkResult]") -> None:
    task.cancel()
    await asyncio.wait({task})
