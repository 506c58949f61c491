"""What a client asked for, and the plain answers an ecosystem can give by itself."""

from dataclasses import dataclass, field
from enum import Enum

from entrepot.model.digest import Digest
from entrepot.model.headers import Headers

BASE = "base"
"""The origin (scheme, host, port) of the upstream that the configuration names."""


class Kind(Enum):
    ARTIFACT = "artifact"
    """Bytes under this name never change."""
    INDEX = "index"
    """Changes; is parsed, and may be rendered for the client."""
    SIGNED = "signed"
    """Changes; reaches the client byte for byte."""
    PASS = "pass"
    """Forwarded, never stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A client's request below a repository's mount.

    `path` is percent-encoded as it was sent and has no leading slash; `query` has no question mark.
    """

    method: str
    path: str
    query: str = ""
    accept: str = ""
    headers: Headers = field(default_factory=Headers)
    """Only for what an ecosystem must read besides Accept (Go's `Disable-Module-Fetch`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A complete small answer."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One thing a repository can serve. Everything (cache key, upstream URL, storage) derives from it."""

    key: str
    """The canonical path below the repository, percent-encoded, without leading slash. Two spellings of one thing
    have one key, and `route` of the key gives the key again."""
    path: str
    """Where it is upstream, percent-encoded: relative to the upstream's base URL, or with a leading slash from the
    root of the origin."""
    kind: Kind
    query: str = ""
    origin: str = BASE
    """BASE, or a host (with port if not 443) that an index named: such a resource is fetched by https and only if
    `listed_in` lists exactly its URL."""
    upstream: str | None = None
    """The name of one upstream; None: the upstream that owns `about`, in the repository's order."""
    method: str = "GET"
    """Other than GET only for PASS."""
    form: str = ""
    """Which rendering of an INDEX the client gets ("json", "html", "abbreviated" …)."""
    about: str = ""
    """The package's native name: what owners, logs and explanations speak of."""
    version: str = ""
    digest: Digest | None = None
    """The digest, where the name itself tells it."""
    size_bytes: int | None = None
    """The length, where the name itself tells it."""
    begins: tuple[str, ...] = ()
    """Keys of longer files whose first `size_bytes` bytes are this file: one of them in the store will do."""
    listed_in: "Resource | None" = None
    """The document whose releases name this file, its location and digest."""
    must_be_listed: bool = True
    """Whether a file that `listed_in` does not list is answered 404 (and never asked of upstream). Where False, an
    unlisted file is simply one without a published digest."""
    located_by: "Resource | None" = None
    """The document that tells where upstream has this file, where neither its name nor `listed_in` does (Cargo's
    config.json): `Ecosystem.locate` reads it. Each upstream has its own."""
    listed_anywhere: bool = False
    """Whether documents that no path leads to tell this file's digest: it is looked up in all stored ones of the
    repository that `lists`. Then `listed_in` is None, or the root of a group that a path does lead to: it is brought
    where no stored one names the file. Where none does even so, what `must_be_listed` says."""
    lists: bool = False
    """Whether this SIGNED or ARTIFACT document names files of the repository with their digests: `releases` reads it as
    it is stored (which may be compressed), and `link` says which keys they have."""
    accept: str = ""
    """The representation asked of upstream; part of the stored key."""
    accepts: str = ""
    """The same where every client gets the same one: no part of the key."""
    content_type: str = ""
    """What we say it is; empty: what upstream said."""
    examined: bool = False
    """Whether the ecosystem looks at a file as a whole before its first byte leaves."""
    probed: bool = False
    """Whether GETs are counted against us and HEADs are not: a SIGNED one is then asked about by HEAD, and fetched only
    if that tells of other bytes. What it meant before is kept under its digest (`Ecosystem.named_by`)."""
    must_be_confirmed: bool = False
    """Whether bytes that are here under another name may answer for an ARTIFACT only once upstream said that it has
    them under this one: where names, and not digests, are what clients are given rights to."""
    cached_only: bool = False
    """Answer from the store or not at all (Go's cached-only forms); a miss is 404."""
    mutable_ttl: float | None = None
    """Seconds of freshness that the ecosystem's protocol suggests; None: the repository's setting."""
    snapshot: str = ""
    """The key of its group's root: files that are published together. The root's own key for the root itself; empty
    for what is in no group. Only for SIGNED ones without `query` and `accept`."""
    snapshot_else: str = ""
    """Of a member: the key of the root that it belongs to where upstream has none at `snapshot` (apt's `Release`)."""
    edition: int = 0
    """Of a member that is read or written beside the current generation: the generation's number."""

    @property
    def stored_key(self) -> str:
        """The key of the stored entry. Requests that get different representations have different ones."""
        key = f"{self.key}?{self.query}" if self.query else self.key
        key = f"{key} {self.accept}" if self.accept else key
        key = f"{key} <{self.upstream}>" if self.upstream else key
        return edition_key(key, self.edition) if self.edition else key

    @property
    def is_root(self) -> bool:
        """Whether it is the root of a group: the one that has freshness."""
        return self.snapshot == self.key != ""


def edition_key(key: str, number: int) -> str:
    """Where an entry is that belongs to a generation which is not the current one."""
    return f"{key} @{number}"


def edition_of(key: str) -> int:
    """The number of the generation that `edition_key` made this key for; 0 for any other."""
    number = key.rpartition(" @")[2] if " @" in key else ""
    return int(number) if number.isascii() and number.isdigit() else 0
