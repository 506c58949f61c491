"""Folders of a repository that are mirrored as a whole, and which of them a path lies in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from entrepot.model.folders import Caps
from entrepot.model.paths import decode_segment, encode_segment

_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))

Purge = Literal["never", "confirmed", "always"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much of a tree one walk may remove: the larger of the two."""

    entries: int = 100
    share: float = 0.1

    def allows(self, count: int, known: int) -> bool:
        return count <= max(self.entries, self.share * known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Durations in seconds."""

    path: str
    """The key of its root below the repository, with a slash at its end; empty: the whole repository."""
    min_interval: float = 3600.0
    """Between the starts of two walks that accesses begin."""
    jitter: float = 360.0
    """By how much min_interval is longer at most, by chance."""
    purge: Purge = "confirmed"
    budget: Budget = field(default_factory=Budget)
    max_depth: int = 32
    max_entries: int = 100_000
    max_listing_bytes: int = 16 << 20
    concurrency: int = 4

    @property
    def caps(self) -> Caps:
        """Of one listing."""
        return Caps(size_bytes=self.max_listing_bytes, members=self.max_entries)

    def holds(self, key: str) -> bool:
        return key.startswith(self.path)


def tree_of(trees: Iterable[Tree], key: str) -> Tree | None:
    """The one with the longest path that holds the key."""
    return max((tree for tree in trees if tree.holds(key)), key=lambda tree: len(tree.path), default=None)


def folder_key(text: str) -> str:
    """The key of a folder, however its path is spelled: with blanks around it, slashes at its ends or none, letters
    as they are or escaped. Raises BadRequest."""
    path = quote(text.strip().strip("/"), safe=_VISIBLE)
    return "".join(f"{encode_segment(decode_segment(part))}/" for part in path.split("/")) if path else ""
