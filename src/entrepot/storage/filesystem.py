"""Blobs in a directory of this machine.

blobs/ab/cdef…      the bytes whose SHA-256 is abcdef…
incoming/           what is being written, one locked file each
quarantine/         what was found in a blob's place and was not that blob
swept               empty; its time is that of the last sweep
"""

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path

from entrepot.contracts.blobs import GrowingBlob, OpenBlob
from entrepot.errors import StoreFailure
from entrepot.model.entry import Blob
from entrepot.storage.failures import failing_as_store
from entrepot.storage.files import GrowingFile, fingerprint_of, open_file

_HEX = re.compile(r"[0-9a-f]+\Z")


class FilesystemBlobs:
    """A BlobStore. Directories are made when first needed, so that a store on a read-only disk can be opened."""

    def __init__(self, directory: Path) -> None:
        self._directory = os.path.abspath(directory)
        self._blobs = os.path.join(self._directory, "blobs")
        self._incoming = os.path.join(self._directory, "incoming")
        self._quarantine = os.path.join(self._directory, "quarantine")
        self._swept = os.path.join(self._directory, "swept")

    def create(self) -> GrowingBlob:
        return self._create()

    def adopt(self, path: str, sha256: str) -> Blob:
        with failing_as_store(os.path.basename(path)):
            # Only then its fingerprint: renaming changes the file's ctime.
            mark = fingerprint_of(os.stat(self._publish(path, sha256), follow_symlinks=False))
        return Blob(sha256=sha256, size_bytes=mark.size_bytes, fingerprint=mark)

    def open(self, sha256: str) -> OpenBlob | None:
        path = self._path_of(sha256)
        return open_file(path, self._name(path), sha256)

    def open_growing(self, path: str, sha256: str = "") -> OpenBlob | None:
        """The file at `path`, or the blob that it has become meanwhile if `sha256` is given."""
        blob = None
        if os.path.dirname(path) == self._incoming:
            blob = open_file(path, self._name(path), sha256)
        return blob or (self.open(sha256) if sha256 else None)

    def quarantine(self, sha256: str) -> None:
        path = self._path_of(sha256)
        with failing_as_store(self._name(path)), suppress(FileNotFoundError, NotADirectoryError):
            self._set_aside(path, sha256)

    def remove(self, sha256: str) -> int:
        path = self._path_of(sha256)
        with failing_as_store(self._name(path)):
            try:
                status = os.lstat(path)
                if not stat.S_ISREG(status.st_mode):
                    self._set_aside(path, sha256)
                    return 0
                os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                return 0
        return status.st_size

    def digests(self) -> list[str]:
        with failing_as_store("blobs"):
            return [
                directory.name + file.name
                for directory in _scan(self._blobs)
                if _is_hex(directory.name, 2) and directory.is_dir(follow_symlinks=False)
                for file in _scan(directory.path)
                if _is_hex(file.name, 62) and file.is_file(follow_symlinks=False)
            ]

    def tidy(self) -> int:
        with failing_as_store("incoming"):
            files = [file.path for file in _scan(self._incoming) if file.is_file(follow_symlinks=False)]
            return sum(_remove_unlocked(path) for path in files)

    def swept_at(self) -> float:
        with failing_as_store("swept"):
            try:
                return os.stat(self._swept).st_mtime
            except FileNotFoundError:
                return 0.0

    def note_swept(self, at: float) -> None:
        with failing_as_store("swept"):
            _make_directory(self._directory)
            os.close(os.open(self._swept, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            os.utime(self._swept, (at, at))

    def probe(self) -> None:
        sample = secrets.token_bytes(64)
        file = self._create()
        try:
            file.append(sample)
            if file.sync_and_read() != sample:
                raise StoreFailure(f"{self._name(file.path)}: what was written is not what is read")
        finally:
            file.discard()

    def _create(self) -> GrowingFile:
        path = os.path.join(self._incoming, f"{os.getpid()}-{secrets.token_hex(8)}")
        subject = self._name(path)
        with failing_as_store(subject):
            try:
                return GrowingFile(path, subject, self._publish)
            except FileNotFoundError:
                _make_directory(self._incoming)
                return GrowingFile(path, subject, self._publish)

    def _publish(self, path: str, sha256: str) -> str:
        """Move a synced temporary file to its place, and have the disk know it."""
        target = self._path_of(sha256)
        self._replace(path, target)
        _sync_directory(os.path.dirname(target))
        return target

    def _replace(self, path: str, target: str) -> None:
        # At most two obstacles: something in the place of the fan-out directory, which is then missing; or a
        # directory in the place of the file.
        directory = os.path.dirname(target)
        for _ in range(2):
            try:
                os.rename(path, target)
                return
            except FileNotFoundError:
                _make_directory(directory)
            except NotADirectoryError:
                self._set_aside(directory, os.path.basename(directory))
                _make_directory(directory)
            except OSError as error:
                if error.errno not in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST):
                    raise
                self._set_aside(target, self._sha256_of(target))
        os.rename(path, target)

    def _set_aside(self, path: str, name: str) -> None:
        target = os.path.join(self._quarantine, f"{name}.{time.time_ns()}")
        os.lstat(path)
        _make_directory(self._quarantine)
        os.rename(path, target)

    def _path_of(self, sha256: str) -> str:
        if not _is_hex(sha256, 64):
            raise ValueError(f"not a SHA-256 in lower-case hex: {sha256!r}")
        return f"{self._blobs}/{sha256[:2]}/{sha256[2:]}"

    def _sha256_of(self, path: str) -> str:
        directory, name = os.path.split(path)
        return os.path.basename(directory) + name

    def _name(self, path: str) -> str:
        """The path as failures name it: below the store."""
        return path.removeprefix(self._directory + os.sep)


def _is_hex(text: str, size: int) -> bool:
    return len(text) == size and _HEX.match(text) is not None


def _scan(path: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(path) as found:
            return list(found)
    except FileNotFoundError:
        return []


def _make_directory(path: str) -> None:
    """Make a directory and what is missing above it, and have the disk know them."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        _make_directory(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    _sync_directory(parent)


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_unlocked(path: str) -> bool:
    """Remove a temporary file unless a living process holds its lock; whether it was removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    except (BlockingIOError, FileNotFoundError):
        return False
    finally:
        os.close(descriptor)
    return True
