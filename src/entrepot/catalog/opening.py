"""Find, check, recover and migrate the file of a catalog before it is used."""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from entrepot.catalog.migrations import HEAD
from entrepot.errors import StoreFailure

BACKUP_SUFFIX = ".backup"
"""`catalog.db` is recovered from the newest sound file whose name begins with `catalog.db.backup`."""

# Measured with 400,000 entries of 500 bytes: a lookup with an empty page cache (as after every commit of another
# connection) takes 15 µs at 8 KiB and 22 µs at 4 KiB; still bigger pages make every small write bigger.
_PAGE_SIZE = 8192
# Reading 128 MiB through takes some 70 ms. A bigger file is read through only when it was seen to be corrupt.
_ALWAYS_CHECKED_BYTES = 128 << 20
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_COMPANIONS = ("", "-wal", "-shm")


def prepare(path: Path, now: datetime) -> str | None:
    """Have a sound, up-to-date catalog at `path`; a sentence about what was lost or recovered, if anything was.

    Processes that start together take turns. Raises StoreFailure.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _turn(path):
            recovered = _recover(path, now)
            if _version_of(path) != HEAD:
                _migrate(path)
            return recovered
    except OSError as error:
        raise StoreFailure(f"{path.name}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise failure_of(path, error) from error


def connect(path: Path, *, busy_seconds: float) -> sqlite3.Connection:
    """A connection to a file that exists, without implicit transactions."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
    )
    # FULL: a put that was awaited survives a power cut; it costs one fdatasync a batch, in the writer's thread.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -8192")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    return connection


def failure_of(path: Path, error: Exception) -> StoreFailure:
    """What a failed operation is answered with. A corrupt file is marked, to be read through at the next start."""
    if _is_corrupt(error):
        # A mark that cannot be made changes nothing about the failure, which is reported either way.
        with suppress(OSError):
            _mark_of(path).touch()
    return StoreFailure(f"{path.name}: {error}")


def back_up(path: Path, target: Path) -> None:
    """Copy the catalog, while it is used, over `target` in one step. Raises StoreFailure."""
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with closing(connect(path, busy_seconds=1)) as source, closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
        os.replace(partial, target)
        _sync_directory(target.parent)
    except OSError as error:
        raise StoreFailure(f"{target.name}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise failure_of(path, error) from error


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    with open(path.with_name(f"{path.name}.lock"), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _recover(path: Path, now: datetime) -> str | None:
    damage = _damage_of(path)
    if damage is None:
        return None
    aside = _move_aside(path, f"corrupt-{now:%Y%m%dT%H%M%S.%fZ}")
    backup = _newest_sound_backup(path)
    if backup is None:
        return f"{path.name} {damage}; it was moved to {aside} and a new, empty one was made" if aside else None
    _install(backup, path)
    moved = f" and was moved to {aside}" if aside else ""
    return f"{path.name} {damage}{moved}; it was recovered from {backup.name}"


def _damage_of(path: Path) -> str | None:
    """What is wrong with the file, None for nothing."""
    if not path.exists() or not path.stat().st_size:
        return "was missing"
    thorough = path.stat().st_size <= _ALWAYS_CHECKED_BYTES or _mark_of(path).exists()
    try:
        with closing(connect(path, busy_seconds=1)) as connection:
            damage = _damage_in(connection, thorough=thorough)
    except sqlite3.DatabaseError as error:
        if not _is_corrupt(error):
            raise
        return f"was corrupt ({error})"
    if damage is None:
        _mark_of(path).unlink(missing_ok=True)
    return damage


def _damage_in(connection: sqlite3.Connection, *, thorough: bool) -> str | None:
    _stamp_in(connection)
    if thorough:
        (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if finding != "ok":
            return f"was corrupt ({' '.join(finding.split())})"
    return None


def _move_aside(path: Path, name: str) -> str | None:
    """Rename the file and what belongs to it: a log left behind would be played into the next file of this name."""
    target = path.with_name(f"{path.name}.{name}")
    existed = path.exists()
    for companion in _COMPANIONS:
        with suppress(FileNotFoundError):
            os.rename(f"{path}{companion}", f"{target}{companion}")
    _mark_of(path).unlink(missing_ok=True)
    return target.name if existed else None


def _newest_sound_backup(path: Path) -> Path | None:
    found = [
        file
        for file in path.parent.glob(f"{path.name}{BACKUP_SUFFIX}*")
        if not file.name.endswith((".partial", "-wal", "-shm", "-journal"))
    ]
    found.sort(key=lambda file: file.stat().st_mtime_ns, reverse=True)
    return next((file for file in found if _is_sound_backup(file)), None)


def _is_sound_backup(path: Path) -> bool:
    try:
        # Immutable: only looked at, and no log is left beside it.
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)) as connection:
            return _damage_in(connection, thorough=True) is None and _stamp_in(connection) is not None
    except sqlite3.DatabaseError:
        return False


def _install(backup: Path, path: Path) -> None:
    partial = path.with_name(f"{path.name}.partial")
    shutil.copyfile(backup, partial)
    with open(partial, "rb") as copy:
        os.fsync(copy.fileno())
    os.replace(partial, path)
    _sync_directory(path.parent)


def _version_of(path: Path) -> str | None:
    """The revision that the file is stamped with; None for a new one."""
    if not path.exists():
        return None
    with closing(connect(path, busy_seconds=1)) as connection:
        return _stamp_in(connection)


def _stamp_in(connection: sqlite3.Connection) -> str | None:
    stamped = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.execute(stamped).fetchone() is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def _migrate(path: Path) -> None:
    # Loaded only here: a fifth of a second that a start with an up-to-date catalog does not spend.
    from entrepot.catalog.migrations.upgrade import upgrade  # noqa: PLC0415

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
        connection.execute("PRAGMA journal_mode = WAL")
    os.chmod(path, 0o600)
    upgrade(path)


def _is_corrupt(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT


def _mark_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.suspect")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
