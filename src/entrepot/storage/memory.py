"""Blobs in memory: for tests, and for a server that stores nothing."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

from entrepot.contracts.blobs import GrowingBlob, OpenBlob
from entrepot.errors import StoreFailure
from entrepot.model.entry import Blob, Fingerprint
from entrepot.storage.failures import failing_as_store


class _Bytes:
    """The content of one blob and what stands for its inode; `linked` until it is removed."""

    __slots__ = ("data", "inode", "linked")

    def __init__(self, inode: int) -> None:
        self.data = bytearray()
        self.inode = inode
        self.linked = True

    def fingerprint(self) -> Fingerprint:
        return Fingerprint(self.inode, len(self.data), self.inode, self.inode)


class _MemoryBlob:
    def __init__(self, content: _Bytes, sha256: str) -> None:
        self._content = content
        self.sha256 = sha256
        self.size_bytes = len(content.data)
        self.path = ""

    def read_now(self, offset: int, size: int) -> bytes | None:
        return self.read(offset, size)

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self._content.data[offset : offset + size])

    def fingerprint(self) -> Fingerprint | None:
        return self._content.fingerprint() if self._content.linked else None

    def close(self) -> None:
        """Nothing is held open."""


class _GrowingMemory:
    def __init__(self, path: str, content: _Bytes, publish: Callable[[str, str], None]) -> None:
        self.path = path
        self._content = content
        self._publish = publish
        self._open = True

    def append(self, data: bytes) -> None:
        self._require_open()
        self._content.data += data

    def reader(self) -> OpenBlob:
        return _MemoryBlob(self._content, "")

    def commit(self, sha256: str) -> Blob:
        self._require_open()
        self._open = False
        self._publish(self.path, sha256)
        return Blob(sha256=sha256, size_bytes=len(self._content.data), fingerprint=self._content.fingerprint())

    def discard(self) -> None:
        if self._open:
            self._open = False
            self._publish(self.path, "")

    def _require_open(self) -> None:
        if not self._open:
            raise StoreFailure(f"{self.path}: it is closed")


class MemoryBlobs:
    """A BlobStore of this process. What is quarantined is dropped."""

    def __init__(self) -> None:
        self._blobs: dict[str, _Bytes] = {}
        self._growing: dict[str, _Bytes] = {}
        self._numbers = count(1)
        self._swept_at = 0.0

    def create(self) -> GrowingBlob:
        content = _Bytes(next(self._numbers))
        path = f"memory:{content.inode}"
        self._growing[path] = content
        return _GrowingMemory(path, content, self._settle)

    def adopt(self, path: str, sha256: str) -> Blob:
        growing = self.create()
        with failing_as_store(Path(path).name):
            growing.append(Path(path).read_bytes())
            Path(path).unlink()
        return growing.commit(sha256)

    def open(self, sha256: str) -> OpenBlob | None:
        content = self._blobs.get(sha256)
        return _MemoryBlob(content, sha256) if content else None

    def open_growing(self, path: str, sha256: str = "") -> OpenBlob | None:
        content = self._growing.get(path) or self._blobs.get(sha256)
        return _MemoryBlob(content, sha256) if content else None

    def quarantine(self, sha256: str) -> None:
        self.remove(sha256)

    def remove(self, sha256: str) -> int:
        content = self._blobs.pop(sha256, None)
        if content is None:
            return 0
        content.linked = False
        return len(content.data)

    def digests(self) -> list[str]:
        return list(self._blobs)

    def tidy(self) -> int:
        return 0

    def swept_at(self) -> float:
        return self._swept_at

    def note_swept(self, at: float) -> None:
        self._swept_at = at

    def probe(self) -> None:
        """Memory is always there."""

    def _settle(self, path: str, sha256: str) -> None:
        content = self._growing.pop(path)
        if not sha256:
            content.linked = False
            return
        self.remove(sha256)
        self._blobs[sha256] = content
