"""zchunk files (https://github.com/zchunk/zchunk, zchunk_format.txt): a table of chunks, each compressed by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from backports import zstd

from entrepot.errors import UnreadableIndex

MAGIC = b"\0ZCK1"
_DIGEST_BYTES = {0: 20, 1: 32, 2: 64, 3: 16}
_STREAMS, _OPTIONS, _PLAIN_DIGESTS = 1, 2, 4
_KNOWN_FLAGS = _STREAMS | _OPTIONS | _PLAIN_DIGESTS
_LARGEST_HEADER = 16 << 20
_LARGEST_CHUNK = 64 << 20
_TWO_NUMBERS = 20
"""Bytes that two numbers have at most."""


@dataclass(slots=True)
class _Bytes:
    """A header, read from its start to its end."""

    body: bytes
    position: int = 0

    def take(self, size: int) -> bytes:
        piece = self.body[self.position : self.position + size]
        if len(piece) != size:
            raise UnreadableIndex("the header of the zchunk file ends too early")
        self.position += size
        return piece

    def number(self) -> int:
        """Seven bits a byte, the lowest first; the last byte has its top bit set."""
        found = 0
        for place in range(10):
            byte = self.take(1)[0]
            found |= (byte & 0x7F) << 7 * place
            if byte & 0x80:
                return found
        raise UnreadableIndex("the header of the zchunk file holds a number without end")


def unpack(file: BinaryIO) -> Iterator[bytes]:
    """The contents, chunk by chunk. Raises UnreadableIndex for a file that cannot be read; its digests are not checked:
    the file as a whole was."""
    digest_bytes, header = _header_of(file)
    compressed, chunks = _chunks_of(header, digest_bytes)
    dictionary: zstd.ZstdDict | None = None
    for number, (size, plain) in enumerate(chunks):
        if max(size, plain) > _LARGEST_CHUNK:
            raise UnreadableIndex(f"a chunk of the zchunk file would have {max(size, plain):,} bytes")
        piece = _read(file, size)
        body = _undo(piece, plain, dictionary) if compressed and size else piece
        if len(body) != plain:
            raise UnreadableIndex(f"a chunk of the zchunk file has not the {plain} bytes that its table promises")
        if number:
            yield body
        elif body:
            dictionary = _dictionary_of(body)


def _header_of(file: BinaryIO) -> tuple[int, _Bytes]:
    """How long digests are in it, and the header behind its own digest. What is left of `file` is data."""
    start = file.tell()
    lead = _Bytes(file.read(len(MAGIC) + _TWO_NUMBERS), len(MAGIC))
    digest_bytes = _digest_bytes(lead.number())
    size = lead.number()
    if size > _LARGEST_HEADER:
        raise UnreadableIndex(f"the header of the zchunk file would have {size:,} bytes")
    file.seek(start + lead.position)
    header = _Bytes(_read(file, digest_bytes + size))
    header.take(digest_bytes)
    return digest_bytes, header


def _chunks_of(header: _Bytes, digest_bytes: int) -> tuple[bool, list[tuple[int, int]]]:
    """Whether chunks are compressed, and of each its size there and plain; the first is a dictionary."""
    header.take(digest_bytes)
    flags = header.number()
    if flags & ~_KNOWN_FLAGS:
        raise UnreadableIndex(f"the zchunk file uses features that are not known here (flags {flags:#x})")
    kind = header.number()
    if kind not in (0, 2):
        raise UnreadableIndex(f"the zchunk file is compressed in a way that is not known here ({kind})")
    for _ in range(header.number() if flags & _OPTIONS else 0):
        header.number()
        header.take(header.number())
    header.number()
    chunk_digest = _digest_bytes(header.number())
    count = header.number()
    return kind == 2, [_chunk(header, flags, chunk_digest) for _ in range(count)]


def _chunk(header: _Bytes, flags: int, digest_bytes: int) -> tuple[int, int]:
    if flags & _STREAMS:
        header.number()
    header.take(digest_bytes * (2 if flags & _PLAIN_DIGESTS else 1))
    return header.number(), header.number()


def _digest_bytes(kind: int) -> int:
    if kind not in _DIGEST_BYTES:
        raise UnreadableIndex(f"the zchunk file uses a digest that is not known here ({kind})")
    return _DIGEST_BYTES[kind]


def _read(file: BinaryIO, size: int) -> bytes:
    piece = file.read(size)
    if len(piece) != size:
        raise UnreadableIndex("the zchunk file ends too early")
    return piece


def _undo(piece: bytes, plain: int, dictionary: zstd.ZstdDict | None) -> bytes:
    """At most one byte more than promised."""
    try:
        return zstd.ZstdDecompressor(zstd_dict=dictionary).decompress(piece, plain + 1)
    except zstd.ZstdError as error:
        raise UnreadableIndex(f"a chunk of the zchunk file is damaged: {error}") from error


def _dictionary_of(body: bytes) -> zstd.ZstdDict:
    try:
        return zstd.ZstdDict(body)
    except (zstd.ZstdError, ValueError) as error:
        raise UnreadableIndex(f"the dictionary of the zchunk file is damaged: {error}") from error
