"""`Release` and `InRelease`: what a suite, or a flat archive, is signed by (Debian wiki, RepositoryFormat)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

from entrepot.errors import UnreadableIndex
from entrepot.model.digest import Digest, parse_hex, strongest_first
from entrepot.model.headers import parse_http_date

MOST_BYTES = 16 << 20
"""apt itself takes no bigger one than 10 MB."""
MOST_FILES = 50_000
"""The biggest distributions name some thousands."""
_SECTIONS = {"MD5Sum": "md5", "SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"}
_TELLING = frozenset({*_SECTIONS, "Origin", "Label", "Suite", "Codename", "Date", "Components", "Architectures"})
_BEGIN, _END = "-----BEGIN PGP SIGNED MESSAGE-----", "-----BEGIN PGP SIGNATURE-----"


@dataclass(slots=True, kw_only=True)
class NamedFile:
    """What a Release says of a file; `path` is relative to its folder."""

    path: str
    size_bytes: int
    digests: list[Digest] = field(default_factory=list)

    @property
    def strongest(self) -> Digest:
        return strongest_first(self.digests)[0]

    @property
    def sha256(self) -> Digest | None:
        return next((digest for digest in self.digests if digest.algorithm == "sha256"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    fields: dict[str, str]
    files: dict[str, NamedFile]
    """By path."""

    @property
    def has_by_hash(self) -> bool:
        return self.fields.get("Acquire-By-Hash", "").lower() == "yes"

    @property
    def valid_until(self) -> datetime | None:
        return parse_http_date(self.fields.get("Valid-Until", "")) if "Valid-Until" in self.fields else None


def read_release(file: BinaryIO, subject: str) -> Release:
    """Raises UnreadableIndex for anything else, such as a login page. No signature is checked: that is what clients
    do."""
    body = file.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise UnreadableIndex(f"{subject}: more than {MOST_BYTES} bytes, which no Release has")
    fields: dict[str, str] = {}
    files: dict[str, NamedFile] = {}
    name = ""
    for line in _signed_lines(body.decode(errors="replace")):
        if line[:1] in (" ", "\t"):
            if name in _SECTIONS:
                _add(files, _SECTIONS[name], line)
            if len(files) > MOST_FILES:
                raise UnreadableIndex(f"{subject}: names more than {MOST_FILES} files")
        elif ":" in line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    if not _TELLING & fields.keys():
        raise UnreadableIndex(f"{subject}: this is no Release file")
    return Release(fields=fields, files=files)


def _signed_lines(text: str) -> Iterator[str]:
    """Of a clear-signed message only what is signed (RFC 9580 §7)."""
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != _BEGIN:
        yield from lines
        return
    start = next((number for number, line in enumerate(lines) if not line.strip()), len(lines))
    for line in lines[start + 1 :]:
        if line.rstrip() == _END:
            return
        yield line.removeprefix("- ")


def _add(files: dict[str, NamedFile], algorithm: str, line: str) -> None:
    words = line.split(None, 2)
    if len(words) != 3 or not (words[1].isascii() and words[1].isdigit()):
        return
    digest = parse_hex(algorithm, words[0])
    path = words[2].strip()
    if digest is not None:
        files.setdefault(path, NamedFile(path=path, size_bytes=int(words[1]))).digests.append(digest)
