"""Results of builds by their keys: files in a folder, the least recently used go first.

Nobody can verify such an entry: its key is made of what went into a build, not of what came out. So none of it is in
the blob store, and none of it is ever served as anything else.
"""

import contextlib
import fcntl
import os
import secrets
import time
from pathlib import Path
from threading import Lock
from typing import Final

from entrepot.storage.failures import failing_as_store
from entrepot.storage.files import FileBlob, open_file

STEP: Final = 20
"""After how much was added, as a part of the whole, it is looked how much there is."""
_KEEP: Final = 0.9
"""How much of its size is left where something had to go."""
_USED_SECONDS: Final = 60.0
"""Within which further uses of an entry are not noted."""
_ABANDONED_SECONDS: Final = 3600.0
_INCOMING: Final = ".incoming-"


class BuildCacheStore:
    """Methods may wait for the disk: call them in a thread. All raise StoreFailure."""

    def __init__(self, directory: Path, max_size: int, *, replace: bool) -> None:
        self._directory, self._max_size, self._replace = directory, max_size, replace
        self._added = max_size
        """Since it was last looked; at first that was never."""

    def find(self, key: str) -> FileBlob | None:
        """An entry, open for reading; its use counts."""
        blob = open_file(str(self._path(key)), f"build cache {key}", "")
        if blob is not None:
            self._note_use(key)
        return blob

    def has(self, key: str) -> bool:
        """Whether there is one that stays."""
        return not self._replace and self._path(key).is_file()

    def create(self, key: str) -> "IncomingEntry":
        path = self._path(key)
        with failing_as_store(f"build cache {key}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            return IncomingEntry(self, key, path)

    def publish(self, incoming: str, key: str, size_bytes: int) -> None:
        """What has come as a whole takes its place, unless that is taken for good."""
        path = self._path(key)
        with failing_as_store(f"build cache {key}"):
            if self._replace:
                os.replace(incoming, path)
            else:
                with contextlib.suppress(FileExistsError):
                    os.link(incoming, path)
                os.unlink(incoming)
        self._added += size_bytes
        if self._added * STEP >= self._max_size:
            self._make_room()

    def _path(self, key: str) -> Path:
        return self._directory / key[:2] / key

    def _note_use(self, key: str) -> None:
        path = self._path(key)
        # Somebody may have made room a moment ago; whoever has the file open keeps it.
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _USED_SECONDS:
                os.utime(path)

    # --- room ---------------------------------------------------------------------------------------------------------

    def _make_room(self) -> None:
        """One process at a time; the others go on, and look next time."""
        with failing_as_store("build cache"):
            lock = os.open(self._directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._added = 0
            self._remove_oldest()
        except BlockingIOError:
            return
        finally:
            os.close(lock)

    def _remove_oldest(self) -> None:
        entries = self._entries()
        total = sum(size for _, size, _ in entries)
        if total <= self._max_size:
            return
        for _, size, path in sorted(entries):
            if total <= self._max_size * _KEEP:
                break
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            total -= size

    def _entries(self) -> list[tuple[float, int, str]]:
        """When each was used, its size, and where it is. What a process that died was writing goes."""
        found = []
        for path in self._directory.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, str(path)))
        for path in self._directory.glob(f"??/{_INCOMING}*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()
        return [entry for entry in found if _INCOMING not in entry[2]]


class IncomingEntry:
    """An entry on its way in. Ends with `commit` or `discard`."""

    def __init__(self, store: BuildCacheStore, key: str, path: Path) -> None:
        self._store, self._key, self.size_bytes = store, key, 0
        self._path = str(path.with_name(f"{_INCOMING}{secrets.token_hex(8)}"))
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._published = False
        # Who gives up while a thread still writes discards in another one: the number of a closed descriptor may be
        # that of another file a moment later.
        self._turn = Lock()

    def append(self, data: bytes) -> None:
        view = memoryview(data)
        with self._turn, failing_as_store(f"build cache {self._key}"):
            while view:
                written = os.write(self._descriptor, view)
                self.size_bytes += written
                view = view[written:]

    def commit(self) -> None:
        with self._turn:
            with failing_as_store(f"build cache {self._key}"):
                # A file that a power cut left empty would be taken for a build's result.
                os.fdatasync(self._descriptor)
            self._close()
            self._store.publish(self._path, self._key, self.size_bytes)
            self._published = True

    def discard(self) -> None:
        """Does nothing after `commit`."""
        with self._turn:
            self._close()
            if not self._published:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
