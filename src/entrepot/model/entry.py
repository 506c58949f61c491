"""What the catalog remembers of stored responses and bytes."""

from dataclasses import dataclass
from datetime import datetime

from entrepot.model.headers import Headers


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What one fstat tells of a file; any difference means that its bytes must be verified again."""

    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stored response under (repository, key). Times are UTC."""

    repository: str
    key: str
    sha256: str
    """The blob: hex. Empty where all that is stored is that upstream said 404 or 410 (`gone_at`)."""
    size_bytes: int
    headers: Headers
    """The stored upstream fields that matter later: content-type, etag, last-modified, cache-control, expires, date,
    age, vary …"""
    url: str
    """The final URL that the bytes came from."""
    upstream: str
    """The identity (address and credential scope) of the upstream it came through."""
    stored_at: datetime
    validated_at: datetime
    """When upstream last said 200 or 304; nothing else moves it."""
    next_check_at: datetime | None = None
    """Not to be validated before, after a failure; None: no failure since `validated_at`."""
    failures: int = 0
    """Failed validations since `validated_at`."""
    published: bool = False
    """Whether the bytes agreed with a published digest (and not only with what this name had before)."""
    expired: bool = False
    """Marked by `invalidate`: validated before the next use."""
    gone_at: datetime | None = None
    """When upstream said 404 or 410; such an entry is kept but not served."""
    package: str = ""
    """Of a file of a version: the package's native name."""
    version: str = ""
    snapshot: str = ""
    """The key of its group's root; empty for what is in no group."""
    aside_at: datetime | None = None
    """Since when it is not of its group's current generation, but of one before or of one that is being brought."""

    @property
    def is_absence(self) -> bool:
        """Whether there was never a body: the entry only remembers that upstream has nothing under this name."""
        return not self.sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A stored body."""

    sha256: str
    size_bytes: int
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """The digest that a name had when it was first seen; outlives eviction."""

    sha256: str
    size_bytes: int
    first_seen: datetime
