"""One file of the blob store: open for reading, or growing."""

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable

from entrepot.errors import StoreFailure
from entrepot.model.entry import Blob, Fingerprint
from entrepot.storage.failures import failing_as_store, failure_of

# What stands in a blob's place and cannot be read as a plain file of ours is treated as if it were not there.
_NOT_OURS = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENXIO}
# O_NONBLOCK: opening a pipe that somebody put there must not hang; plain files do not know the flag.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
# Linux only. A first read would otherwise be a write, of the time of access: a tenth of all it costs.
_QUIET: int = getattr(os, "O_NOATIME", 0)
# Linux only; elsewhere every read goes to a thread.
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)


class _Scratch(threading.local):
    """A buffer for reads that is kept: a fresh one of 256 KiB costs ten times as much as the read itself."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def of_size(self, size: int) -> memoryview:
        if len(self._buffer) < size:
            self._buffer = bytearray(size)
        return memoryview(self._buffer)[:size]


_scratch = _Scratch()


def fingerprint_of(status: os.stat_result) -> Fingerprint:
    return Fingerprint(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class FileBlob:
    """A plain file open for reading. `size_bytes` is its size when it was opened."""

    __slots__ = ("_descriptor", "_subject", "path", "sha256", "size_bytes")

    def __init__(self, descriptor: int, path: str, subject: str, sha256: str, size_bytes: int) -> None:
        self._descriptor = descriptor
        self.path = path
        self._subject = subject
        self.sha256 = sha256
        self.size_bytes = size_bytes

    def read_now(self, offset: int, size: int) -> bytes | None:
        if _NOWAIT is None:
            return None
        data = _scratch.of_size(size)
        try:
            count = os.preadv(self._descriptor, [data], offset, _NOWAIT)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL):
                return None
            raise failure_of(self._subject, error) from error
        return bytes(data[:count])

    def read(self, offset: int, size: int) -> bytes:
        try:
            return os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise failure_of(self._subject, error) from error

    def fingerprint(self) -> Fingerprint | None:
        try:
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise failure_of(self._subject, error) from error
        return fingerprint_of(status) if status.st_nlink else None

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def open_file(path: str, subject: str, sha256: str) -> FileBlob | None:
    """The plain file at `path`, or None when there is none. Raises StoreFailure (no descriptor left, a bad disk …)."""
    try:
        descriptor = _open(path)
    except OSError as error:
        if error.errno in _NOT_OURS:
            return None
        raise failure_of(subject, error) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    return FileBlob(descriptor, path, subject, sha256, status.st_size)


def _open(path: str) -> int:
    try:
        return os.open(path, _READ | _QUIET)
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
    # Somebody else's file, that we may read all the same: only its owner may leave the time of access as it is.
    return os.open(path, _READ)


class GrowingFile:
    """A temporary file of `incoming/`. The lock on it says that somebody still writes it; it dies with the process."""

    def __init__(self, path: str, subject: str, publish: Callable[[str, str], str]) -> None:
        """`publish(path, sha256)` moves the file durably to its place and says where that is."""
        self.path = path
        self._subject = subject
        self._publish = publish
        self._size_bytes = 0
        self._broken = False
        self._published = ""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(self._descriptor).st_nlink:
                # `tidy` of another process took the file in the moment before it was locked.
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        except OSError:
            self.discard()
            raise

    def append(self, data: bytes) -> None:
        self._require_sound()
        view = memoryview(data)
        try:
            while view:
                written = os.write(self._descriptor, view)
                self._size_bytes += written
                view = view[written:]
        except OSError as error:
            self._broken = True
            raise failure_of(self._subject, error) from error

    def reader(self) -> FileBlob:
        for path in (self.path, self._published):
            blob = open_file(path, self._subject, "") if path else None
            if blob:
                return blob
        raise StoreFailure(f"{self._subject}: the temporary file is not there")

    def commit(self, sha256: str) -> Blob:
        self._require_sound()
        try:
            with failing_as_store(self._subject):
                os.fdatasync(self._descriptor)
                self._published = self._publish(self.path, sha256)
                # Only now: renaming changed the file's ctime.
                status = os.fstat(self._descriptor)
            return Blob(sha256=sha256, size_bytes=status.st_size, fingerprint=fingerprint_of(status))
        finally:
            self.discard()

    def sync_and_read(self) -> bytes:
        """What the file holds, after it was brought to the disk."""
        with failing_as_store(self._subject):
            os.fdatasync(self._descriptor)
            return os.pread(self._descriptor, self._size_bytes, 0)

    def discard(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        with failing_as_store(self._subject):
            try:
                if not self._published:
                    os.unlink(self.path)
            except FileNotFoundError:
                pass  # Somebody removed it: that is what was wanted.
            finally:
                os.close(descriptor)

    def _require_sound(self) -> None:
        if self._broken or self._descriptor < 0:
            raise StoreFailure(f"{self._subject}: {'a write failed' if self._broken else 'it is closed'}")
