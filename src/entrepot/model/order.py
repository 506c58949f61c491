"""What a person, a schedule or a program asks to be mirrored."""

from dataclasses import dataclass, field
from enum import Enum

from entrepot.model.selection import Extent


class PaperKind(Enum):
    SBOM = "sbom"
    LOCKFILE = "lockfile"
    PURLS = "purls"
    """Package URLs, one a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A document that names packages, as it was handed in."""

    kind: PaperKind
    name: str
    """Its file name: lock files are known by it, and messages tell it."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorOrder:
    """Everything that one mirror job was asked for. Two equal ones are one job while it runs."""

    purls: tuple[str, ...] = ()
    papers: tuple[Paper, ...] = ()
    trees: tuple[str, ...] = ()
    """Paths of ours: `/REPOSITORY/FOLDER/`."""
    extent: Extent = field(default_factory=Extent)
    repositories: tuple[str, ...] = ()
    """Only these are used; empty: for each package the first that serves its kind, or that `repository_url` means."""
    concurrency: int | None = None
    """Things fetched at a time; None: the setting."""
    validate: bool = False
    """Whether bills of materials must agree with their schema."""
