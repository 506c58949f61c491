"""Facts that outlive a process."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from entrepot.model.entry import Blob, Entry, Remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """Something computed from stored documents (a view, the facts of an index): a blob and a little about it."""

    key: str
    sha256: str
    size_bytes: int
    note: bytes
    """The maker's own few facts (msgpack)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginState:
    """Shared health of an upstream origin. Times are seconds since the epoch."""

    origin: str
    closed_until: float
    """No contact before; 0: none forbidden."""
    reason: str
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A blob as the janitor sees it."""

    sha256: str
    size_bytes: int
    last_used_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """When a list of ours first had a version; in a cluster the earliest of all that looked."""

    first_seen: datetime
    baseline: bool
    """Whether it was in the first reading of its list: then nobody saw it appear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """A version of which at least one file is stored."""

    package: str
    version: str
    listed_at: datetime
    """When the first of its files was stored. No two versions of a repository have the same, and whatever is stored
    later has a later one, so nobody who goes on reading from the last he saw misses any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The current generation of a group: files that are replaced together."""

    repository: str
    root: str
    """The key of the group's root."""
    number: int
    """One more than that of the generation before."""
    sha256: str
    """Of the root."""
    published_at: datetime


class Catalog(Protocol):
    """Reads are synchronous and take microseconds; what was handed to a `put` is seen by the next read at once, and
    awaiting the put waits until it is durable. All raise StoreFailure when the catalog cannot be used."""

    def find_entry(self, repository: str, key: str) -> Entry | None: ...

    def find_blob(self, sha256: str) -> Blob | None: ...

    def find_remembered(self, repository: str, key: str) -> Remembered | None: ...

    def find_owner(self, repository: str, package: str) -> str | None:
        """The name of the upstream that first answered 200 for the package."""

    def find_derived(self, key: str) -> Derived | None: ...

    def find_origin(self, origin: str) -> OriginState | None: ...

    def find_sighting(self, repository: str, package: str, version: str) -> Sighting | None: ...

    def find_sightings(self, repository: str, package: str) -> Mapping[str, Sighting]:
        """By version. Of one that several lists have: the earliest, and baseline if it is that in one of them."""

    def find_reading(self, repository: str, place: str) -> datetime | None:
        """When a list was first read; `place` is its stored key."""

    def generation_of(self, repository: str, root: str) -> Published | None:
        """What is current of a group; None: nothing was published yet."""

    def members_of(self, repository: str, root: str) -> list[Entry]:
        """The entries of the current generation without its root, in key order."""

    def groups_of(self, repository: str) -> list[Published]:
        """What is current of all groups, in the order of their roots' keys."""

    def former_roots(self, repository: str, root: str) -> list[Entry]:
        """The roots of earlier generations that are still kept, under their edition's keys, the latest first.
        `stored_at` is when the generation was published."""

    async def put_stored(self, entry: Entry, blob: Blob, remember: bool) -> None:
        """A committed blob and the entry that serves it, in one transaction; with `remember` its digest is
        remembered unless one is."""

    async def put_entry(self, entry: Entry) -> None:
        """An entry whose blob is stored already (validated, marked, gone)."""

    async def put_blob(self, blob: Blob) -> None:
        """A blob that was verified again."""

    async def put_owner(self, repository: str, package: str, upstream: str) -> None:
        """Remembered unless one is."""

    async def put_derived(self, derived: Derived, blob: Blob) -> None: ...

    async def put_origin(self, state: OriginState) -> None: ...

    async def put_sightings(
        self, repository: str, place: str, package: str, versions: Iterable[str], at: datetime, *, reading: bool = True
    ) -> None:
        """Upstream said at that time that there are these versions; what was seen earlier stays. `reading`: the list
        at `place` was read as a whole, and not only found to lack them. Waits for nothing that is known already."""

    async def accept(self, repository: str, key: str, remembered: Remembered) -> None:
        """Replace what is remembered."""

    async def forget(self, repository: str, package: str, keys: Iterable[str]) -> None:
        """Drop the owner of the package and what is remembered of these keys."""

    async def delete_entries(self, repository: str, keys: Iterable[str]) -> None: ...

    async def publish(self, generation: Published, root: Entry, blob: Blob, members: Iterable[Entry]) -> None:
        """In one transaction: what was current of the group is set aside under the number before; the root and the
        members, which were set aside under this number, are current."""

    async def delete_aside(self, before: datetime, kept: Mapping[str, datetime] | None = None) -> list[str]:
        """Entries that nothing pins and that were set aside before a time, which for the repositories in `kept` is the
        one told there; the digests of the blobs that they were made of."""

    async def delete_absences(self, before: datetime, most: int) -> None:
        """Stored 404s that were said before a time, and the oldest of those that are more than `most`; pinned ones
        stay, and do not count."""

    async def delete_blob(self, sha256: str) -> None:
        """The blob's row and every entry and derived thing that is made of it. Remembered digests stay."""

    def note_use(self, sha256: str, at: float) -> None:
        """In memory; stored by the writer every 30 s."""

    def entries(self, repository: str | None = None, prefix: str = "") -> Iterator[Entry]:
        """Every entry, in key order. May take long: call it in a thread."""

    def versions_since(self, repository: str, since: datetime, limit: int) -> list[StoredVersion]:
        """Stored versions in the order in which they were listed, those listed at `since` or later. May take long:
        call it in a thread."""

    def versions_after(self, repository: str, package: str, version: str, limit: int) -> list[StoredVersion]:
        """Stored versions in the order of package and version (as text), those behind this one. As above."""

    def usage(self, limit: int) -> list[Usage]:
        """The least recently used blobs first, without those that something pinned is made of."""

    def is_used(self, sha256: str) -> bool:
        """Whether an entry, or something derived, is made of this blob."""

    def remembered_keys(self, repository: str, package: str) -> list[str]:
        """The keys with a remembered digest that belong to a package: those that have its name as whole path
        segments."""

    def totals(self) -> tuple[int, int, int]:
        """Entries, blobs, bytes of blobs."""

    def probe(self) -> None:
        """One read and one write. Raises StoreFailure."""

    async def flush(self) -> None:
        """Everything handed in is durable when this returns."""

    async def backup(self, path: str) -> None:
        """A consistent copy, online."""

    async def close(self) -> None:
        """Drain, checkpoint, close."""
