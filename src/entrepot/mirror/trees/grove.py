"""What all walks of this process share, and what they tell."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from entrepot.cache.directories import Directories
from entrepot.cache.documents import Documents
from entrepot.cache.janitor import Janitor
from entrepot.cache.repository import Repository
from entrepot.cache.supply import Supply
from entrepot.contracts.board import Generation
from entrepot.contracts.catalog import Catalog
from entrepot.contracts.clock import Clock
from entrepot.contracts.leases import Leases
from entrepot.contracts.mirrors import ItemState
from entrepot.contracts.trees import TreeBook, WalkCounts
from entrepot.errors import EntrepotError

AT_ONCE = 16
"""Listings and files that all walks of a process together fetch at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What became of one file, or of one folder's listing."""

    key: str
    """Of what is stored; of a folder whose listing was not to be had: its own, with a slash at the end."""
    state: ItemState
    size_bytes: int = 0
    error: EntrepotError | None = None


Report = Callable[[Walked], None]


def silent(walked: Walked) -> None:
    """A Report to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkResult:
    counts: WalkCounts
    complete: bool
    """Whether every listing was read. Only then anything can be known to be gone."""
    problem: str = ""
    """Why it was not a success; empty: it was."""
    gone: tuple[str, ...] = ()
    """Keys that this walk removed."""
    over_budget: int = 0
    """So many would have been removed, if that were not more than the budget allows."""
    errors: tuple[str, ...] = ()
    """What went wrong on the way, the first of it."""
    refused: bool = False
    """Whether upstream refused our credentials."""

    @property
    def succeeded(self) -> bool:
        """A budget that was exceeded is told, and does not make a walk a failure: everything is up to date."""
        return self.complete and not self.counts.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Grove:
    book: TreeBook
    leases: Leases
    catalog: Catalog
    clock: Clock
    directories: Directories
    documents: Documents
    supply: Supply
    janitor: Janitor
    generation: Generation
    repositories: Mapping[str, Repository]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
