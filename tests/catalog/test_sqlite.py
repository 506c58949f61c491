"""What only a file has to bear: several processes, locks, a full disk."""

import asyncio
import os
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.errors import StoreFailure
from tests.contracts.catalog_suite import SetClock, blob_of, derived_of, entry_of, sha256_of, store

pytestmark = pytest.mark.anyio

OTHER_PROCESS = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from entrepot.catalog.sqlite import SqliteCatalog
from tests.contracts.catalog_suite import SetClock, store

async def main():
    catalog = SqliteCatalog.open(Path(sys.argv[1]), SetClock())
    print(catalog.find_entry("pypi", "ours") is not None)
    await store(catalog, "theirs")
    print("stored", flush=True)
    sys.stdin.read()

asyncio.run(main())
"""
ROOT = Path(__file__).parents[2]


@contextmanager
def other_process(path: Path) -> Iterator[list[str]]:
    """Another process that stored an entry, and what it printed about it; killed at the end."""
    command = [sys.executable, "-c", OTHER_PROCESS, str(path), str(ROOT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield [process.stdout.readline().strip() for _ in range(2)]
        finally:
            process.kill()


def replace_with_nothing(path: Path) -> None:
    path.rename(path.with_name("away.db"))
    path.write_bytes(b"")


def delete(path: Path) -> None:
    path.unlink()


async def started(task: "asyncio.Task[None]") -> None:
    """Let the task run until it waits."""
    await asyncio.sleep(0)
    assert not task.done()


async def test_two_processes_see_each_others_writes(path: Path, catalog: SqliteCatalog) -> None:
    await store(catalog, "ours")
    with other_process(path) as printed:
        assert printed == ["True", "stored"]
        assert catalog.find_entry("pypi", "theirs") is not None
        assert catalog.totals() == (2, 1, 7)


async def test_what_was_awaited_survives_a_killed_process(path: Path) -> None:
    with other_process(path) as printed:
        assert printed == ["False", "stored"]
    catalog = SqliteCatalog.open(path, SetClock())
    assert catalog.recovered is None
    assert catalog.find_entry("pypi", "theirs") is not None
    await catalog.close()


async def test_facts_outlive_the_process(path: Path, clock: SetClock) -> None:
    first = SqliteCatalog.open(path, clock)
    await store(first, "a")
    await first.close()
    second = SqliteCatalog.open(path, clock)
    assert second.find_entry("pypi", "a") == entry_of("a")
    await second.close()


async def test_a_locked_file_makes_writes_wait_and_no_read(
    path: Path, clock: SetClock, catalog: SqliteCatalog, stranger: sqlite3.Connection
) -> None:
    await store(catalog, "before")
    other = SqliteCatalog.open(path, clock)
    stranger.execute("BEGIN IMMEDIATE")
    put = asyncio.create_task(store(catalog, "meanwhile"))
    await started(put)
    assert catalog.find_entry("pypi", "before") is not None
    assert catalog.find_entry("pypi", "meanwhile") == entry_of("meanwhile")
    assert other.find_entry("pypi", "meanwhile") is None
    stranger.execute("COMMIT")
    await put
    assert other.find_entry("pypi", "meanwhile") == entry_of("meanwhile")
    await other.close()


async def test_pending_deletions_are_seen_at_once(catalog: SqliteCatalog, stranger: sqlite3.Connection) -> None:
    await store(catalog, "stored", "one")
    await catalog.put_derived(derived_of("stored view", "one"), blob_of("one"))
    stranger.execute("BEGIN IMMEDIATE")
    puts = [
        asyncio.create_task(store(catalog, "pending", "one")),
        asyncio.create_task(catalog.put_derived(derived_of("pending view", "one"), blob_of("one"))),
        asyncio.create_task(catalog.delete_blob(sha256_of("one"))),
        asyncio.create_task(store(catalog, "afterwards", "one")),
    ]
    for put in puts:
        await started(put)
    for key in ("stored", "pending"):
        assert catalog.find_entry("pypi", key) is None
        assert catalog.find_derived(f"{key} view") is None
    assert catalog.find_entry("pypi", "afterwards") is not None
    assert catalog.find_blob(sha256_of("one")) == blob_of("one")
    stranger.execute("COMMIT")
    await asyncio.gather(*puts)
    assert [entry.key for entry in catalog.entries()] == ["afterwards"]
    assert catalog.find_entry("pypi", "stored") is None
    assert catalog.totals() == (1, 1, 7)


async def test_a_lock_that_outlasts_patience_fails_the_write(
    path: Path, clock: SetClock, catalog: SqliteCatalog, stranger: sqlite3.Connection
) -> None:
    hasty = SqliteCatalog.open(path, clock, lock_patience=0)
    await store(hasty, "before")
    stranger.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailure, match=r"catalog\.db: database is locked"):
        await store(hasty, "meanwhile")
    assert hasty.find_entry("pypi", "meanwhile") is None
    assert hasty.find_entry("pypi", "before") is not None
    with pytest.raises(StoreFailure):
        hasty.probe()
    stranger.execute("COMMIT")
    await store(hasty, "meanwhile")
    await hasty.close()


async def test_a_put_whose_caller_was_cancelled_is_stored(
    path: Path, catalog: SqliteCatalog, stranger: sqlite3.Connection
) -> None:
    stranger.execute("BEGIN IMMEDIATE")
    put = asyncio.create_task(store(catalog, "a"))
    await started(put)
    put.cancel()
    stranger.execute("COMMIT")
    await catalog.flush()
    assert put.cancelled()
    assert stranger.execute("SELECT key FROM entries").fetchall() == [("a",)]


async def test_a_value_that_cannot_be_stored_fails_alone(catalog: SqliteCatalog, stranger: sqlite3.Connection) -> None:
    stranger.execute("BEGIN IMMEDIATE")
    # The first write holds the writer up; what comes behind it is one batch.
    urls = {"first": "", "good": "", "bad": "caf\udce9", "better": ""}
    puts = [asyncio.create_task(catalog.put_entry(replace(entry_of(key), url=url))) for key, url in urls.items()]
    for put in puts:
        await started(put)
    stranger.execute("COMMIT")
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), StoreFailure, type(None)]
    assert [entry.key for entry in catalog.entries()] == ["better", "first", "good"]


async def test_a_disk_that_takes_no_more_fails_writes_and_no_read(catalog: SqliteCatalog, path: Path) -> None:
    await store(catalog, "before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name("catalog.db-wal").stat().st_size, hard))
    try:
        with pytest.raises(StoreFailure, match=r"^catalog\.db: "):
            await store(catalog, "meanwhile")
        assert catalog.find_entry("pypi", "before") is not None
        assert catalog.find_entry("pypi", "meanwhile") is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await store(catalog, "meanwhile")
    assert catalog.find_entry("pypi", "meanwhile") is not None


async def test_uses_are_stored_now_and_then_by_themselves(path: Path, clock: SetClock) -> None:
    catalog = SqliteCatalog.open(path, clock, use_interval=0.01)
    await store(catalog, "a", "one")
    catalog.note_use(sha256_of("one"), clock.timestamp() + 60)
    stored_at, deadline = clock.now(), time.monotonic() + 30
    while catalog.usage(1)[0].last_used_at == stored_at:
        assert time.monotonic() < deadline, "the use was never stored"
    await catalog.close()


async def test_uses_are_stored_at_close(path: Path, clock: SetClock) -> None:
    catalog = SqliteCatalog.open(path, clock)
    await store(catalog, "a", "one")
    catalog.note_use(sha256_of("one"), clock.timestamp() + 60)
    await catalog.close()
    with closing(sqlite3.connect(path)) as connection:
        (used,) = connection.execute("SELECT last_used_at FROM blobs").fetchone()
    assert used == int((clock.timestamp() + 60) * 1e6)


async def test_uses_that_could_not_be_stored_are_kept(
    path: Path, clock: SetClock, catalog: SqliteCatalog, stranger: sqlite3.Connection
) -> None:
    hasty = SqliteCatalog.open(path, clock, lock_patience=0)
    await store(hasty, "a", "one")
    clock.advance(seconds=60)
    hasty.note_use(sha256_of("one"), clock.timestamp())
    stranger.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailure):
        await hasty.flush()
    stranger.execute("COMMIT")
    await hasty.flush()
    assert hasty.usage(1)[0].last_used_at == clock.now()
    await hasty.close()


async def test_closing_leaves_one_file_and_no_log(path: Path, clock: SetClock) -> None:
    catalog = SqliteCatalog.open(path, clock)
    await store(catalog, "a")
    await catalog.close()
    assert {file.name for file in path.parent.iterdir()} == {"catalog.db", "catalog.db.lock"}


async def test_the_file_is_for_its_owner_only(catalog: SqliteCatalog, path: Path) -> None:
    await store(catalog, "a")
    modes = {file.name: file.stat().st_mode & 0o077 for file in path.parent.glob("catalog.db*")}
    assert {modes["catalog.db"], modes["catalog.db-wal"]} == {0}


async def test_a_file_deleted_while_used_is_noticed_by_the_probe(catalog: SqliteCatalog, path: Path) -> None:
    catalog.probe()
    delete(path)
    with pytest.raises(StoreFailure, match="No such file"):
        catalog.probe()
    with pytest.raises(StoreFailure):
        list(catalog.entries())
    assert path.name not in os.listdir(path.parent)


async def test_a_file_replaced_while_used_is_noticed_by_the_probe(
    catalog: SqliteCatalog, path: Path, clock: SetClock
) -> None:
    replace_with_nothing(path)
    with pytest.raises(StoreFailure, match="replaced"):
        catalog.probe()


async def test_a_place_that_is_no_directory_fails_the_start(tmp_path: Path, clock: SetClock) -> None:
    (tmp_path / "data").write_text("not a directory")
    with pytest.raises(StoreFailure):
        SqliteCatalog.open(tmp_path / "data" / "catalog.db", clock)
