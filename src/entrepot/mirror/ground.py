"""What mirror jobs stand on: parts of this process, and how much they may do."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from entrepot.cache.repository import Repository
from entrepot.cache.supply import Supply
from entrepot.contracts.clock import Clock
from entrepot.contracts.leases import Leases
from entrepot.contracts.mirrors import MirrorBook
from entrepot.mirror.trees.grove import Report, WalkResult


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorRules:
    """Times are seconds."""

    concurrency: int = 16
    """Things fetched at a time, for each job that does not say otherwise."""
    jobs: int = 2
    """At the same time, in all processes."""
    per_token: int = 100
    """Jobs of one client that have not ended, where clients are limited."""
    keep: float = 30 * 86400.0
    """How long ended jobs can be looked up."""
    attempts: int = 3
    """For each thing."""
    backoff: tuple[float, float] = (1.0, 60.0)
    lease_seconds: float = 30.0
    renew_seconds: float = 10.0
    poll_seconds: float = 0.5
    """Within twice this time a job that somebody cancelled elsewhere begins nothing any more."""
    broken_seconds: tuple[float, float] = (30.0, 600.0)
    """After the disk or the catalog failed."""


class Trees(Protocol):
    """Folders of ours that upstream has listings of."""

    async def walk(self, repository: str, path: str, report: Report) -> WalkResult:
        """Have a folder as upstream has it, files and listings. Raises what makes that impossible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    book: MirrorBook
    leases: Leases
    clock: Clock
    repositories: Mapping[str, Repository]
    supply: Supply
    rules: MirrorRules
    trees: Trees | None = None
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
