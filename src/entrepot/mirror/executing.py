"""Has the files of a plan stored, some at a time, through the engine."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from entrepot.cache.supply import Supplied
from entrepot.contracts.mirrors import ItemKind, ItemState, Job, MirrorItem
from entrepot.errors import Absent, DigestMismatch, EntrepotError, NotServed, PolicyError, UpstreamStatus
from entrepot.mirror.ground import Ground
from entrepot.mirror.items import failure_of, forbidden, resource_of, settle, wanted_of
from entrepot.mirror.ledger import Ledger
from entrepot.mirror.pages import Pages
from entrepot.mirror.persistence import Persistence, passes, stops
from entrepot.model.digest import Digest
from entrepot.model.resource import Resource

WAITING: Final = 256
"""Files that may wait for their next attempt while others are fetched."""

_log = logging.getLogger("entrepot")


class Executor:
    """Of one job."""

    def __init__(self, ground: Ground, job: Job, persistence: Persistence, concurrency: int, ledger: Ledger) -> None:
        self._ground, self._job, self._persistence, self._ledger = ground, job, persistence, ledger
        self._pages = Pages(ground.book, job.id, (ItemKind.FILE,), concurrency + WAITING)

    def turn(self) -> None:
        """There are new files, or there will be none."""
        self._pages.turn.set()

    async def work(self, may_come: Callable[[], bool]) -> None:
        """Until every file is settled, and none `may_come`. Raises StoreFailure."""
        await self._pages.work_off(self._bring, settled=self._ledger.flush, may_come=may_come)

    async def _bring(self, item: MirrorItem) -> None:
        wanted = wanted_of(item)
        # The edge of a job: one thing that goes wrong in a way we did not foresee shall not stop the others.
        (result,) = await asyncio.gather(self._supplied(item), return_exceptions=True)
        match result:
            case Supplied():
                state = ItemState.DONE if result.fetched else ItemState.HELD
                settled = settle(item, state, result.entry.size_bytes)
            case Absent() | PolicyError() if wanted.absent != "no":
                settled = settle(item, ItemState.ABSENT)
            case UpstreamStatus() if wanted.absent == "maybe" and not passes(result):
                settled = forbidden(item, result)
            case EntrepotError() if stops(result):
                raise result
            case _:
                if not isinstance(result, EntrepotError):
                    _log.error("%s: %s", wanted.subject, result, exc_info=result)
                settled = failure_of(item, wanted.subject, result)
        self._ledger.note(settled)

    async def _supplied(self, item: MirrorItem) -> Supplied:
        repository = self._ground.repositories.get(item.repository)
        if repository is None:
            raise NotServed(f"there is no repository {item.repository!r} any more")
        resource = resource_of(repository, item)
        try:
            supplied: Supplied = await self._persistence.of(
                lambda: self._ground.supply.fill(repository, resource, current=True)
            )
        except Absent:
            if wanted_of(item).absent != "no":
                await self._ground.supply.keep_absence(repository, resource)
            raise
        _check(item, resource, supplied)
        return supplied


def _check(item: MirrorItem, resource: Resource, supplied: Supplied) -> None:
    """What came was verified as it came; what was held may be other bytes than the order means. Raises
    DigestMismatch."""
    held = Digest("sha256", supplied.entry.sha256)
    if resource.digest and resource.digest.algorithm == held.algorithm and resource.digest != held:
        raise DigestMismatch(wanted_of(item).subject, str(resource.digest), str(held))
