"""What runs mirror jobs, made from settings and parts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from entrepot.cache.repository import Repository
from entrepot.cache.scribe import Scribe
from entrepot.cache.supply import Supply
from entrepot.catalog.leases import SqliteLeases
from entrepot.catalog.mirrors import SqliteMirrors
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.clock import Clock
from entrepot.contracts.fetcher import Fetcher
from entrepot.mirror.dossier import Dossiers
from entrepot.mirror.ground import Ground, MirrorRules
from entrepot.mirror.jobs import Mirror
from entrepot.mirror.parsing import RepositoryFacts
from entrepot.mirror.reading import OrderReader
from entrepot.mirror.running import Runner

DIRECTORY = "mirror"
"""Below the data directory: the papers of jobs."""


def make_mirror(
    *,
    data: Path,
    catalog: SqliteCatalog,
    clock: Clock,
    repositories: Mapping[str, Repository],
    supply: Supply,
    scribe: Scribe,
    facts: Sequence[RepositoryFacts],
    rules: MirrorRules,
    holder: str,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Mirror:
    """`pause`: how the time before another attempt passes."""
    ground = Ground(
        book=SqliteMirrors(catalog),
        leases=SqliteLeases(catalog),
        clock=clock,
        repositories=repositories,
        supply=supply,
        rules=rules,
        pause=pause,
    )
    dossiers = Dossiers(data / DIRECTORY)
    reader = OrderReader(ground, dossiers, scribe, facts)
    return Mirror(ground, dossiers, Runner(ground, dossiers, reader, holder=holder))


def facts_of(repositories: Mapping[str, Repository], fetcher: Fetcher) -> list[RepositoryFacts]:
    return [
        RepositoryFacts(
            name=one.name,
            kind=type(one.ecosystem),
            options=one.ecosystem.options,
            upstreams=tuple(fetcher.base_url(upstream) for upstream in one.upstreams),
        )
        for one in repositories.values()
    ]
