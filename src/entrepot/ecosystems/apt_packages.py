"""`Packages`, `Sources` and the indexes of their patches: which files there are, with which digests."""

import bz2
import gzip
import lzma
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

from backports import zstd

from entrepot.errors import UnreadableIndex
from entrepot.model.digest import Digest, parse_hex, strongest_first

MOST_BYTES = 2 << 30
"""Of an index unpacked; the main archive's largest has 60 MiB."""
_LONG_BYTES = 16 << 20
_MOST_EXPANSION = 100
"""What compresses better than this, and is long, is made to burst: indexes hold digests, which do not compress."""
_MOST_LINE_BYTES = 4 << 20
_MOST_STANZA_BYTES = 16 << 20
Stanza = Mapping[str, str]
"""Field names in lower case; continuation lines joined with line feeds."""

_ONE = (("sha512", "sha512"), ("sha256", "sha256"), ("sha1", "sha1"), ("md5sum", "md5"))
_MANY = (("checksums-sha512", "sha512"), ("checksums-sha256", "sha256"), ("checksums-sha1", "sha1"), ("files", "md5"))
_PATCHES = (("sha256-download", "sha256"), ("sha1-download", "sha1"))
_TELLING = frozenset({"package", "sha256-current", "sha256-history", "sha1-current", "sha1-history"})


class Readable(Protocol):
    def readline(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A file as an index names it."""

    package: str
    version: str
    path: str
    """As it is told: of a package from the archive's base, of a patch from the index's folder."""
    size_bytes: int | None
    digests: tuple[Digest, ...]
    is_patch: bool = False


def read_stanzas(body: BinaryIO, subject: str) -> Iterator[Stanza]:
    """Of a document in any coding that archives use. Nothing for one that is no index of files. Raises
    UnreadableIndex."""
    try:
        yield from _stanzas(_lines(body, subject), subject)
    except (OSError, EOFError, lzma.LZMAError, zstd.ZstdError, ValueError) as error:
        raise UnreadableIndex(f"{subject}: cannot be unpacked: {error}") from error


def _lines(body: BinaryIO, subject: str) -> Iterator[bytes]:
    packed_bytes = body.seek(0, 2)
    body.seek(0)
    unpacked, read = _unpacked(body), 0
    most = min(MOST_BYTES, max(_LONG_BYTES, _MOST_EXPANSION * packed_bytes))
    # One that never ends must not be taken into memory to find out how long it is.
    while line := unpacked.readline(_MOST_LINE_BYTES):
        read += len(line)
        if read > most or len(line) == _MOST_LINE_BYTES:
            raise UnreadableIndex(f"{subject}: {packed_bytes} bytes expand without end: a bomb")
        yield line


def _unpacked(body: BinaryIO) -> Readable:
    start = body.read(6)
    body.seek(0)
    if start.startswith((b"\xfd7zXZ\x00", b"]\x00\x00")):
        return lzma.open(body)
    if start.startswith(b"\x1f\x8b"):
        return cast(Readable, gzip.open(body))
    if start.startswith(b"BZh"):
        return bz2.open(body)
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return cast(Readable, zstd.open(body))
    return body


def _stanzas(lines: Iterable[bytes], subject: str) -> Iterator[Stanza]:
    fields: dict[str, list[str]] = {}
    last: list[str] | None = None
    size = 0
    for raw in lines:
        size += len(raw)
        if size > _MOST_STANZA_BYTES:
            raise UnreadableIndex(f"{subject}: a package in it is described at too great a length")
        head, colon, rest = raw.partition(b":")
        if raw[:1] in (b" ", b"\t"):
            if last is not None:
                last.append(raw.decode(errors="replace").strip())
        elif colon:
            last = fields[head.decode(errors="replace").lower()] = [rest.decode(errors="replace").strip()]
        elif raw.strip():
            return  # No index at all: a translation begins otherwise, and so does a table of contents.
        else:
            if fields and not _TELLING & fields.keys():
                return
            if fields:
                yield _joined(fields)
            fields, last, size = {}, None, 0
    if _TELLING & fields.keys():
        yield _joined(fields)


def _joined(fields: Mapping[str, list[str]]) -> Stanza:
    return {name: "\n".join(told) for name, told in fields.items()}


def files_of(stanza: Stanza) -> Iterator[Listed]:
    """Of a package, a source, or an index of patches."""
    package, version = stanza.get("package", ""), stanza.get("version", "")
    if "filename" in stanza:
        digests = [digest for field, algorithm in _ONE if (digest := parse_hex(algorithm, stanza.get(field, "")))]
        yield Listed(
            package=package,
            version=version,
            path=stanza["filename"],
            size_bytes=_number(stanza.get("size", "")),
            digests=strongest_first(digests),
        )
    elif "package" in stanza:
        # A source; those of a flat archive need not say in which folder it is.
        folder = stanza.get("directory", "").rstrip("/")
        for name, size, digests_of_file in _told(stanza, _MANY):
            path = f"{folder}/{name}" if folder else name
            yield Listed(package=package, version=version, path=path, size_bytes=size, digests=digests_of_file)
    else:
        for name, size, digests_of_file in _told(stanza, _PATCHES):
            yield Listed(package="", version="", path=name, size_bytes=size, digests=digests_of_file, is_patch=True)


def _told(stanza: Stanza, fields: Iterable[tuple[str, str]]) -> Iterator[tuple[str, int | None, tuple[Digest, ...]]]:
    """Name, size and digests of each file in lists of `digest size name`."""
    sizes: dict[str, int | None] = {}
    digests: dict[str, list[Digest]] = {}
    for field, algorithm in fields:
        for line in stanza.get(field, "").splitlines():
            words = line.split()
            digest = parse_hex(algorithm, words[0]) if len(words) == 3 else None
            if digest is not None:
                sizes.setdefault(words[2], _number(words[1]))
                digests.setdefault(words[2], []).append(digest)
    for name, found in digests.items():
        yield name, sizes[name], strongest_first(found)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
