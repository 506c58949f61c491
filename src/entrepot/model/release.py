"""What an index says about versions and their files."""

from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO
from urllib.parse import urlsplit

from entrepot.model.digest import Digest
from entrepot.model.resource import BASE


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A stored document as an ecosystem reads it."""

    body: BinaryIO
    """Decoded, seekable, at its start."""
    content_type: str
    url: str
    """The final URL it came from; relative links resolve against it."""
    upstream: str
    """The base URL of the upstream it came through; its origin is `BASE` for links."""
    key: str = ""
    """The key of the resource it was fetched for: a redirect may have led `url` elsewhere."""

    @property
    def place(self) -> str:
        """The path below the repository that it answers: its key or, where that was not told, its URL behind the
        upstream's base."""
        return self.key or urlsplit(self.url).path.removeprefix(urlsplit(self.upstream).path.rstrip("/")).lstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A document as a client sees it."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Location:
    """Where a file is: BASE and a path from the root of that origin, or a learned host and its path."""

    origin: str
    path: str
    """Percent-encoded, with a leading slash; a query is kept behind `?`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFile:
    """One downloadable file of a release."""

    name: str
    location: Location
    digests: tuple[Digest, ...] = ()
    """Strongest first."""
    size_bytes: int | None = None
    published: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version as an index describes it."""

    package: str
    version: str
    files: tuple[ReleaseFile, ...]
    published: datetime | None = None
    yanked: bool = False


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port (default ports made explicit) of a URL, lower-case (RFC 6454 §4)."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or ""), port


def locate(url: str, upstream: str) -> Location | None:
    """Where an absolute URL lies as seen from an upstream's base URL.

    None for what is never fetched: neither the upstream's own origin nor https, or with credentials in it.
    """
    try:
        parts = urlsplit(url)
        origin = origin_of(url)
    except ValueError:
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.username is not None or not parts.hostname:
        return None
    if origin == origin_of(upstream):
        return Location(BASE, path)
    if parts.scheme != "https":
        return None
    host = origin[1] if origin[2] == 443 else f"{origin[1]}:{origin[2]}"
    return Location(host, path)
