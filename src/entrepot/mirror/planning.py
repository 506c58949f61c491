"""From selections to files: runs the closures of ecosystems, and brings what they want to read."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from entrepot.cache.facts import guarded
from entrepot.cache.repository import Repository
from entrepot.cache.supply import Brought
from entrepot.contracts.closure import Closure, Need, Reading, Skipped
from entrepot.contracts.mirrors import ItemError, ItemKind, ItemState, Job, MirrorItem, Settled
from entrepot.errors import Absent, EntrepotError, NotServed, PolicyError, Refused, UpstreamStatus
from entrepot.mirror.ground import Ground
from entrepot.mirror.items import (
    failure_of,
    forbidden,
    item_of_named,
    item_of_need,
    item_of_selection,
    selection_of,
    settle,
)
from entrepot.mirror.pages import Pages
from entrepot.mirror.persistence import Persistence, passes, stops
from entrepot.mirror.trees.grove import Walked
from entrepot.mirror.trees.telling import is_told, settled_of, to_be_asked
from entrepot.model.selection import Selection

STEP: Final = 500
"""So many things a closure may name before they are written down."""
WALK_SECONDS: Final = 0.5
WALKED: Final = 100
"""What a walk did is written down so often, and so much of it at a time."""


Named = Need | Selection | Skipped


@dataclass(slots=True)
class _Step:
    """What a closure yields until it wants to read, has named much, or ends."""

    items: list[Named] = field(default_factory=list)
    wants: Need | None = None
    ended: bool = False


class Planner:
    """Of one job."""

    def __init__(self, ground: Ground, job: Job, persistence: Persistence, concurrency: int) -> None:
        self._ground, self._job, self._persistence = ground, job, persistence
        self._pages = Pages(ground.book, job.id, (ItemKind.SELECTION, ItemKind.TREE), concurrency)
        self.added: Callable[[], None] = lambda: None
        """Called when there are new files."""

    async def work(self) -> None:
        """Until everything that was selected is planned. Raises StoreFailure."""
        await self._pages.work_off(self._plan, settled=_at_once, may_come=lambda: False)

    async def _plan(self, item: MirrorItem) -> None:
        subject = selection_of(item)[0] if item.kind is ItemKind.SELECTION else f"/{item.repository}/{item.key}"
        try:
            repository = self._repository(item.repository)
            if item.kind is ItemKind.TREE:
                await self._walk(repository, item)
            else:
                selection = selection_of(item)[1]
                make = partial(repository.ecosystem.closure, selection)
                await self._close(repository, make, str(selection), [settle(item, ItemState.DONE)])
        except EntrepotError as error:
            if stops(error):
                raise
            await self._record([], [failure_of(item, subject, error)])

    def _repository(self, name: str) -> Repository:
        allowed = self._job.repositories
        if allowed is not None and name not in allowed:
            raise Refused(f"whoever ordered this may have nothing stored in the repository {name!r}")
        repository = self._ground.repositories.get(name)
        if repository is None:
            raise NotServed(f"there is no repository {name!r} any more")
        return repository

    async def settle(self, *, planned: bool = False) -> None:
        """What is wanted besides, now that everything else of the job is stored or, for a rehearsal, `planned`. Raises
        StoreFailure."""
        for name in await asyncio.to_thread(self._ground.book.repositories_of, self._job.id):
            repository = self._ground.repositories.get(name)
            if repository is not None and repository.ecosystem.settled:
                await self._settle(repository, planned=planned)

    async def _settle(self, repository: Repository, *, planned: bool) -> None:
        prefix = repository.ecosystem.settled
        keys = await asyncio.to_thread(self._ground.supply.held, repository, prefix)
        if planned:
            named = await asyncio.to_thread(self._ground.book.file_keys, self._job.id, repository.name, prefix)
            keys = sorted({*keys, *named})
        subject = f"{repository.name}/{prefix}"
        try:
            await self._close(repository, partial(repository.ecosystem.settlement, keys), prefix, [])
        except EntrepotError as error:
            if stops(error):
                raise
            await self._record([], [failure_of(item_of_named(subject), subject, error)])

    # --- selections -------------------------------------------------------------------------------------------------

    async def _close(
        self, repository: Repository, make: Callable[[], Closure], what: str, ended: Sequence[Settled]
    ) -> None:
        """`ended`: what is so when the closure has ended."""
        subject = f"{repository.name}: {what}"
        closure = await asyncio.to_thread(guarded, make, subject)
        answer: Reading | None = None
        settled: list[Settled] = []
        with ExitStack() as opened:
            opened.callback(closure.close)
            while True:
                step = await asyncio.to_thread(guarded, _advance, subject, closure, answer)
                settled += [_skipped(named) for named in step.items if isinstance(named, Skipped)]
                if step.ended:
                    settled += ended
                await self._record(_open_items(repository, step.items), settled)
                if step.wants is None:
                    if step.ended:
                        return
                    settled, answer = [], None
                else:
                    answer, read = await self._read(repository, step.wants, opened)
                    settled = [read]

    async def _read(self, repository: Repository, need: Need, opened: ExitStack) -> tuple[Reading | None, Settled]:
        """What the closure is sent, and what became of what it wanted to read. Raises what makes it fail."""
        if need.absent == "yes":
            return None, await self._absent(repository, need)
        try:
            brought: Brought = await self._persistence.of(lambda: self._ground.supply.read(repository, need.resource))
        except Absent:
            if need.absent == "no":
                raise
            return None, await self._absent(repository, need)
        except UpstreamStatus as error:
            if need.absent == "no" or passes(error):
                raise
            return None, forbidden(item_of_need(repository, need), error)
        opened.callback(brought.close)
        state = ItemState.DONE if brought.supplied.fetched else ItemState.HELD
        item = item_of_need(repository, need)
        return brought.reading, settle(item, state, brought.supplied.entry.size_bytes)

    async def _absent(self, repository: Repository, need: Need) -> Settled:
        # What policy refuses, clients are refused with or without upstream.
        with suppress(PolicyError):
            await self._ground.supply.keep_absence(repository, need.resource)
        return settle(item_of_need(repository, need), ItemState.ABSENT)

    # --- trees ------------------------------------------------------------------------------------------------------

    async def _walk(self, repository: Repository, item: MirrorItem) -> None:
        trees = self._ground.trees
        if trees is None:
            raise NotServed(f"/{repository.name}/{item.key}: directories cannot be walked here")
        walked: deque[Walked] = deque()
        walking = asyncio.create_task(trees.walk(repository.name, item.key, walked.append))
        try:
            while not walking.done() or walked:
                if not walked:
                    await asyncio.wait({walking}, timeout=WALK_SECONDS)
                # A few at a time: whoever is served meanwhile must not wait until many are told.
                some = [walked.popleft() for _ in range(min(len(walked), WALKED))]
                added = [item_of_need(repository, Need(resource=one)) for one in to_be_asked(repository, some)]
                await self._record(added, [settled_of(repository.name, one) for one in some if is_told(self._job, one)])
            result = walking.result()
        finally:
            walking.cancel()
            await asyncio.wait({walking})
        problem = ItemError(subject=f"/{repository.name}/{item.key}", error=result.problem, code="tree")
        failed = bool(result.problem)
        await self._record(
            [],
            [settle(item, ItemState.FAILED if failed else ItemState.DONE, error=problem if failed else None)],
        )

    async def _record(self, added: Sequence[MirrorItem], settled: Sequence[Settled]) -> None:
        if added or settled:
            await self._ground.book.record(self._job.id, added, settled, self._ground.clock.now())
            self._pages.turn.set()
            self.added()


def _open_items(repository: Repository, named: Sequence[Named]) -> list[MirrorItem]:
    """What is still to be done."""
    items = []
    for one in named:
        if isinstance(one, Selection):
            items.append(item_of_selection(repository.name, one, f"{repository.name}: {one}"))
        elif isinstance(one, Need):
            items.append(item_of_need(repository, one))
    return items


def _skipped(named: Skipped) -> Settled:
    error = ItemError(subject=named.subject, error=named.reason, code="skipped")
    return settle(item_of_named(named.subject), ItemState.SKIPPED, error=error)


def _advance(closure: Closure, answer: Reading | None) -> _Step:
    step = _Step()
    while len(step.items) < STEP:
        try:
            named = closure.send(answer)
        except StopIteration:
            step.ended = True
            break
        answer = None
        if isinstance(named, Need) and named.reads:
            step.wants = named
            break
        step.items.append(named)
    return step


async def _at_once() -> None:
    """Planning writes everything down before it goes on."""
