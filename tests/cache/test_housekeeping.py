"""What keeps the store in order: trust in the disk, eviction, the sweep, counts of all workers."""

import asyncio
import os
from pathlib import Path
from threading import Thread

import pytest

from entrepot.cache.absences import ABSENT_KEPT, Absences
from entrepot.cache.counters import SESSIONS_KEPT, Counters
from entrepot.cache.janitor import Swept
from entrepot.cache.tally import Tally
from entrepot.cache.turns import Turns
from entrepot.contracts.blobs import OpenBlob
from entrepot.errors import Absent, StoreFailure
from entrepot.storage.filesystem import FilesystemBlobs
from tests.cache.works import Works, body_of, page, sha256, works_in
from tests.fakes import FakeClock, Reply

pytestmark = pytest.mark.anyio
OLD = 1_600_000_000.0
DAY = 86400.0


async def stored(works: Works, *names: str, size: int = 100) -> list[str]:
    """Digests of files that were fetched one after the other, a minute between them."""
    digests = []
    for name in names:
        body = name.encode() * size
        works.fetcher.on(f"loose/{name}", page(body))
        await works.get(f"loose/{name}")
        await works.settle()
        works.clock.advance(60)
        digests.append(sha256(body))
    return digests


# --- eviction ---------------------------------------------------------------------------------------------------------


async def test_the_least_recently_used_go_until_the_rest_fits(tmp_path: Path) -> None:
    works = works_in(tmp_path, max_bytes=250)
    first, second, third = await stored(works, "a", "b", "c")
    await works.get("loose/a")
    assert await works.janitor.evict() == 100
    assert set(works.blobs.digests()) == {first, third}
    assert works.counters.evicted_bytes == 100
    assert works.catalog.find_remembered("shelf", "loose/b") is not None
    assert works.catalog.find_blob(second) is None
    assert await works.janitor.evict() == 0


async def test_without_a_limit_nothing_goes(works: Works) -> None:
    await stored(works, "a")
    assert await works.janitor.evict() == 0


async def test_who_reads_while_a_file_is_evicted_reads_it_to_its_end(tmp_path: Path) -> None:
    works = works_in(tmp_path, max_bytes=0)
    await stored(works, "a")
    reading = await works.fetch("loose/a")
    generation = works.generation.value()
    await works.janitor.evict()
    assert works.generation.value() > generation
    assert await body_of(reading) == b"a" * 100
    assert works.blobs.digests() == []


# --- the sweep --------------------------------------------------------------------------------------------------------


def blob_path(directory: Path, digest: str) -> Path:
    return directory / "blobs" / digest[:2] / digest[2:]


async def test_the_sweep_finds_silent_changes(works: Works, tmp_path: Path) -> None:
    right, wrong = await stored(works, "a", "b")
    path = blob_path(tmp_path, wrong)
    times = path.stat()
    path.write_bytes(b"?" * 100)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert await works.janitor.sweep() == Swept(read=1, quarantined=1, orphans=0)
    assert works.blobs.digests() == [right]
    assert works.catalog.find_entry("shelf", "loose/b") is None
    assert works.catalog.find_remembered("shelf", "loose/b") is not None
    assert await works.get("loose/b") == (200, b"b" * 100)


async def test_a_sweep_is_due_also_for_a_server_that_is_restarted_more_often(works: Works, tmp_path: Path) -> None:
    (digest,) = await stored(works, "a")
    await works.janitor.keep_order(sweep_every=7 * DAY)
    blob_path(tmp_path, digest).write_bytes(b"b" * 100)
    for _ in range(6):
        works.clock.advance(DAY)
        works = works.sibling()
        await works.janitor.keep_order(sweep_every=7 * DAY)
    assert works.blobs.digests() == [digest]
    works.clock.advance(DAY)
    await works.sibling().janitor.keep_order(sweep_every=7 * DAY)
    assert works.blobs.digests() == []


async def test_absences_leave_the_catalog_when_they_are_of_no_use_any_more(works: Works) -> None:
    for number in range(30):
        await absent(works, f"loose/{number}")
    await works.janitor.keep_order(sweep_every=100 * DAY)
    assert len(list(works.catalog.entries())) == 30
    works.clock.advance(8 * DAY)
    await works.janitor.keep_order(sweep_every=100 * DAY)
    assert list(works.catalog.entries()) == []


async def absent(works: Works, path: str) -> None:
    works.clock.advance(1)
    works.fetcher.on(path, Reply(status=404))
    with pytest.raises(Absent):
        await works.get(path)
    await works.settle()


def orphan(works: Works, directory: Path, body: bytes) -> Path:
    growing = works.blobs.create()
    growing.append(body)
    growing.commit(sha256(body))
    return blob_path(directory, sha256(body))


async def test_old_files_that_nobody_knows_are_removed_and_new_ones_are_left(works: Works, tmp_path: Path) -> None:
    await stored(works, "a")
    path = orphan(works, tmp_path, b"nobody's")
    works.clock.moment = works.clock.moment.fromtimestamp(path.stat().st_ctime, works.clock.moment.tzinfo)
    assert (await works.janitor.sweep()).orphans == 0
    works.clock.advance(601)
    assert (await works.janitor.sweep()).orphans == 1
    assert not path.exists()
    assert len(works.blobs.digests()) == 1


async def test_many_files_that_nobody_knows_are_a_lost_catalog_and_stay(works: Works, tmp_path: Path) -> None:
    await stored(works, "a")
    for number in range(21):
        orphan(works, tmp_path, b"%d" % number)
    works.clock.advance(1e9)
    assert (await works.janitor.sweep()).orphans == 0
    assert len(works.blobs.digests()) == 22


# --- a disk that cannot be read ---------------------------------------------------------------------------------------


class Unreadable:
    """An open file on a disk that gives I/O errors."""

    def __init__(self, inner: OpenBlob) -> None:
        self._inner, self.sha256, self.size_bytes, self.path = inner, inner.sha256, inner.size_bytes, inner.path
        self.fingerprint, self.close = inner.fingerprint, inner.close

    def read_now(self, offset: int, size: int) -> bytes | None:
        return None

    def read(self, offset: int, size: int) -> bytes:
        raise StoreFailure("input/output error")


class FlakyBlobs(FilesystemBlobs):
    """A store some of whose files cannot be read, opened, or moved."""

    unreadable = ""
    unopenable = ""
    immovable = False

    def open(self, sha256: str) -> OpenBlob | None:
        if sha256 == self.unopenable:
            raise StoreFailure("too many open files")
        blob = super().open(sha256)
        return Unreadable(blob) if blob is not None and sha256 == self.unreadable else blob

    def quarantine(self, sha256: str) -> None:
        if self.immovable:
            raise StoreFailure("read-only file system")
        super().quarantine(sha256)


async def test_the_sweep_sets_aside_what_cannot_be_read_and_goes_on(tmp_path: Path) -> None:
    blobs = FlakyBlobs(tmp_path)
    works = works_in(tmp_path, blobs=blobs)
    first, second = await stored(works, "a", "b")
    blobs.unreadable = first
    assert await works.janitor.sweep() == Swept(read=1, quarantined=1, orphans=0)
    assert blobs.digests() == [second]


async def test_a_hit_that_cannot_be_read_is_fetched_again(tmp_path: Path) -> None:
    blobs = FlakyBlobs(tmp_path)
    works = works_in(tmp_path, blobs=blobs)
    (digest,) = await stored(works, "a")
    blob_path(tmp_path, digest).touch()
    blobs.unreadable = digest
    assert await works.get("loose/a") == (200, b"a" * 100)
    assert len(works.fetcher.asks) == 2


async def test_a_hit_that_cannot_be_opened_is_fetched_again(tmp_path: Path) -> None:
    blobs = FlakyBlobs(tmp_path)
    works = works_in(tmp_path, blobs=blobs)
    (digest,) = await stored(works, "a")
    blobs.unopenable = digest
    assert await works.get("loose/a") == (200, b"a" * 100)


async def test_changed_bytes_that_cannot_be_set_aside_are_not_served_either(tmp_path: Path) -> None:
    blobs = FlakyBlobs(tmp_path)
    works = works_in(tmp_path, blobs=blobs)
    (digest,) = await stored(works, "a")
    blob_path(tmp_path, digest).write_bytes(b"?" * 100)
    blobs.immovable = True
    assert await works.get("loose/a") == (200, b"a" * 100)
    assert works.counters.quarantined == 1


async def test_a_changed_file_is_read_once_for_all_who_ask_at_once(works: Works, tmp_path: Path) -> None:
    (digest,) = await stored(works, "a")
    blob_path(tmp_path, digest).write_bytes(b"?" * 100)
    assert await asyncio.gather(*(works.get("loose/a") for _ in range(5))) == [(200, b"a" * 100)] * 5
    assert works.counters.quarantined == 1


# --- absences ---------------------------------------------------------------------------------------------------------


def test_an_absence_is_told_with_its_kind_until_its_time_is_over() -> None:
    clock = FakeClock()
    absences = Absences(clock)
    absences.check("a")
    absences.add("a", Absent("a", gone=True), 10)
    clock.advance(9)
    with pytest.raises(Absent) as told:
        absences.check("a")
    assert told.value.gone
    clock.advance(1)
    absences.check("a")


def test_absences_are_forgotten_by_repository() -> None:
    absences = Absences(FakeClock())
    for subject in ("npm/a", "pypi/a"):
        absences.add(subject, Absent(subject), 10)
    absences.forget("npm/")
    absences.check("npm/a")
    with pytest.raises(Absent):
        absences.check("pypi/a")


def test_absences_are_bounded_and_the_oldest_go_first() -> None:
    absences = Absences(FakeClock())
    for number in range(ABSENT_KEPT + 1):
        absences.add(str(number), Absent("a"), 10)
    absences.check("0")
    with pytest.raises(Absent):
        absences.check("1")


# --- counts -----------------------------------------------------------------------------------------------------------


def test_the_counts_of_all_workers_are_summed_ended_ones_included(tmp_path: Path) -> None:
    ended = Counters()
    ended.of("npm").hits = 2
    ended.of_session("s", "npm").hits = 1
    ended.evicted_bytes, ended.quarantined = 5, 1
    ended.triggers = {"accepted": 1, "full": 2}
    tally = Tally(tmp_path, ended)
    tally.save()
    next(tmp_path.glob("*.json")).rename(tmp_path / "1.json")
    living = Counters()
    living.of("npm").hits = 3
    living.of("pypi").misses = 4
    living.count_trigger("accepted")
    totals = Tally(tmp_path, living).totals()
    assert (totals.of("npm").hits, totals.of("pypi").misses) == (5, 4)
    assert totals.of_session("s", "npm").hits == 1
    assert (totals.evicted_bytes, totals.quarantined) == (5, 1)
    assert totals.triggers == {"accepted": 2, "full": 2}


def test_counts_are_told_where_the_disk_takes_nothing(tmp_path: Path) -> None:
    counters = Counters()
    counters.of("npm").hits = 1
    tally = Tally(tmp_path, counters)
    tally.save()
    (tmp_path / f"{os.getpid()}.new").mkdir()  # No file can be written there now, whoever asks.
    counters.of("npm").hits = 2
    with pytest.raises(OSError, match="directory"):
        tally.save()
    assert tally.totals().of("npm").hits == 2


def test_counts_can_be_saved_while_others_count(tmp_path: Path) -> None:
    counters = Counters()
    tally = Tally(tmp_path, counters)
    errors: list[BaseException] = []

    def save() -> None:
        try:
            for _ in range(20):
                tally.save()
                tally.totals()
        except BaseException as error:  # noqa: BLE001 - it is told below
            errors.append(error)

    threads = [Thread(target=save) for _ in range(2)]
    for thread in threads:
        thread.start()
    number = 0
    while any(thread.is_alive() for thread in threads):
        number += 1
        counters.of(f"r{number % 500}").requests += 1
        counters.of_session(f"s{number}", "r").requests += 1
    assert errors == []


def test_sessions_are_bounded() -> None:
    counters = Counters()
    for number in range(SESSIONS_KEPT + 5):
        counters.of_session(str(number), "npm").hits += 1
    assert len(counters.sessions) == SESSIONS_KEPT
    assert counters.of_session("0", "npm").hits == 0


# --- turns ------------------------------------------------------------------------------------------------------------


async def test_turns_of_one_key_come_one_after_the_other_and_leave_nothing() -> None:
    turns = Turns()
    inside, most = 0, 0

    async def work(key: str) -> None:
        nonlocal inside, most
        async with turns.of(key):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work("one") for _ in range(5)))
    assert most == 1
    await asyncio.gather(work("one"), work("two"))
    assert most == 2
    assert turns._locks == {}
