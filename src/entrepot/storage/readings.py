"""Which generation of a group each client reads, for all workers of one server: a mapped table of fixed size."""

import hashlib
import mmap
import os
import struct
from pathlib import Path

from entrepot.errors import StoreFailure

_SLOTS = 1 << 12
_SLOT = struct.Struct("<16sQd")  # who reads, generation, until
_SEAL = struct.Struct("<Q")
_STRIDE = _SLOT.size + _SEAL.size


class FileReadings:
    """Two readers that fall on one slot push each other out: whoever is forgotten gets what is current."""

    def __init__(self, path: Path) -> None:
        """Raises StoreFailure where the disk has no room for it."""
        try:
            self._open(path)
        except OSError as error:
            raise StoreFailure(f"{path.name}: what clients read cannot be shared: {error.strerror}") from error

    def _open(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Room on the disk is taken now: a mapped page without any would kill the process (SIGBUS).
            os.posix_fallocate(descriptor, 0, _SLOTS * _STRIDE)
            self._map = mmap.mmap(descriptor, _SLOTS * _STRIDE)
        finally:
            os.close(descriptor)

    def note(self, reader: str, number: int, until: float) -> None:
        name, at = _place_of(reader)
        body = _SLOT.pack(name, number, until)
        self._map[at : at + _STRIDE] = body + _seal_of(body)

    def find(self, reader: str, now: float) -> tuple[int, float] | None:
        name, at = _place_of(reader)
        slot = self._map[at : at + _STRIDE]
        body = slot[: _SLOT.size]
        # Another process may be writing it at this moment.
        if slot[_SLOT.size :] != _seal_of(body):
            return None
        noted, number, until = _SLOT.unpack(body)
        return (number, until) if noted == name and now < until else None


def _place_of(reader: str) -> tuple[bytes, int]:
    digest = hashlib.blake2b(reader.encode(), digest_size=20).digest()
    return digest[:16], int.from_bytes(digest[16:]) % _SLOTS * _STRIDE


def _seal_of(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_SEAL.size).digest()
