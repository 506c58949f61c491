"""One download as the engine decided it, and what every download works with."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urljoin

from entrepot.cache.counters import Counts
from entrepot.cache.facts import FileFact
from entrepot.cache.repository import Repository
from entrepot.cache.solo import SoloGeneration, SoloListings, SoloReadings
from entrepot.contracts.blobs import BlobStore, OpenBlob
from entrepot.contracts.board import Generation, Readings
from entrepot.contracts.catalog import Catalog
from entrepot.contracts.clock import Clock
from entrepot.contracts.fetcher import Fetcher
from entrepot.contracts.listings import Listings
from entrepot.model.entry import Blob, Entry
from entrepot.model.release import Document, Location
from entrepot.model.resource import BASE, Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`held_bytes`: the last piece, which waits for the digest. `whole_bytes`: up to here an object with a known
    digest is verified before its first byte leaves."""

    held_bytes: int = 64 << 10
    whole_bytes: int = 1 << 20
    resumes: int = 2
    window_bytes: int = 8 << 20
    document_window_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What every download works with."""

    fetcher: Fetcher
    blobs: BlobStore
    catalog: Catalog
    clock: Clock
    limits: Limits
    readings: Readings = field(default_factory=SoloReadings)
    listings: Listings = field(default_factory=SoloListings)
    commands: Generation = field(default_factory=SoloGeneration)
    """Raised before an operator has anything marked or deleted: what is on its way then is meant, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One download, as the engine decided it."""

    repository: Repository
    resource: Resource
    counts: Counts
    entry: Entry | None = None
    """To be validated; its blob is there and sound."""
    fact: FileFact | None = None
    """What a stored index says of the file."""
    learn: Callable[[], Awaitable[FileFact | None]] | None = None
    """Reads the index upstream, where no stored one lists the file."""
    locate: Callable[[str], Awaitable[Location]] | None = None
    """Where an upstream has the file, told by a document of that upstream's."""
    examine: Callable[[OpenBlob, Document], Awaitable[None]] | None = None
    """Works on what came before it may replace what is stored, or leave: reads a new index, brings the members of a new
    root. Raises what forbids it."""
    seen: datetime | None = None
    """When the entry was validated that this order was decided on; a later one in the catalog makes it needless."""
    landed: Callable[[Entry], Coroutine[None, None, None]] | None = None
    """Told of what is stored now, behind everybody who waits for it."""
    put: Callable[[Entry, Blob], Coroutine[None, None, None]] | None = None
    """Makes known what came; None: `put_stored`."""
    method: str = "GET"
    conditional: bool = True
    """Whether `entry` is asked about by its validators; else it only stands by in case upstream fails."""
    store_first: bool = False
    """The last attempt brought wrong bytes: ask with no-cache, and let nothing go before it is verified."""

    @property
    def subject(self) -> str:
        return f"{self.repository.name}/{self.resource.key}"


OVERTAKINGS = 4
"""How often a root is asked for again because its members were replaced while they were brought."""


class Superseded(Exception):
    """Upstream has published something newer than the root that just came: it is asked for once more."""


def all_identities(fetcher: Fetcher, repository: Repository) -> str:
    """Of every upstream that had to say 404 before something counts as absent."""
    return " ".join(fetcher.identity(name) for name in repository.upstreams)


def url_of(resource: Resource, location: Location | None, base: str) -> str:
    """The absolute upstream URL of a resource: where its index says it is, else where its name says."""
    origin = location.origin if location else resource.origin
    path = location.path if location else resource.path
    if location is None and resource.query:
        path = f"{path}?{resource.query}"
    if origin != BASE:
        return f"https://{origin}{path}"
    if path.startswith("../"):
        return urljoin(base, path)
    if not path.startswith("/"):
        return base + path
    scheme, _, rest = base.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}{path}"
