"""Work that requests asked for and nobody waits for: what is to be fetched behind the answers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from entrepot.contracts.leases import Lease


class FillState(Enum):
    OPEN = "open"
    """To be done, or being done: its lease tells which."""
    DONE = "done"
    FAILED = "failed"
    """Not tried again by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One thing to be stored. Path, query and accept are what `Ecosystem.route` makes the resource of again."""

    key: str
    """Repository and stored key, with a slash between them; its lease has the same."""
    repository: str
    path: str
    query: str = ""
    accept: str = ""
    reason: str
    """Of the trigger: "demand" or "access"."""
    client: str
    state: FillState = FillState.OPEN
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRecord:
    """A fill and what came of it so far."""

    fill: Fill
    lease: Lease | None


class FillBook(Protocol):
    """Rows that outlive the process. All raise StoreFailure when the catalog cannot be used."""

    async def add(self, fills: Sequence[Fill], now: datetime) -> Collection[str]:
        """The keys of those that are new work: of the others there is an open one, or their lease says "not yet"."""

    async def close(self, key: str, state: FillState) -> None: ...

    async def remove(self, key: str) -> list[str]:
        """The keys of those that were removed: of every representation, where the key names none."""

    async def remove_failed(self) -> list[str]:
        """The keys of those that were removed."""

    async def forget(self) -> None:
        """Drop the closed ones whose lease is forgotten."""

    def is_open(self, key: str) -> bool: ...

    def any_open(self) -> bool:
        """Whether there is anything to do, now or later; cheap."""

    def due(self, now: datetime, limit: int) -> list[Fill]:
        """Open ones that nobody works on and whose time has come, the oldest first. May take some milliseconds: call
        it in a thread."""

    def open_counts(self) -> Mapping[tuple[str, str], int]:
        """How many are open, by client and repository. As above."""

    def records(self, limit: int) -> list[FillRecord]:
        """Open ones, then failed, then done ones, each the oldest first. As above."""
