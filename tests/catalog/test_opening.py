"""A catalog that is missing or corrupt at the start is recovered, and never quietly."""

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.errors import StoreFailure
from tests.contracts.catalog_suite import SetClock, store

pytestmark = pytest.mark.anyio


async def filled(path: Path, clock: SetClock, *, backup: str = "") -> None:
    """A closed catalog with an entry "old", a backup of it if wished, and then an entry "new"."""
    catalog = SqliteCatalog.open(path, clock)
    await store(catalog, "old")
    if backup:
        await catalog.backup(str(path.with_name(backup)))
    await store(catalog, "new")
    await catalog.close()


def keys_of(catalog: SqliteCatalog) -> list[str]:
    return [entry.key for entry in catalog.entries()]


def overwrite(path: Path, offset: int, size: int = 4096) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * size)


def overwrite_tables(path: Path) -> None:
    """Everything behind the first page, which holds the schema."""
    overwrite(path, 8192, path.stat().st_size - 8192)


def overwrite_entries(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entries'").fetchone()
    overwrite(path, (page - 1) * 8192)


def read(path: Path) -> bytes:
    return path.read_bytes()


def lose_all_but_the_log(path: Path, log: bytes) -> None:
    path.unlink()
    path.with_name("catalog.db-wal").write_bytes(log)


async def test_a_new_catalog_is_nothing_to_report(path: Path, clock: SetClock) -> None:
    catalog = SqliteCatalog.open(path, clock)
    assert catalog.recovered is None
    await catalog.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: overwrite(path, 0),
        overwrite_tables,
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: path.write_text("this is a text"),
    ],
    ids=["header", "tables", "truncated", "not a database"],
)
async def test_a_corrupt_file_is_moved_aside_and_replaced(
    path: Path, clock: SetClock, damage: Callable[[Path], None]
) -> None:
    await filled(path, clock)
    damage(path)
    broken = read(path)
    catalog = SqliteCatalog.open(path, clock)
    assert catalog.recovered is not None
    match = re.match(
        r"catalog\.db was corrupt \(.+\); it was moved to (catalog\.db\.corrupt-\S+) and a new, empty one was made$",
        catalog.recovered,
    )
    assert match
    assert read(path.with_name(match[1])) == broken
    assert catalog.totals() == (0, 0, 0)
    await store(catalog, "again")
    await catalog.close()


async def test_a_corrupt_file_is_recovered_from_the_backup(path: Path, clock: SetClock) -> None:
    await filled(path, clock, backup="catalog.db.backup")
    overwrite(path, 0)
    catalog = SqliteCatalog.open(path, clock)
    assert catalog.recovered is not None
    assert catalog.recovered.endswith("it was recovered from catalog.db.backup")
    assert keys_of(catalog) == ["old"]
    assert catalog.totals() == (1, 1, 7)
    await store(catalog, "again")
    await catalog.close()
    assert path.with_name("catalog.db.backup").exists()


async def test_the_newest_backup_that_is_sound_is_taken(path: Path, clock: SetClock) -> None:
    for number in (1, 2, 3):
        await filled(path, clock, backup=f"catalog.db.backup-{number}")
        os.utime(path.with_name(f"catalog.db.backup-{number}"), (number, number))
    overwrite_tables(path.with_name("catalog.db.backup-3"))
    os.utime(path.with_name("catalog.db.backup-3"), (3, 3))
    path.with_name("catalog.db.backup-4").write_text("nothing of ours")
    overwrite(path, 0)
    catalog = SqliteCatalog.open(path, clock)
    assert catalog.recovered is not None
    assert catalog.recovered.endswith("it was recovered from catalog.db.backup-2")
    await catalog.close()


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.write_bytes(b"")], ids=["deleted", "emptied"])
async def test_a_lost_file_is_recovered_from_the_backup(
    path: Path, clock: SetClock, lose: Callable[[Path], None]
) -> None:
    await filled(path, clock, backup="catalog.db.backup")
    lose(path)
    catalog = SqliteCatalog.open(path, clock)
    assert catalog.recovered is not None
    assert catalog.recovered.startswith("catalog.db was missing")
    assert keys_of(catalog) == ["old"]
    await catalog.close()


async def test_the_log_of_a_lost_file_is_not_played_into_the_next(path: Path, clock: SetClock) -> None:
    await filled(path, clock, backup="catalog.db.backup")
    crashing = SqliteCatalog.open(path, clock)
    await store(crashing, "only in the log")
    log = read(path.with_name("catalog.db-wal"))
    await crashing.close()
    lose_all_but_the_log(path, log)
    catalog = SqliteCatalog.open(path, clock)
    assert keys_of(catalog) == ["old"]
    await catalog.close()


async def test_corruption_met_at_work_is_mended_by_the_next_start(path: Path, clock: SetClock) -> None:
    await filled(path, clock)
    overwrite_entries(path)
    # Too big to be read through at every start. What lies behind the end that the header tells does not count.
    os.truncate(path, 200 << 20)
    catalog = SqliteCatalog.open(path, clock)
    assert catalog.recovered is None
    with pytest.raises(StoreFailure, match="malformed"):
        catalog.find_entry("pypi", "old")
    await catalog.close()
    mended = SqliteCatalog.open(path, clock)
    assert mended.recovered is not None
    assert mended.find_entry("pypi", "old") is None
    await mended.close()
    again = SqliteCatalog.open(path, clock)
    assert again.recovered is None
    await again.close()


async def test_a_catalog_of_a_newer_version_is_left_alone(path: Path, clock: SetClock) -> None:
    await filled(path, clock)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreFailure, match="another version of Entrepot"):
        SqliteCatalog.open(path, clock)
    assert [file.name for file in path.parent.glob("*corrupt*")] == []
