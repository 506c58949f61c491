"""Keeps what clients will ask for in vain, as far as that is known without asking upstream."""

import asyncio
from contextlib import suppress

from entrepot.contracts.mirrors import ItemKind, ItemState, Job, MirrorItem
from entrepot.errors import EntrepotError, PolicyError
from entrepot.mirror.ground import Ground
from entrepot.mirror.items import failure_of, resource_of, settle, wanted_of
from entrepot.mirror.ledger import Ledger
from entrepot.mirror.pages import Pages
from entrepot.mirror.persistence import stops


class Absences:
    """Of one job. To be kept last: where something else of the job asked upstream, that counts."""

    def __init__(self, ground: Ground, job: Job, concurrency: int, ledger: Ledger) -> None:
        self._ground, self._job, self._ledger = ground, job, ledger
        self._pages = Pages(ground.book, job.id, (ItemKind.ABSENCE,), concurrency)

    async def work(self) -> None:
        """Raises StoreFailure."""
        await self._pages.work_off(self._keep, settled=self._ledger.flush, may_come=lambda: False)

    async def _keep(self, item: MirrorItem) -> None:
        try:
            self._ledger.note(settle(item, await self._kept(item)))
        except EntrepotError as error:
            if stops(error):
                raise
            self._ledger.note(failure_of(item, wanted_of(item).subject, error))

    async def _kept(self, item: MirrorItem) -> ItemState:
        repository = self._ground.repositories.get(item.repository)
        if repository is None or await asyncio.to_thread(
            self._ground.book.is_file, self._job.id, item.repository, item.key
        ):
            return ItemState.HELD
        # What policy refuses, clients are refused with or without upstream.
        with suppress(PolicyError):
            await self._ground.supply.keep_absence(repository, resource_of(repository, item))
        return ItemState.ABSENT
