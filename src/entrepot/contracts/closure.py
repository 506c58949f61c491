"""How an ecosystem tells everything that its clients will ask for of a selection, without doing any I/O itself."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

from entrepot.model.release import Document
from entrepot.model.resource import Resource
from entrepot.model.selection import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One thing to be held."""

    resource: Resource
    reads: bool = False
    """Whether the closure wants to read it, and goes on only then. Its document is brought first, and stored."""
    absent: Literal["no", "maybe", "yes"] = "no"
    """Whether upstream not having it is a failure, or something its clients ask for in vain: then the absence is kept,
    so that an offline repository answers as upstream did. `yes`: known from what was read, upstream is not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a closure that `reads` is sent."""

    document: Document
    """As it is stored: nothing is hidden in it."""
    hidden: frozenset[str] = frozenset()
    """The versions (names of files where `files_have_ages`) that policy would refuse now: not to be chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A member of an order that no registry serves (a local path, a git checkout), or of a kind that is not known."""

    subject: str
    reason: str


Closure = Generator[Need | Selection | Skipped, Reading | None, None]
"""Yields what is to be held, and further selections that are to be planned like the first: each once, however often it
is yielded. What a package depends on and no registry serves is yielded as Skipped, so that people are told.

Sent a Reading for a Need that `reads`, else None; None, too, where upstream has no such document and that was not a
failure. Raises EntrepotErrors: the selection fails, with that text.
"""
