"""Metadata of RPM repositories as it is stored, which is compressed in one of five ways, read as plain text."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol, cast

from backports import zstd

from entrepot.ecosystems import rpm_zchunk
from entrepot.errors import UnreadableIndex
from entrepot.model.release import Document

LARGEST_BYTES = 4 << 30
"""Of plain text: the biggest distributions have a fifth of that."""
_LONG_BYTES = 16 << 20
_MOST_EXPANSION = 100
"""What compresses better than this, and is long, is made to burst: metadata holds digests, which do not compress."""
_DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, zstd.ZstdError)


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class PlainText:
    """What a document says, decompressed while it is read. `read` raises UnreadableIndex."""

    def __init__(self, document: Document) -> None:
        self._document, self._size = document, 0
        self._packed_bytes = document.body.seek(0, 2)
        document.body.seek(0)
        self._source = self._open(document.body)

    def read(self, size: int = -1) -> bytes:
        try:
            piece = self._source.read(size)
        except _DAMAGE as error:
            raise UnreadableIndex(f"{self._document.place}: cannot be decompressed: {error}") from error
        except UnreadableIndex as error:
            raise UnreadableIndex(f"{self._document.place}: {error}") from error
        self._size += len(piece)
        if self._size > LARGEST_BYTES or self._size > max(_LONG_BYTES, _MOST_EXPANSION * self._packed_bytes):
            raise UnreadableIndex(f"{self._document.place}: {self._packed_bytes} bytes expand without end: a bomb")
        return piece

    def _open(self, file: BinaryIO) -> Readable:
        """By its first bytes: names do not always tell."""
        start = file.read(6)
        file.seek(0)
        if start.startswith(b"\x1f\x8b"):
            return cast(Readable, gzip.GzipFile(fileobj=file, mode="rb"))
        if start.startswith(b"\xfd7zXZ\0"):
            return lzma.LZMAFile(file)
        if start.startswith(b"\x28\xb5\x2f\xfd"):
            return cast(Readable, zstd.ZstdFile(file))
        if start.startswith(b"BZh"):
            return bz2.BZ2File(file)
        if start.startswith(rpm_zchunk.MAGIC):
            return _Joined(rpm_zchunk.unpack(file))
        return file


class _Joined:
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._held = pieces, b""

    def read(self, size: int, /) -> bytes:
        """At least one byte, while there are any."""
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._held = piece
        if size < 0:
            size = len(self._held)
        found, self._held = self._held[:size], self._held[size:]
        return found
