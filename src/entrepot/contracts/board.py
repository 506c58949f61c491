"""Who on this machine is doing what: one leader for each piece of work, and how far it is."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, runtime_checkable


class Stage(IntEnum):
    CLAIMED = 0
    """Nothing to see yet."""
    ARRIVING = 1
    """`note` tells what is on its way; bytes up to `released` may be read."""
    WHOLE = 2
    """Every byte may be read; being made durable."""
    DONE = 3
    """The result is in the catalog."""
    FAILED = 4
    """`note` tells why."""


@dataclass(frozen=True, slots=True)
class Progress:
    stage: Stage
    released: int
    note: bytes
    """The announcement, once, with ARRIVING or WHOLE; the reason with FAILED."""


@runtime_checkable
class Claim(Protocol):
    """The leader's side. Ends with `end`, or with the process."""

    def announce(self, note: bytes) -> None:
        """ARRIVING, with what followers need to know."""

    def advance(self, released: int) -> None: ...

    def whole(self, released: int) -> None: ...

    def end(self, failure: bytes | None = None) -> None:
        """DONE, or FAILED with a note; the next claim of the key succeeds. What is said behind it is not heard."""


@runtime_checkable
class Watch(Protocol):
    """A follower's side."""

    def look(self) -> Progress: ...

    def abandoned(self) -> bool:
        """Whether the leader is gone without an end."""

    def close(self) -> None: ...


class Board(Protocol):
    def claim(self, key: str) -> Claim | Watch:
        """The lead for this key, or a watch on the process that has it. Raises StoreFailure."""

    def shared(self) -> bool:
        """Whether other processes use this board at all."""


class Generation(Protocol):
    """A number that all workers see, raised whenever something stored is replaced or removed."""

    def value(self) -> int: ...

    def advance(self) -> None: ...


class Readings(Protocol):
    """Which generation of a group each client is reading, known to all workers. May forget, and never makes up."""

    def note(self, reader: str, number: int, until: float) -> None:
        """`until`: seconds since the epoch."""

    def find(self, reader: str, now: float) -> tuple[int, float] | None:
        """The number that was noted last, and until when it counts; None where it no longer does."""
