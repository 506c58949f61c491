"""What is remembered of mirrored trees: their walks, and what the listings said."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(slots=True)
class Touch:
    """Set by whoever serves something of a tree; taken back by whoever has the tree walked."""

    touched: bool = False


@dataclass(slots=True, kw_only=True)
class WalkCounts:
    """What one walk did. Files that were not asked about at all are `skipped`."""

    folders: int = 0
    files: int = 0
    fetched: int = 0
    unchanged: int = 0
    skipped: int = 0
    absent: int = 0
    refused: int = 0
    failed: int = 0
    hostile: int = 0
    purged: int = 0
    fetched_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkState:
    """A tree's walks so far. `started_at` is of the last attempt, whatever became of it."""

    repository: str
    path: str
    number: int
    """Of the last attempt; no two that could meet the same names have the same."""
    started_at: datetime
    ended_at: datetime | None = None
    """None: it runs, or its server ended in the middle."""
    succeeded_at: datetime | None = None
    """When the last one that read everything ended."""
    failures: int = 0
    """Attempts since then that did not."""
    problem: str = ""
    counts: WalkCounts = field(default_factory=WalkCounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One name as its folder's listing has it, and what was held when the listing said so."""

    folder: str
    """Key of the folder; empty, or with a slash at its end."""
    name: str
    """The last part of its key; a folder's ends with a slash."""
    size_bytes: int | None = None
    modified: str = ""
    digest: str = ""
    sha256: str = ""
    """Of the entry that is what the listing describes, for sure; empty: not known to be."""
    absent_walks: int = 0
    """Complete walks in a row that did not find it."""
    absent_since: datetime | None = None
    purged_at: datetime | None = None

    @property
    def key(self) -> str:
        return self.folder + self.name

    def says_what(self, other: "Listed") -> bool:
        """Whether both describe the same bytes, as far as a listing can."""
        return (self.size_bytes, self.modified, self.digest) == (other.size_bytes, other.modified, other.digest)


class TreeBook(Protocol):
    """Rows that outlive the process. Reads may take long: call them in a thread. All raise StoreFailure."""

    async def begin(self, repository: str, path: str, at: datetime) -> int:
        """A walk begins; its number."""

    async def end(self, state: WalkState) -> None: ...

    def states(self) -> list[WalkState]: ...

    def find_state(self, repository: str, path: str) -> WalkState | None: ...

    def listed_in(self, repository: str, folder: str) -> Mapping[str, Listed]:
        """By name."""

    async def put(self, repository: str, walk: int, rows: Sequence[Listed]) -> None:
        """The listing has these. What was proven before stays proven where the listing says the same of it."""

    async def prove(self, repository: str, rows: Sequence[Listed]) -> None:
        """Of each, `sha256` is what it describes."""

    async def miss(self, repository: str, row: Listed) -> None:
        """It is listed, and upstream has it not: as absent as before."""

    async def protect(self, repository: str, walk: int, prefix: str) -> None:
        """Everything below counts as found by this walk."""

    async def note_absent(self, repository: str, path: str, walk: int, at: datetime, without: Collection[str]) -> None:
        """After a complete walk: what it did not find was absent once more. `without`: trees of their own."""

    def absent(self, repository: str, path: str, walks: int, without: Collection[str]) -> list[Listed]:
        """What at least so many walks in a row did not find and is not purged yet."""

    def purged(self, repository: str, path: str, before: datetime) -> list[Listed]: ...

    def count(self, repository: str, path: str, without: Collection[str]) -> int:
        """Names that are known and not purged."""

    async def note_purged(self, repository: str, rows: Sequence[Listed], at: datetime) -> None: ...

    async def forget(self, repository: str, rows: Sequence[Listed]) -> None: ...

    async def keep_only(self, trees: Collection[tuple[str, str]]) -> None:
        """Drop what belongs to no (repository, path) of these."""

    def held_among(self, repository: str, keys: Sequence[str]) -> set[str]:
        """Those of the keys under which something is stored; of a folder (a slash at its end): below which."""
