"""What this store has written into bundles, and what it has taken over from those of others."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from entrepot.model.entry import Blob, Remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenBundle:
    number: int
    """Counted by this store, from 1."""
    digest: str
    """SHA-256 of its manifest."""
    content: str
    """SHA-256 over everything in it but the number: the same content written again is the same bundle."""
    since: int | None
    """The bundle that it builds on; None: it stands alone."""
    written_at: datetime
    what: str
    """For people: what was selected."""
    entries: int
    size_bytes: int
    """Of the bodies in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBundle:
    store: str
    """The id of the store that wrote it."""
    number: int
    digest: str
    """SHA-256 of its manifest."""
    signer: str
    """The public key it was signed with (OpenSSH form); empty: it was taken over unsigned."""
    taken_at: datetime
    entries: int
    """How many were new here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """When the list at `place` first had a version of a package."""

    package: str
    version: str
    place: str
    first_seen: datetime


class BundleBook(Protocol):
    """Reads may take long: call them in a thread, `store` where you like. All raise StoreFailure."""

    def store(self) -> str:
        """The id of this store: random, and the same for as long as its catalog lives."""

    def written(self) -> list[WrittenBundle]:
        """The newest first."""

    def taken(self) -> list[TakenBundle]:
        """The latest first."""

    def carried(self, number: int) -> Iterator[bytes]:
        """The items of a bundle, as they were handed to `note_written`."""

    async def note_written(self, bundle: WrittenBundle, items: Iterable[bytes]) -> None: ...

    async def note_taken(self, bundle: TakenBundle) -> None: ...

    # --- what goes along with entries -------------------------------------------------------------------------------

    def remembered(self, repository: str) -> Iterator[tuple[str, Remembered]]:
        """By key, in key order."""

    def owners(self, repository: str) -> Iterator[tuple[str, str]]:
        """Packages and the upstreams they belong to, in order."""

    def readings(self, repository: str) -> Iterator[tuple[str, datetime]]:
        """Places of lists and when they were first read, in order."""

    def sightings(self, repository: str) -> Iterator[Seen]:
        """In the order of package, version and place."""

    def pinned(self, repository: str) -> Iterator[str]:
        """The keys of what is kept from eviction, in order."""

    def pinned_by(self, job: str) -> Iterator[tuple[str, str]]:
        """Repository and key of what a mirror job pinned, in order."""

    def find_blob(self, sha256: str) -> Blob | None:
        """As the catalog's, but from any thread."""
