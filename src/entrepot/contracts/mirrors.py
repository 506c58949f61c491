"""Mirror jobs and their items: rows that outlive the process (policy §7)."""

from collections.abc import Collection, Sequence
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


class ItemKind(Enum):
    SELECTION = "selection"
    """Versions of a package: planned, and then its files are items, too."""
    TREE = "tree"
    """A folder of ours: walked, and then its files are items, too."""
    FILE = "file"
    ABSENCE = "absence"
    """What clients ask for in vain, as far as was read elsewhere: kept last, and not where upstream was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorItem:
    """One piece of a job's work. Two with the same kind, repository and key are one."""

    number: int = 0
    """Within its job, in the order in which they were added; the book gives it."""
    kind: ItemKind
    repository: str
    key: str
    """Of a file: its stored key. Of a selection: a digest of it. Of what is skipped: its subject."""
    payload: bytes = b""
    """What the selection, or the file's resource, is made of again."""
    state: ItemState = ItemState.OPEN
    size_bytes: int = 0

    @property
    def pins(self) -> bool:
        """Whether what is stored for it is to stay."""
        kept = (ItemState.DONE, ItemState.HELD, ItemState.ABSENT)
        return self.kind in (ItemKind.FILE, ItemKind.ABSENCE) and self.state in kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of an item; one that was not in the book is added."""

    item: MirrorItem
    """With its new state."""
    error: ItemError | None = None


class MirrorBook(Protocol):
    """Jobs and their items. All raise StoreFailure when the catalog cannot be used; reads of pages and lists may take
    some milliseconds: call them in a thread."""

    async def add_job(self, job: Job, order: bytes, most: int | None = None) -> Job:
        """The job or, where one with the same order has not ended, that one. Raises TooManyJobs where `most` others of
        its client have not ended."""

    def find_job(self, job: str) -> Job | None:
        """With its counts as they are now; cheap."""

    def find_order(self, job: str) -> tuple[bytes, bool] | None:
        """The order, and whether all of it is in the items."""

    def jobs(self, limit: int) -> list[Job]:
        """The newest first."""

    def jobs_named(self, client: str, limit: int) -> list[Job]:
        """Those of one client, the newest first."""

    def due(self, now: datetime, limit: int) -> list[Job]:
        """Those that have not ended and that nobody works on, whose time has come, the oldest first."""

    def any_open(self) -> bool:
        """Whether a job has not ended; cheap."""

    def running(self, now: datetime) -> int:
        """How many are being worked on, in all processes; cheap."""

    async def advance(self, job: str, state: JobState, at: datetime, problem: str = "") -> bool:
        """Give a job that has not ended another state. False: it has ended."""

    async def reopen(self, job: str, states: Collection[ItemState]) -> bool:
        """Open its items of these states again, but for what was only told, and forget their errors; queue it, if it
        has ended. False: there is no such job."""

    async def note_read(self, job: str) -> None:
        """All of the order is in the items now."""

    async def record(self, job: str, added: Sequence[MirrorItem], settled: Sequence[Settled], at: datetime) -> None:
        """In one transaction. What is added again, or settled again, stays as it is; what is done, held or absent is
        pinned."""

    def open_items(self, job: str, kinds: Collection[ItemKind], after: int, limit: int) -> list[MirrorItem]:
        """By number, those behind `after`."""

    def repositories_of(self, job: str) -> list[str]:
        """Those that its items are in."""

    def is_file(self, job: str, repository: str, key: str) -> bool:
        """Whether one of its files has this stored key; cheap."""

    def file_keys(self, job: str, repository: str, prefix: str) -> list[str]:
        """The stored keys of its files that begin so."""

    def items(self, job: str, after: int, limit: int) -> list[MirrorItem]:
        """Of all kinds and states, by number, those behind `after`."""

    def errors(self, job: str) -> list[ItemError]:
        """By number of the item."""

    async def supersede(self, job: str, former: Collection[str], *, release: bool) -> None:
        """Hand the pins of former jobs over to this one or, with `release`, let them go."""

    async def forget(self, before: datetime) -> Collection[str]:
        """Drop what ended before a time; the jobs that are gone. Of one that pins something its row stays."""

    async def forget_unread(self, client: str, most: int) -> Collection[str]:
        """Drop those of a client that ended before all of their orders was in the items, but for `most` of the newest;
        the jobs that are gone."""


class Pins(Protocol):
    """What is kept from eviction, and by which job. All raise StoreFailure."""

    async def pin(self, job: str, entries: Sequence[tuple[str, str]], at: datetime) -> None:
        """Entries are (repository, stored key); what is stored under that key later is pinned, too."""

    async def release(self, job: str) -> int:
        """How many pins were released."""

    def summaries(self) -> list[PinSummary]:
        """May take long: call it in a thread."""
