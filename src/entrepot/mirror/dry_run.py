"""What a mirror job would do, found out by planning it beside everything that is stored (`--dry-run`)."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Literal

from entrepot.contracts.mirrors import ItemError, ItemKind, ItemState, Job, MirrorItem
from entrepot.errors import Absent, EntrepotError, NotServed, PolicyError
from entrepot.mirror.dossier import Dossiers, OrderNote, encode_order
from entrepot.mirror.ground import Ground
from entrepot.mirror.items import resource_of, selection_of, wanted_of
from entrepot.mirror.pages import PAGE
from entrepot.mirror.persistence import Persistence, stops
from entrepot.mirror.planning import Planner
from entrepot.mirror.reading import OrderReader
from entrepot.model.order import MirrorOrder

Outcome = Literal["fetch", "held", "absent", "refused", "skipped", "failed"]

_OUTCOMES: dict[ItemState, Outcome] = {
    ItemState.DONE: "fetch",
    ItemState.HELD: "held",
    ItemState.ABSENT: "absent",
    ItemState.REFUSED: "refused",
    ItemState.SKIPPED: "skipped",
    ItemState.FAILED: "failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedItem:
    """One file that a job would have, or one member of an order that has none."""

    repository: str
    key: str
    """Of the stored entry; empty for what is no file."""
    subject: str
    """A purl or a path of ours, for people."""
    size_bytes: int | None
    """None: not known before it is here."""
    state: Outcome
    """`fetch`: upstream would be asked for it; `absent`: that upstream has it not would be kept."""
    reason: str
    """Why it would not be had; else empty."""
    optional: bool = False
    """Whether clients can do without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Parts as jobs have them, of which nothing stays."""

    ground: Ground
    dossiers: Dossiers
    reader: OrderReader


Stages = Callable[[], AbstractAsyncContextManager[Stage]]


async def rehearse(stage: Stage, order: MirrorOrder, note: OrderNote, job: Job) -> AsyncGenerator[PlannedItem, None]:
    """Raises StoreFailure."""
    ground = stage.ground
    await asyncio.to_thread(stage.dossiers.keep, job.id, order.papers)
    await ground.book.add_job(job, encode_order(note))
    await stage.reader.read(job, note)
    concurrency = order.concurrency or ground.rules.concurrency
    persistence = Persistence(ground, concurrency)
    planner = Planner(ground, job, persistence, concurrency)
    after = 0
    # What is wanted besides is known only when everything else is.
    for wanted in (planner.work, partial(planner.settle, planned=True)):
        await wanted()
        errors = {one.subject: one for one in await asyncio.to_thread(ground.book.errors, job.id)}
        while page := await asyncio.to_thread(ground.book.items, job.id, after, PAGE):
            for item in page:
                planned = await _planned_of(ground, job, item, errors)
                if planned is not None:
                    yield planned
            after = page[-1].number


async def _planned_of(ground: Ground, job: Job, item: MirrorItem, errors: dict[str, ItemError]) -> PlannedItem | None:
    """None for what is no file and went well, and for what another item is, too."""
    if item.kind is ItemKind.FILE:
        return await _file(ground, item)
    if item.kind is ItemKind.ABSENCE:
        asked = await asyncio.to_thread(ground.book.is_file, job.id, item.repository, item.key)
        return None if asked else _planned(item, "absent", None)
    return _member(item, errors) if item.state not in (ItemState.OPEN, ItemState.DONE) else None


def _member(item: MirrorItem, errors: dict[str, ItemError]) -> PlannedItem:
    selected = item.kind is ItemKind.SELECTION and item.payload
    subject = selection_of(item)[0] if selected else item.key
    error = errors.get(subject)
    return PlannedItem(
        repository=item.repository,
        key="",
        subject=subject,
        size_bytes=None,
        state=_OUTCOMES[item.state],
        reason=error.error if error is not None else "",
    )


async def _file(ground: Ground, item: MirrorItem) -> PlannedItem:
    wanted = wanted_of(item)
    if item.state is not ItemState.OPEN:
        return _planned(item, _OUTCOMES[item.state], item.size_bytes)
    try:
        repository = ground.repositories.get(item.repository)
        if repository is None:
            raise NotServed(f"there is no repository {item.repository!r}")
        outlook = await ground.supply.look(repository, resource_of(repository, item))
    except (Absent, PolicyError) as error:
        refused: Outcome = "refused" if isinstance(error, PolicyError) else "failed"
        return _planned(item, "absent" if wanted.absent != "no" else refused, None, str(error))
    except EntrepotError as error:
        if stops(error):
            raise
        return _planned(item, "failed", None, str(error))
    return _planned(item, "held" if outlook.held else "fetch", outlook.size_bytes)


def _planned(item: MirrorItem, state: Outcome, size_bytes: int | None, reason: str = "") -> PlannedItem:
    return PlannedItem(
        repository=item.repository,
        key=item.key,
        subject=wanted_of(item).subject,
        size_bytes=size_bytes,
        state=state,
        reason=reason,
        optional=wanted_of(item).absent != "no",
    )
