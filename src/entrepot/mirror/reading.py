"""Makes rows of an order: what it selects, where that is, and what of it no registry serves."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from entrepot.cache.jobs import Overwhelmed, Unable
from entrepot.cache.scribe import Scribe
from entrepot.contracts.mirrors import ItemError, ItemKind, ItemState, Job, MirrorItem, Settled
from entrepot.errors import StoreFailure, UnreadableBill
from entrepot.mirror.dossier import Dossiers, OrderNote
from entrepot.mirror.ground import Ground
from entrepot.mirror.items import item_of_named, item_of_selection, settle
from entrepot.mirror.parsing import PaperFile, ParseJob, RepositoryFacts
from entrepot.mirror.sources.parsed import Parsed, read_parsed

PAGE: Final = 100
"""So few at a time: hits wait while rows are made of them."""
SMALL_BYTES: Final = 64 << 10
"""Papers of an order up to this size, together, are read in less time than a helper takes to start."""


class OrderReader:
    def __init__(
        self, ground: Ground, dossiers: Dossiers, scribe: Scribe, repositories: Sequence[RepositoryFacts]
    ) -> None:
        self._ground, self._dossiers, self._scribe, self._repositories = ground, dossiers, scribe, repositories

    async def read(self, job: Job, order: OrderNote) -> None:
        """What was read before stays as it is. Raises StoreFailure."""
        trees = [_item_of_tree(tree) for tree in order.trees]
        await self._ground.book.record(job.id, trees, (), self._ground.clock.now())
        if not (order.purls or order.papers):
            return
        output = await asyncio.to_thread(self._dossiers.room, job.id)
        try:
            work = self._work(job, order, output)
            await self._parse(work, small=await asyncio.to_thread(_is_small, work))
            await self._take(job, output)
        except OSError as error:
            raise StoreFailure(f"what was read of an order cannot be stored: {error.strerror}") from error

    def _work(self, job: Job, order: OrderNote, output: Path) -> ParseJob:
        papers = (
            PaperFile(kind=one.kind, name=one.name, path=str(self._dossiers.place(job.id, number)))
            for number, one in enumerate(order.papers)
        )
        allowed = (one for one in self._repositories if job.repositories is None or one.name in job.repositories)
        return ParseJob(
            purls=order.purls,
            papers=tuple(papers),
            extent=order.extent,
            repositories=tuple(allowed),
            only=order.repositories,
            validate=order.validate,
            output=str(output),
        )

    async def _parse(self, work: ParseJob, *, small: bool) -> None:
        """By the helper, so that hits need not wait; here, where there is none, or nothing for it to do. Raises
        UnreadableBill where helpers end over it: the server shall not."""
        try:
            if not small:
                await self._scribe.run(work)
                return
        except Overwhelmed as error:
            names = ", ".join(paper.name for paper in work.papers) or "the package URLs"
            raise UnreadableBill(f"{names}: reading takes too long, or too much memory: {error}") from error
        except Unable:
            pass
        await asyncio.to_thread(work.run)

    async def _take(self, job: Job, output: Path) -> None:
        with await asyncio.to_thread(output.open, "rb") as file:
            while page := await asyncio.to_thread(read_parsed, file, PAGE):
                added = [
                    item_of_selection(one.repository, one.selection, one.place)
                    for one in page
                    if one.selection is not None
                ]
                settled = [_settled(one) for one in page if one.selection is None]
                await self._ground.book.record(job.id, added, settled, self._ground.clock.now())
        await asyncio.to_thread(output.unlink)


def _is_small(work: ParseJob) -> bool:
    """Raises OSError."""
    return not work.validate and sum(os.stat(paper.path).st_size for paper in work.papers) <= SMALL_BYTES


def _item_of_tree(tree: str) -> MirrorItem:
    name, _, folder = tree.strip("/").partition("/")
    return MirrorItem(kind=ItemKind.TREE, repository=name, key=f"{folder}/" if folder else "")


def _settled(member: Parsed) -> Settled:
    """What is not to be had."""
    state = ItemState.SKIPPED if member.skipped else ItemState.FAILED
    error = ItemError(subject=member.place, error=member.skipped or member.error, code=member.code or state.value)
    return settle(item_of_named(member.place), state, error=error)
