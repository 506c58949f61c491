"""A stored or growing blob as an ordinary binary file, for parsers and checkers."""

import io
from typing import TYPE_CHECKING, Protocol

from entrepot.contracts.blobs import OpenBlob

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Readable(Protocol):
    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes."""


class Spilled:
    """Bytes of which the disk took the first `size_bytes`, and memory the rest."""

    def __init__(self, blob: OpenBlob | None, size_bytes: int) -> None:
        self._blob, self._size_bytes = blob, size_bytes
        self.rest = bytearray()

    def read(self, offset: int, size: int) -> bytes:
        if self._blob is not None and offset < self._size_bytes:
            return self._blob.read(offset, min(size, self._size_bytes - offset))
        start = offset - self._size_bytes
        return bytes(self.rest[start : start + size])


class _BlobRaw(io.RawIOBase):
    def __init__(self, blob: Readable, size: int) -> None:
        self._blob, self._size, self._position = blob, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._position)
        if wanted <= 0:
            return 0
        data = self._blob.read(self._position, wanted)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def readall(self) -> bytes:
        """In one piece: joining pieces would take the memory of a big document twice."""
        data = self._blob.read(self._position, max(0, self._size - self._position))
        self._position += len(data)
        return data if self._position >= self._size else data + super().readall()


def open_as_file(blob: Readable, size: int) -> io.BufferedReader:
    """Reads wait for the disk: for threads. Closing it does not close the blob."""
    return io.BufferedReader(_BlobRaw(blob, size), 256 << 10)
