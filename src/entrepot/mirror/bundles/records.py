"""What stands in a bundle: a small manifest, and lists with one JSON object a line, each in its one canonical form.

The manifest tells size and digest of every list; the list of blobs tells those of every body. So who trusts the
manifest can check everything else while it streams by, and nothing has to be held in memory.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

import msgspec

from entrepot.errors import UnreadableBundle

FORMAT = 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
TEXTS = ("README.txt", "clients.txt")
MANIFEST_BYTES = 1 << 20
SIGNATURE_BYTES = 16 << 10
TEXT_BYTES = 16 << 20
LINE_BYTES = 1 << 20

_T = TypeVar("_T")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_STORE = re.compile(r"[0-9a-f]{16}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Raises ValueError for values that nothing of ours would have written."""


class BlobRecord(Record, frozen=True, kw_only=True):
    sha256: str
    size_bytes: int

    def __post_init__(self) -> None:
        _check_digest(self.sha256)
        if self.size_bytes < 0:
            raise ValueError("a size is not negative")

    @property
    def order(self) -> tuple[str, ...]:
        return (self.sha256,)


class EntryRecord(Record, frozen=True, kw_only=True):
    """As `model.entry.Entry`, without what only the store that wrote it could know."""

    repository: str
    key: str
    sha256: str = ""
    """Empty: upstream has nothing under this name."""
    size_bytes: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    url: str = ""
    base: str = ""
    """The base URL of the upstream that it came through."""
    stored_at: datetime
    validated_at: datetime
    published: bool = False
    gone_at: datetime | None = None
    package: str = ""
    version: str = ""
    snapshot: str = ""

    def __post_init__(self) -> None:
        _check_texts(self.repository, self.key, self.url, self.base, self.package, self.version, self.snapshot)
        _check_texts(*(text for field in self.headers for text in field))
        if (not self.sha256) != (self.gone_at is not None):
            raise ValueError("an entry has either a body or a time since when there is none")
        if self.sha256:
            _check_digest(self.sha256)
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"{self.url[:80]!r} is no address")
        if " " in self.base:
            raise ValueError(f"{self.base[:80]!r} is no address")
        for moment in (self.stored_at, self.validated_at, self.gone_at):
            _check_moment(moment)

    @property
    def order(self) -> tuple[str, ...]:
        return (self.repository, self.key)


class RememberedRecord(Record, frozen=True, kw_only=True):
    repository: str
    key: str
    sha256: str
    size_bytes: int
    first_seen: datetime

    def __post_init__(self) -> None:
        _check_digest(self.sha256)
        _check_moment(self.first_seen)

    @property
    def order(self) -> tuple[str, ...]:
        return (self.repository, self.key)


class GenerationRecord(Record, frozen=True, kw_only=True):
    repository: str
    root: str
    sha256: str
    published_at: datetime

    def __post_init__(self) -> None:
        _check_digest(self.sha256)
        _check_moment(self.published_at)

    @property
    def order(self) -> tuple[str, ...]:
        return (self.repository, self.root)


class OwnerRecord(Record, frozen=True, kw_only=True):
    repository: str
    package: str
    upstream: str
    base: str

    @property
    def order(self) -> tuple[str, ...]:
        return (self.repository, self.package)


class ReadingRecord(Record, frozen=True, kw_only=True):
    repository: str
    place: str
    read_at: datetime

    def __post_init__(self) -> None:
        _check_moment(self.read_at)

    @property
    def order(self) -> tuple[str, ...]:
        return (self.repository, self.place)


class SightingRecord(Record, frozen=True, kw_only=True):
    repository: str
    package: str
    version: str
    place: str
    first_seen: datetime

    def __post_init__(self) -> None:
        _check_moment(self.first_seen)

    @property
    def order(self) -> tuple[str, ...]:
        return (self.repository, self.package, self.version, self.place)


class PinRecord(Record, frozen=True, kw_only=True):
    repository: str
    key: str

    @property
    def order(self) -> tuple[str, ...]:
        return (self.repository, self.key)


AnyRecord = (
    BlobRecord
    | EntryRecord
    | RememberedRecord
    | GenerationRecord
    | OwnerRecord
    | ReadingRecord
    | SightingRecord
    | PinRecord
)
LISTS: Mapping[str, type[AnyRecord]] = {
    "blobs": BlobRecord,
    "entries": EntryRecord,
    "generations": GenerationRecord,
    "owners": OwnerRecord,
    "pins": PinRecord,
    "readings": ReadingRecord,
    "remembered": RememberedRecord,
    "sightings": SightingRecord,
}
"""Every list that a bundle has, in the order in which they stand in it."""


class Part(Record, frozen=True, kw_only=True):
    """A list or a text."""

    sha256: str
    size_bytes: int
    lines: int

    def __post_init__(self) -> None:
        _check_digest(self.sha256)
        if self.size_bytes < 0 or self.lines < 0:
            raise ValueError("a size is not negative")


class Base(Record, frozen=True, kw_only=True):
    """The bundle that another one builds on."""

    number: int
    digest: str

    def __post_init__(self) -> None:
        _check_digest(self.digest)


class RepositoryPart(Record, frozen=True, kw_only=True):
    name: str
    ecosystem: str
    upstreams: tuple[str, ...]
    """Base URLs."""
    entries: int


class Manifest(Record, frozen=True, kw_only=True):
    format: int
    store: str
    """The id of the store that wrote it."""
    number: int
    """Of this bundle, counted by that store."""
    since: Base | None = None
    written_at: datetime
    what: str
    """For people: what was selected."""
    repositories: tuple[RepositoryPart, ...]
    lists: dict[str, Part]
    texts: dict[str, Part]
    bodies_bytes: int

    def __post_init__(self) -> None:
        if not _STORE.match(self.store) or self.number < 1:
            raise ValueError("its store or number is none of ours")
        if set(self.lists) != set(LISTS) or set(self.texts) != set(TEXTS):
            raise ValueError("its lists are not those of a bundle")
        _check_texts(self.what)
        _check_moment(self.written_at)

    @property
    def name(self) -> str:
        """For people and for what bundles leave behind."""
        return f"bundle {self.number} of store {self.store}"


def encode(record: msgspec.Struct) -> bytes:
    """The one spelling of a record."""
    return msgspec.json.encode(record, order="sorted")


def decode(body: bytes, kind: type[_T], place: str) -> _T:
    """Raises UnreadableBundle, also for another spelling than `encode` has."""
    try:
        record = msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableBundle(f"{place}: {error}") from error
    if msgspec.json.encode(record, order="sorted") != body:
        raise UnreadableBundle(f"{place}: it is not written as a bundle's records are")
    return record


def decode_manifest(body: bytes) -> Manifest:
    """Raises UnreadableBundle."""
    try:
        version = msgspec.json.decode(body, type=_Version).format
    except msgspec.MsgspecError as error:
        raise UnreadableBundle(f"{MANIFEST}: {error}") from error
    if version != FORMAT:
        raise UnreadableBundle(f"{MANIFEST}: this is format {version}; this version reads format {FORMAT}")
    return decode(body, Manifest, MANIFEST)


class _Version(msgspec.Struct):
    format: int


def _check_digest(text: str) -> None:
    if not _DIGEST.match(text):
        raise ValueError(f"{text[:80]!r} is no SHA-256 in lower-case hex")


def _check_texts(*texts: str) -> None:
    for text in texts:
        if _CONTROL.search(text):
            raise ValueError("a text holds control characters")


def _check_moment(moment: datetime | None) -> None:
    if moment is not None and moment.tzinfo is None:
        raise ValueError("a time carries its zone")
