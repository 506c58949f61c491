"""Which stored documents name the files of a repository that no path leads to an index for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A stored document that names files with their digests."""

    repository: str
    sha256: str
    """Of its bytes. The same bytes in two places may name other files: each place counts."""
    key: str
    """Of the resource that it was stored for."""
    root: str
    """The key of the root of its group; empty for one that is in none."""
    url: str
    """Where it came from, and the base URL of the upstream through which."""
    base: str
    content_type: str
    had_at: datetime
    """When we first had it."""
    aside_at: datetime | None = None
    """Since when its root does not name it any more, or another one has its key."""


class Listings(Protocol):
    """All raise StoreFailure. What was put is seen when the put has ended."""

    def of(self, repository: str) -> list[Listed]:
        """Those that count now, then those that were set aside; of each the latest first."""

    async def put(self, listed: Listed) -> None:
        """One that counts. Known already: when it was first had stays. One in no group takes the place of what had its
        key."""

    async def name(self, repository: str, root: str, digests: Collection[str], at: datetime) -> None:
        """Its root names these documents now: the others of this root are set aside."""

    async def delete_aside(self, before: datetime, kept: Mapping[str, datetime]) -> list[Listed]:
        """Those that were set aside before a time, which for the repositories in `kept` is the one told there; what was
        deleted."""
