"""Which generation of a group each client reads, for all workers of one server: a mapped table of fixed size."""

import hashlib
import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from entrepot.errors import StoreFailure

_SLOTS = 1 << 15
_SLOT = struct.Struct("<16sQd")  # who reads, generation, until
_SEAL = struct.Struct("<Q")
_STRIDE = _SLOT.size + _SEAL.size
_WAYS = 8
"""Slots in each of which a reader may stand."""
_SET = _WAYS * _STRIDE


class FileReadings:
    """Of more than eight readers that fall on one set of slots, the one that began first is forgotten, and gets what is
    current."""

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
        name, start = _place_of(reader)
        known = list(self._slots(start))
        own = (slot for slot in known if slot[1] == name)
        at, *_ = next(own, None) or min(known, key=lambda slot: slot[3])
        body = _SLOT.pack(name, number, until)
        self._map[at : at + _STRIDE] = body + _seal_of(body)

    def find(self, reader: str, now: float) -> tuple[int, float] | None:
        name, start = _place_of(reader)
        for _, noted, number, until in self._slots(start):
            if noted == name:
                return (number, until) if now < until else None
        return None

    def _slots(self, start: int) -> Iterator[tuple[int, bytes, int, float]]:
        """Of a set: where each is, and what it says; nothing where another process is writing at this moment."""
        found = self._map[start : start + _SET]
        for at in range(0, _SET, _STRIDE):
            body, seal = found[at : at + _SLOT.size], found[at + _SLOT.size : at + _STRIDE]
            yield (start + at, *(_SLOT.unpack(body) if seal == _seal_of(body) else (b"", 0, 0.0)))


def _place_of(reader: str) -> tuple[bytes, int]:
    digest = hashlib.blake2b(reader.encode(), digest_size=20).digest()
    return digest[:16], int.from_bytes(digest[16:]) % (_SLOTS // _WAYS) * _SET


def _seal_of(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_SEAL.size).digest()
