"""Bytes by digest."""

from typing import Protocol

from entrepot.model.entry import Blob, Fingerprint


class OpenBlob(Protocol):
    """An open, readable blob. It stays readable when the blob is evicted."""

    sha256: str
    size_bytes: int
    path: str
    """Where it was opened: other processes of this machine find it there, as long as the fingerprint of what they
    open is this one's. Empty where there is no file."""

    def read_now(self, offset: int, size: int) -> bytes | None:
        """Up to `size` bytes if that needs no waiting for the disk, else None."""

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes; may wait for the disk: call it in a thread."""

    def fingerprint(self) -> Fingerprint | None:
        """What the open file looks like now; None when it has been unlinked."""

    def close(self) -> None: ...


class GrowingBlob(Protocol):
    """A temporary file that is being written. Its methods may wait for the disk: call them in a thread."""

    path: str
    """Where others on this machine can read what has arrived, and a helper of whoever made it may write instead of
    `append`."""

    def append(self, data: bytes) -> None:
        """Raises StoreFailure when the disk does not take it; then only `discard` may follow."""

    def reader(self) -> OpenBlob:
        """A reader of what has been appended so far; usable after `commit` and `discard`."""

    def commit(self, sha256: str) -> Blob:
        """Make it durable under its digest: fdatasync, rename, fsync of the directory. The caller vouches for the
        digest. An existing sound blob of that digest is replaced by these, just verified, bytes."""

    def discard(self) -> None:
        """Remove it. Does nothing after `commit`."""


class BlobStore(Protocol):
    def create(self) -> GrowingBlob:
        """Raises StoreFailure when the disk does not take it."""

    def adopt(self, path: str, sha256: str) -> Blob:
        """Take a whole file over from elsewhere on the same disk: it is moved, and durable under its digest. The caller
        has synced it and vouches for the digest. Raises StoreFailure."""

    def open(self, sha256: str) -> OpenBlob | None:
        """The blob, or None when it is not there or not a plain file of ours."""

    def open_growing(self, path: str, sha256: str = "") -> OpenBlob | None:
        """Another process's temporary file, by the `path` of its GrowingBlob."""

    def quarantine(self, sha256: str) -> None:
        """Move a blob that is not what it should be out of the way, for an operator to look at."""

    def remove(self, sha256: str) -> int:
        """Unlink; the bytes freed (0 when it was not there)."""

    def digests(self) -> "list[str]":
        """Every stored digest. Reads directories: call it in a thread."""

    def tidy(self) -> int:
        """Remove temporary files that no living process of ours writes; how many there were. At start only."""

    def swept_at(self) -> float:
        """When `note_swept` was last called with which time, also by an earlier process; 0: never."""

    def note_swept(self, at: float) -> None:
        """Every blob was read and checked. Seconds since the epoch."""

    def probe(self) -> None:
        """Write, sync, read and remove a small file. Raises StoreFailure."""
