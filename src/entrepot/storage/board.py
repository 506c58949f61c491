"""The progress board of one machine: a locked, mapped file for each piece of work, and the shared generation."""

import fcntl
import hashlib
import mmap
import os
import struct
from contextlib import suppress
from pathlib import Path

from entrepot.contracts.board import Claim, Progress, Stage, Watch
from entrepot.errors import StoreFailure

_HEAD = struct.Struct("<qqq")  # stage, released, size of the note
_NOTE_AT = 64
_SIZE = 64 << 10
_NUMBER = struct.Struct("<Q")


class FileBoard:
    """A directory of claims. The kernel's lock on a claim's file dies with its process, so no claim outlives one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def shared(self) -> bool:
        return True

    def claim(self, key: str) -> Claim | Watch:
        path = self._directory / hashlib.sha256(key.encode()).hexdigest()[:40]
        try:
            while (held := _open_claim(path)) is None:
                pass
        except OSError as error:
            raise StoreFailure(f"the progress board cannot be used: {error.strerror}") from error
        return held


def _open_claim(path: Path) -> Claim | Watch | None:
    """None where the file was somebody's a moment ago: to be tried again."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    kept = False
    try:
        led = _try_lock(descriptor)
        # The file may have been ended (and unlinked) between open and lock: then it is nobody's.
        if not _still_there(path, descriptor):
            return None
        if led and os.fstat(descriptor).st_size:
            # A dead leader's: who still watches it must not mistake the next leader's progress for its own.
            os.unlink(path)
            return None
        held = _FileClaim(path, descriptor) if led else _FileWatch(descriptor)
        kept = True
        return held
    finally:
        if not kept:
            os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _still_there(path: Path, descriptor: int) -> bool:
    try:
        return os.stat(path).st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


class _FileClaim:
    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor
        # Room on the disk is taken now: a mapped page without any would kill the process (SIGBUS).
        os.posix_fallocate(descriptor, 0, _SIZE)
        self._map = mmap.mmap(descriptor, _SIZE)
        _HEAD.pack_into(self._map, 0, Stage.CLAIMED, 0, 0)

    def announce(self, note: bytes) -> None:
        if self._map.closed:
            return
        self._write_note(note)
        _HEAD.pack_into(self._map, 0, Stage.ARRIVING, 0, len(note))

    def advance(self, released: int) -> None:
        if not self._map.closed:
            struct.pack_into("<q", self._map, 8, released)

    def whole(self, released: int) -> None:
        if self._map.closed:
            return
        struct.pack_into("<q", self._map, 8, released)
        struct.pack_into("<q", self._map, 0, Stage.WHOLE)

    def end(self, failure: bytes | None = None) -> None:
        if self._map.closed:
            return
        if failure is None:
            struct.pack_into("<q", self._map, 0, Stage.DONE)
        else:
            self._write_note(failure)
            struct.pack_into("<q", self._map, 16, len(failure))
            struct.pack_into("<q", self._map, 0, Stage.FAILED)
        # Unlinked before the lock goes: who opens it later makes a new one.
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        self._map.close()
        os.close(self._descriptor)

    def _write_note(self, note: bytes) -> None:
        if len(note) > _SIZE - _NOTE_AT:
            raise StoreFailure("a progress note is too long")
        self._map[_NOTE_AT : _NOTE_AT + len(note)] = note


class _FileWatch:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._map: mmap.mmap | None = None
        self._noted = False

    def look(self) -> Progress:
        view = self._mapped()
        if view is None:
            return Progress(Stage.CLAIMED, 0, b"")
        number, released, size = _HEAD.unpack_from(view, 0)
        stage = Stage(number)
        news = stage in (Stage.ARRIVING, Stage.WHOLE) and not self._noted
        self._noted = self._noted or news
        note = bytes(view[_NOTE_AT : _NOTE_AT + size]) if news or stage is Stage.FAILED else b""
        return Progress(stage, released, note)

    def abandoned(self) -> bool:
        # Taking the lock here is safe: the file stays this inode, and closing gives the lock back.
        return _try_lock(self._descriptor)

    def close(self) -> None:
        if self._map is not None:
            self._map.close()
        os.close(self._descriptor)

    def _mapped(self) -> mmap.mmap | None:
        # Between a leader's open and its first write the file is empty and cannot be mapped.
        if self._map is None and os.fstat(self._descriptor).st_size == _SIZE:
            self._map = mmap.mmap(self._descriptor, _SIZE, access=mmap.ACCESS_READ)
        return self._map


class FileGeneration:
    """A counter in a mapped file. Reading it costs as much as comparing eight bytes."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._descriptor = descriptor
        if os.fstat(descriptor).st_size < _NUMBER.size:
            os.posix_fallocate(descriptor, 0, _NUMBER.size)
        self._map = mmap.mmap(descriptor, _NUMBER.size)

    def value(self) -> int:
        number: int = _NUMBER.unpack_from(self._map, 0)[0]
        return number

    def advance(self) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            _NUMBER.pack_into(self._map, 0, self.value() + 1)
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)
