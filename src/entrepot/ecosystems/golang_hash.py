"""Go's `h1:` digest: over what a module holds, not over the bytes of its archive (golang.org/x/mod/sumdb/dirhash)."""

import base64
import hashlib
import zipfile
import zlib
from collections.abc import Iterable
from typing import IO, BinaryIO

from entrepot.errors import BadContent
from entrepot.model.digest import Digest

# golang.org/x/mod/zip: the archive and what it unpacks to are both held to the same size.
MAX_ZIP_BYTES = 500 << 20
MAX_MOD_BYTES = 16 << 20
# Ours: Go bounds members only through the archive's size. The largest public modules have about 60,000.
MAX_MEMBERS = 100_000
MAX_DIRECTORY_BYTES = 32 << 20
_CHUNK_BYTES = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DIRECTORY_ENTRY = b"PK\x01\x02"
_UTF8_NAME = 0x800
_FARTHEST = 1 << 40


def hash_mod(file: BinaryIO, subject: str) -> Digest:
    """The digest of a go.mod file. Raises BadContent if it is over Go's limit."""
    text = file.read(MAX_MOD_BYTES + 1)
    if len(text) > MAX_MOD_BYTES:
        raise BadContent(f"{subject}: a go.mod may have {MAX_MOD_BYTES} bytes, this has more")
    return _hash1([(b"go.mod", hashlib.sha256(text).hexdigest())])


def hash_zip(file: BinaryIO, subject: str, max_bytes: int = MAX_ZIP_BYTES) -> Digest:
    """The digest of a module's archive. Raises BadContent for what is no zip, or is built to exhaust its reader."""
    try:
        with zipfile.ZipFile(_Guarded(file, subject)) as archive:
            return _hash1(_hash_members(archive, subject, max_bytes))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise BadContent(f"{subject}: no readable module archive: {error}") from error


def member_names(file: BinaryIO, subject: str) -> list[str]:
    """The files that a module's archive holds. Raises BadContent as `hash_zip` does."""
    try:
        with zipfile.ZipFile(_Guarded(file, subject)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, EOFError, RuntimeError, ValueError) as error:
        raise BadContent(f"{subject}: no readable module archive: {error}") from error


def _hash_members(archive: zipfile.ZipFile, subject: str, max_bytes: int) -> list[tuple[bytes, str]]:
    found: dict[bytes, str] = {}
    left = max_bytes
    for member in archive.infolist():
        name = _name_of(member)
        if name in found or b"\n" in name or member.compress_type not in _METHODS:
            raise BadContent(f"{subject}: {name!r} appears twice, has a line break or an unusual compression")
        with archive.open(member) as content:
            found[name], size_bytes = _hash_content(content, left, subject)
        left -= size_bytes
    return list(found.items())


def _hash_content(content: IO[bytes], limit: int, subject: str) -> tuple[str, int]:
    running, size_bytes = hashlib.sha256(), 0
    while chunk := content.read(_CHUNK_BYTES):
        size_bytes += len(chunk)
        if size_bytes > limit:
            raise BadContent(f"{subject}: the archive unpacks to more than a module may have")
        running.update(chunk)
    return running.hexdigest(), size_bytes


def _name_of(member: zipfile.ZipInfo) -> bytes:
    """The name's bytes in the archive: Go hashes those, Python has decoded them."""
    return member.orig_filename.encode("utf-8" if member.flag_bits & _UTF8_NAME else "cp437")


def _hash1(files: Iterable[tuple[bytes, str]]) -> Digest:
    lines = b"".join(f"{digest}  ".encode() + name + b"\n" for name, digest in sorted(files))
    return Digest("h1", base64.b64encode(hashlib.sha256(lines).digest()).decode())


class _Guarded:
    """A file for the zip reader, which believes sizes and offsets that the archive states: it takes in the whole
    directory in one piece, and asks the system to seek anywhere."""

    def __init__(self, file: BinaryIO, subject: str) -> None:
        self._file = file
        self._subject = subject
        self.tell, self.seekable = file.tell, file.seekable

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == 0 and not 0 <= offset <= _FARTHEST:
            raise BadContent(f"{self._subject}: the archive points outside itself")
        return self._file.seek(offset, whence)

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(MAX_DIRECTORY_BYTES + 1 if size < 0 else min(size, MAX_DIRECTORY_BYTES + 1))
        if len(data) > MAX_DIRECTORY_BYTES or data.count(_DIRECTORY_ENTRY) > MAX_MEMBERS:
            raise BadContent(f"{self._subject}: the archive's directory is larger than any module's")
        return data

    def close(self) -> None:
        """The file belongs to the caller, who closes it."""
