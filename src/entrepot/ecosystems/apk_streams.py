"""Gzip members one behind the other, as apk packs signatures, control files and data, and the tar inside each of them.

Read forward and in small pieces, whatever sizes the bytes state. The packed bytes of each member are told exactly:
digests and signatures are over these.
"""

import re
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from entrepot.errors import BadContent

CHUNK_BYTES: Final = 64 << 10
_BLOCK: Final = 512
_GZIP: Final = 31
_OCTAL: Final = re.compile(rb"[0-7]+\Z")


class Packed:
    """A file, read forward. What was read beyond a member is put back for the next."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._back = file, b""

    def read(self) -> bytes:
        """The next piece; nothing at the end."""
        piece, self._back = self._back or self._file.read(CHUNK_BYTES), b""
        return piece

    def put_back(self, piece: bytes) -> None:
        self._back = piece + self._back

    def has_more(self) -> bool:
        self._back = self._back or self._file.read(CHUNK_BYTES)
        return bool(self._back)


class Member:
    """One gzip member, unpacked as it is read. Raises BadContent for what is none, and for more than `limit` bytes."""

    def __init__(self, packed: Packed, subject: str, limit: int, taken: Callable[[bytes], None]) -> None:
        """`taken` is told all packed bytes of this member, and no others."""
        # Of `limit`, what following members may have.
        self._packed, self.subject, self.left, self._taken = packed, subject, limit, taken
        self._inflate = zlib.decompressobj(_GZIP)
        self._ready = bytearray()

    def read(self, size: int) -> bytes:
        """So many bytes; fewer only at the end."""
        while len(self._ready) < size and not self._inflate.eof:
            self._unpack()
        piece = bytes(self._ready[:size])
        del self._ready[:size]
        return piece

    def drain(self) -> None:
        """Read to the end, where the checksum is."""
        while not self._inflate.eof:
            self._ready.clear()
            self._unpack()
        self._ready.clear()

    def _unpack(self) -> None:
        piece = self._packed.read()
        try:
            data = self._inflate.decompress(piece, CHUNK_BYTES)
        except zlib.error as error:
            raise BadContent(f"{self.subject}: not in the form of apk: {error}") from error
        rest = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        self._taken(piece[: len(piece) - len(rest)])
        self._packed.put_back(rest)
        if not (piece or data or self._inflate.eof):
            raise BadContent(f"{self.subject}: cut off inside one of its parts")
        self.left -= len(data)
        if self.left < 0:
            raise BadContent(f"{self.subject}: unpacks to more than is read here")
        self._ready += data


class Content:
    """One file of a tar."""

    def __init__(self, member: Member, size: int) -> None:
        self._member, self._left = member, size

    def read(self) -> bytes:
        """The next piece; nothing at the end."""
        piece = self._member.read(min(self._left, CHUNK_BYTES))
        if len(piece) < min(self._left, CHUNK_BYTES):
            raise BadContent(f"{self._member.subject}: cut off inside one of its files")
        self._left -= len(piece)
        return piece

    def read_all(self, limit: int) -> bytes:
        """Raises BadContent for more than that."""
        if self._left > limit:
            raise BadContent(f"{self._member.subject}: a file in it is larger than any of its kind")
        return b"".join(iter(self.read, b""))

    def skip(self) -> None:
        while self.read():
            pass


def entries(member: Member) -> Iterator[tuple[str, Content]]:
    """The names and contents of a tar, each to be read before the next. One without an end is as good: apk cuts it off
    where another part follows."""
    while (header := member.read(_BLOCK)).strip(b"\0"):
        if len(header) < _BLOCK:
            raise BadContent(f"{member.subject}: no tar archive in it")
        told = header[124:136].strip(b" \0") or b"0"
        if not _OCTAL.match(told):
            raise BadContent(f"{member.subject}: no tar archive in it")
        size = int(told, 8)
        content = Content(member, size)
        yield header[:100].partition(b"\0")[0].decode("utf-8", "replace"), content
        content.skip()
        member.read(-size % _BLOCK)
