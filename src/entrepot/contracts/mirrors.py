"""Mirror jobs and their items: rows that outlive the process (policy §7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol


class JobState(Enum):
    QUEUED = "queued"
    PLANNING = "planning"
    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    """Nothing of it could be done, or its order cannot be understood."""
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self not in (JobState.QUEUED, JobState.PLANNING, JobState.RUNNING)


class ItemState(Enum):
    OPEN = "open"
    DONE = "done"
    """Fetched now."""
    HELD = "held"
    """It was here already, and is current."""
    ABSENT = "absent"
    """Upstream has it not, which clients are to be told offline, too."""
    REFUSED = "refused"
    """By policy."""
    SKIPPED = "skipped"
    """No registry serves such a thing."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Of a job's files. Selections that failed count as one failed file each."""

    total: int = 0
    done: int = 0
    held: int = 0
    absent: int = 0
    refused: int = 0
    skipped: int = 0
    failed: int = 0
    fetched_bytes: int = 0
    """Of bodies that were stored now."""
    held_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    id: str
    """128 random bits in hex."""
    order_digest: str
    """Of everything in the order: the same one is not begun twice at a time."""
    name: str
    """For people: of the schedule, or a few words about the order."""
    client: str
    """Who asked: a token's name, "schedule NAME", or "command line"."""
    repositories: tuple[str, ...] | None
    """The only ones that whoever asked may fill; None: all."""
    state: JobState
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    counts: Counts = Counts()
    problem: str = ""
    """Why it failed as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemError:
    """One of a job's errors, at most 1,000 of which are kept; `Job.counts` goes on counting."""

    subject: str
    """A purl, a path of ours, or a place in a document."""
    error: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinSummary:
    """What one job keeps from eviction."""

    job: str
    name: str
    entries: int
    size_bytes: int
    pinned_at: datetime


class Pins(Protocol):
    """What is kept from eviction, and by which job. All raise StoreFailure."""

    async def pin(self, job: str, entries: Sequence[tuple[str, str]], at: datetime) -> None:
        """Entries are (repository, stored key); what is stored under that key later is pinned, too."""

    async def release(self, job: str) -> int:
        """How many pins were released."""

    def summaries(self) -> list[PinSummary]:
        """May take long: call it in a thread."""
