"""What runs mirror jobs, made from settings and parts."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from entrepot.assembly.trees import rehearsed_trees
from entrepot.cache.ageing import Ages
from entrepot.cache.background import Background
from entrepot.cache.counters import Counters
from entrepot.cache.derived import DerivedBlobs
from entrepot.cache.documents import Documents
from entrepot.cache.facts import FactBook
from entrepot.cache.flights import Flights
from entrepot.cache.groups import Groups
from entrepot.cache.order import Kit
from entrepot.cache.ordering import Orders
from entrepot.cache.repository import Repository
from entrepot.cache.scribe import Scribe
from entrepot.cache.solo import SoloBoard, SoloGeneration, SoloReadings
from entrepot.cache.soundness import Soundness
from entrepot.cache.standing import Standing
from entrepot.cache.supply import Supply
from entrepot.cache.validation import Validation
from entrepot.catalog.leases import SqliteLeases
from entrepot.catalog.listings import SqliteListings
from entrepot.catalog.mirrors import SqliteMirrors
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.config.mirror import Mirroring
from entrepot.config.mirror import Schedule as ScheduleSettings
from entrepot.contracts.fetcher import Fetcher
from entrepot.contracts.validator import Validator
from entrepot.errors import BadRequest
from entrepot.mirror.dossier import DIRECTORY, REHEARSAL, Dossiers
from entrepot.mirror.dry_run import Stage
from entrepot.mirror.ground import Ground, MirrorRules, Trees
from entrepot.mirror.jobs import Mirror
from entrepot.mirror.parsing import RepositoryFacts
from entrepot.mirror.reading import OrderReader
from entrepot.mirror.running import Runner
from entrepot.mirror.schedules import Schedule
from entrepot.model.order import MirrorOrder, Paper, PaperKind
from entrepot.model.selection import Depth, Extent
from entrepot.storage.overlay import OverlayBlobs

SETTLE_SECONDS = 5.0
"""A rehearsal that was broken off waits so long for what is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorParts:
    """Of a process, for its mirror jobs."""

    data: Path
    kit: Kit
    catalog: SqliteCatalog
    """The kit's."""
    repositories: Mapping[str, Repository]
    supply: Supply
    scribe: Scribe
    rules: MirrorRules
    holder: str
    is_living: Callable[[str], bool] = lambda _: True
    """Of a holder: whether it is a process that can still work."""
    validator: Validator | None = None
    validator_cache: float = 0.0
    """Seconds."""
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    """How the time before another attempt passes."""
    trees: Trees | None = None


def make_mirror(parts: MirrorParts) -> Mirror:
    ground = _ground_of(parts)
    dossiers = Dossiers(parts.data / DIRECTORY)
    reader = OrderReader(ground, dossiers, parts.scribe, facts_of(parts.repositories, parts.kit.fetcher))
    runner = Runner(ground, dossiers, reader, holder=parts.holder, is_living=parts.is_living)
    return Mirror(ground, dossiers, runner, lambda: _stage_of(parts))


def _ground_of(parts: MirrorParts) -> Ground:
    return Ground(
        book=SqliteMirrors(parts.catalog),
        leases=SqliteLeases(parts.catalog),
        clock=parts.kit.clock,
        repositories=parts.repositories,
        supply=parts.supply,
        rules=parts.rules,
        pause=parts.pause,
        trees=parts.trees,
    )


def facts_of(repositories: Mapping[str, Repository], fetcher: Fetcher) -> Sequence[RepositoryFacts]:
    return [
        RepositoryFacts(
            name=one.name,
            kind=type(one.ecosystem),
            options=one.ecosystem.options,
            upstreams=tuple(fetcher.base_url(upstream) for upstream in one.upstreams),
        )
        for one in repositories.values()
    ]


# --- rehearsals -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _stage_of(parts: MirrorParts) -> AsyncIterator[Stage]:
    """Everything on a copy of the catalog, and with a directory of its own for what is fetched: so the same parts do
    the same things, and nothing of it stays."""
    directory = await asyncio.to_thread(_make_directory, parts.data / DIRECTORY)
    try:
        path = directory / "catalog.db"
        await parts.catalog.backup(str(path))
        catalog = await asyncio.to_thread(SqliteCatalog.open, path, parts.kit.clock)
        background = Background()
        kit = replace(
            parts.kit,
            catalog=catalog,
            blobs=OverlayBlobs(directory, parts.kit.blobs),
            readings=SoloReadings(),
            listings=SqliteListings(catalog),
        )
        supply = _make_supply(parts, kit, background)
        trees = rehearsed_trees(kit, catalog, parts.repositories, supply, background)
        copied = replace(parts, kit=kit, catalog=catalog, supply=supply, trees=trees)
        ground, dossiers = _ground_of(copied), Dossiers(directory)
        reader = OrderReader(ground, dossiers, parts.scribe, facts_of(parts.repositories, kit.fetcher))
        try:
            yield Stage(ground=ground, dossiers=dossiers, reader=reader)
        finally:
            await background.drain(SETTLE_SECONDS)
            await catalog.close()
    finally:
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


def _make_directory(parent: Path) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=REHEARSAL, dir=parent))


def _make_supply(parts: MirrorParts, kit: Kit, background: Background) -> Supply:
    counters = Counters()
    soundness = Soundness(kit.blobs, kit.catalog, lambda: None)
    flights = Flights(kit, SoloBoard(), SoloGeneration(), background)
    book = FactBook(DerivedBlobs(kit.blobs, kit.catalog), scribe=parts.scribe)
    documents = Documents(kit, flights, book, soundness, counters)
    standing = Standing(kit, documents, soundness)
    ages, orders = Ages(kit, documents), Orders(documents, flights, soundness, counters)
    groups = Groups(kit, flights, documents, standing, orders, ages.choosing)
    validation = Validation(parts.validator, documents, background, kit.clock, parts.validator_cache)
    return Supply(kit, flights, documents, groups, standing, ages, validation)


# --- settings ---------------------------------------------------------------------------------------------------------


def rules_of(settings: Mirroring) -> MirrorRules:
    return MirrorRules(
        concurrency=settings.concurrency,
        jobs=settings.jobs,
        per_token=settings.per_token,
        attempts=settings.attempts,
        keep=settings.keep,
    )


def schedules_of(settings: Sequence[ScheduleSettings], beside: Path) -> list[Schedule]:
    """`beside`: the directory that relative paths begin in."""
    return [
        Schedule(
            name=one.name, order=partial(_order_of, one, beside), every=one.every, cron=one.cron, jitter=one.jitter
        )
        for one in settings
    ]


def _order_of(settings: ScheduleSettings, beside: Path) -> MirrorOrder:
    """Raises BadRequest for files that cannot be read."""
    named = [(PaperKind.SBOM, path) for path in settings.sboms]
    named += [(PaperKind.LOCKFILE, path) for path in settings.lockfiles]
    return MirrorOrder(
        purls=settings.purls,
        papers=tuple(_paper(kind, beside / Path(path).expanduser()) for kind, path in named),
        trees=settings.trees,
        extent=Extent(depth=Depth(settings.dependencies), platforms=settings.platforms, latest=settings.latest),
        repositories=settings.repositories,
    )


def _paper(kind: PaperKind, path: Path) -> Paper:
    try:
        return Paper(kind=kind, name=path.name, body=path.read_bytes())
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from error
