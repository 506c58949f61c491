"""What was served in sessions: rows that outlive the process, for whoever asks later what a build used."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol


class SessionState(Enum):
    OPEN = "open"
    """What is served in it is written down."""
    FROZEN = "frozen"
    """It serves what is in it, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One that the server was told of. Names that clients make up are none."""

    id: str
    """1 to 64 letters and digits: what stands behind `/~`."""
    name: str = ""
    """For people: what it was opened for."""
    client: str
    """Who opened it: a token's name, or "command line"."""
    state: SessionState = SessionState.OPEN
    kept: bool = False
    """Whether it stays until somebody drops it."""
    created_at: datetime
    items: int = 0
    lost: int = 0
    """Answers that are missing in it: there were too many, or the catalog took none."""


class ServedState(Enum):
    SERVED = "served"
    UNSETTLED = "unsettled"
    """Served while it was being stored: which bytes these were is not known yet."""
    ABSENT = "absent"
    """It was answered that there is no such thing, which clients rely on as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One thing that clients of a session were given, however often."""

    session: str
    repository: str
    key: str
    """The stored key."""
    state: ServedState = ServedState.SERVED
    sha256: str = ""
    """Of the stored bytes: what is rendered of them is not told. Empty where it is not SERVED."""
    size_bytes: int = 0
    package: str = ""
    """The native name; empty for what belongs to no version of a package."""
    version: str = ""
    served_at: datetime
    """For the first time."""


class SessionBook(Protocol):
    """All raise StoreFailure when the catalog cannot be used."""

    async def open(self, session: Session) -> None:
        """One with this id that is there already stays as it is."""

    def find(self, session: str) -> Session | None:
        """Cheap."""

    async def record(self, served: Sequence[Served], lost: Mapping[str, int], writer: str, most: int) -> None:
        """In one transaction: what was served in open sessions, at most so many things in each, and how many answers of
        which session are missing. What is not taken counts as missing. `writer`: which process may have more that is
        not written down yet; empty: none."""

    async def leave(self, writer: str) -> None:
        """It has written everything down."""

    def writers(self, session: str) -> list[str]:
        """Those that did not leave."""

    def items(self, session: str, after: tuple[str, str], limit: int) -> list[Served]:
        """In the order of repository and key, those behind `after`. May take long: call it in a thread."""

    def is_settled(self, session: str) -> bool:
        """Whether nothing in it is UNSETTLED; cheap."""

    async def change(self, session: str, state: SessionState, *, kept: bool) -> bool:
        """False: there is no such session."""

    async def drop(self, session: str) -> None:
        """With everything in it."""

    def surplus(self, before: datetime, most: int) -> Collection[str]:
        """Those that were opened before a time, and the oldest of those that are more than `most`, without those that
        are kept. May take long: call it in a thread."""
