"""Fills that are due are done: each once, again after a failure, and also when processes come and go."""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from entrepot.catalog.fills import SqliteFills
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.fills import Fill
from entrepot.errors import Absent, TooBig, Unreachable
from entrepot.mirror.filling import Filler
from entrepot.mirror.fills import Fills
from entrepot.mirror.rules import FillRules
from tests.cache.works import until
from tests.fakes import FakeClock
from tests.mirror.stand import Process, Upstream

pytestmark = pytest.mark.anyio
KEY = "shelf/loose/a"


async def test_lease_01_a_hundred_misses_cost_one_request(process: Process) -> None:
    for _ in range(100):
        process.miss()
    working = asyncio.create_task(process.filler.work())
    await until(lambda: process.upstream.asked == [KEY] and process.state() == "done")
    process.miss()
    await until(lambda: process.results == {"duplicate": 100, "accepted": 1})
    working.cancel()
    await asyncio.wait({working})
    assert process.upstream.asked == [KEY]


async def test_lease_02_after_the_window_it_is_fetched_again(process: Process) -> None:
    await process.missed()
    await process.run_due()
    assert process.wait() == pytest.approx(3600, rel=0.1)
    process.clock.advance(process.wait() - 1)
    await process.missed()
    await process.run_due()
    assert process.upstream.asked == [KEY]
    process.clock.advance(1)
    await process.missed()
    await process.run_due()
    assert process.upstream.asked == [KEY] * 2


async def test_lease_03_what_failed_is_tried_again_after_its_backoff_and_not_after_a_window(process: Process) -> None:
    process.upstream.errors["loose/a"] = [Unreachable("no connection")] * 2
    await process.missed()
    await process.run_due()
    assert (process.state(), process.wait()) == ("open", 30)
    process.clock.advance(29)
    await process.run_due()
    assert len(process.upstream.asked) == 1
    process.clock.advance(1)
    await process.run_due()
    assert (len(process.upstream.asked), process.state(), process.wait()) == (2, "open", 60)
    process.clock.advance(60)
    await process.run_due()
    assert (len(process.upstream.asked), process.state()) == (3, "done")


async def test_what_failed_for_good_is_not_tried_again_by_itself(process: Process) -> None:
    process.upstream.errors["loose/a"] = [TooBig("too big")]
    await process.missed()
    await process.run_due()
    assert (process.state(), process.wait()) == ("failed", 86400)
    process.clock.advance(86400 * 2)
    await process.run_due()
    assert len(process.upstream.asked) == 1
    await process.missed()
    await process.run_due()
    assert (len(process.upstream.asked), process.state()) == (2, "done")


async def test_what_upstream_does_not_have_may_be_asked_for_again_soon(process: Process) -> None:
    process.upstream.errors["loose/a"] = [Absent("loose/a")]
    await process.missed()
    await process.run_due()
    assert (process.state(), process.wait()) == ("failed", 30)
    process.clock.advance(30)
    await process.run_due()
    assert len(process.upstream.asked) == 1
    await process.missed()
    await process.run_due()
    assert process.state() == "done"


async def test_lease_04_two_processes_do_each_fill_once(process: Process) -> None:
    other = process.beside()
    paths = [f"loose/{number}" for number in range(20)]
    await process.missed(*paths)
    await other.missed(*paths)
    while any(process.state(f"shelf/{path}") == "open" for path in paths):
        await asyncio.gather(process.run_due(), other.run_due())
    assert sorted(process.upstream.asked) == sorted(f"shelf/{path}" for path in paths)
    await other.close()


async def test_lease_04_a_process_that_dies_loses_its_fill_when_the_lease_expires(
    process: Process, path: Path, clock: FakeClock
) -> None:
    await process.missed()
    assert await process.leases.acquire(KEY, "one", clock.now(), 60.0)
    other = process.beside()
    clock.advance(59)
    await other.run_due()
    assert process.upstream.asked == []
    clock.advance(1)
    await other.run_due()
    assert process.upstream.asked == [KEY]
    await other.close()


async def test_lease_04_who_lost_the_lease_writes_nothing(path: Path, clock: FakeClock, upstream: Upstream) -> None:
    slow = Process(path, clock, upstream, renew_seconds=10.0)
    upstream.gate.clear()
    upstream.errors["loose/a"] = [TooBig("said too late")]
    await slow.missed()
    running = asyncio.create_task(slow.run_due())
    await slow.asked(1)
    clock.advance(60)
    taken = await slow.leases.acquire(KEY, "two", clock.now(), 60.0)
    upstream.gate.set()
    await running
    assert slow.leases.find(KEY) == taken
    assert slow.state() == "open"
    await slow.close()


async def test_a_lease_is_renewed_while_its_fill_runs(path: Path, clock: FakeClock, upstream: Upstream) -> None:
    process = Process(path, clock, upstream, renew_seconds=0.001)
    upstream.gate.clear()
    await process.missed()
    running = asyncio.create_task(process.run_due())
    await process.asked(1)
    other = process.beside()
    for _ in range(3):
        clock.advance(50)
        now = clock.now()
        await until(lambda now=now: (lease := process.leases.find(KEY)) is not None and lease.written_at == now)  # type: ignore[misc]
        assert other.fills.book.due(clock.now(), 1) == []
    upstream.gate.set()
    await running
    assert upstream.asked == [KEY]
    await process.close()
    await other.close()


async def test_a_fill_whose_lease_was_lost_is_ended(path: Path, clock: FakeClock, upstream: Upstream) -> None:
    process = Process(path, clock, upstream, renew_seconds=0.001)
    upstream.gate.clear()
    await process.missed()
    running = asyncio.create_task(process.run_due())
    await process.asked(1)
    await process.fills.clear(KEY)
    await running
    assert process.fills.book.records(10) == []
    assert process.leases.find(KEY) is None
    await process.close()


async def test_lease_07_a_clock_that_is_set_back_wedges_no_fill(process: Process, clock: FakeClock) -> None:
    process.upstream.errors["loose/b"] = [Unreachable("no connection")]
    await process.missed("loose/a", "loose/b")
    await process.run_due()
    clock.advance(-30 * 86400)
    await process.missed("loose/a")
    await process.run_due()
    assert sorted(process.upstream.asked) == sorted([KEY, "shelf/loose/b"] * 2)
    assert process.state("shelf/loose/b") == "done"


# --- room, restarts, ends ---------------------------------------------------------------------------------------------


async def test_no_more_run_at_once_than_there_are_workers(path: Path, clock: FakeClock, upstream: Upstream) -> None:
    process = Process(path, clock, upstream, rules=FillRules(workers=2))
    upstream.gate.clear()
    await process.missed("loose/a", "loose/b", "loose/c")
    async with asyncio.TaskGroup() as group:
        await process.filler.begin(group)
        await process.asked(2)
        await process.filler.begin(group)
        assert len(upstream.asked) == 2
        upstream.gate.set()
    await process.run_due()
    assert len(upstream.asked) == 3
    await process.close()


async def test_a_restart_goes_on_with_what_was_waiting(process: Process, clock: FakeClock) -> None:
    process.upstream.errors["loose/b"] = [Unreachable("no connection")]
    await process.missed("loose/a", "loose/b")
    await process.close()
    again = process.beside()
    await again.run_due()
    assert sorted(process.upstream.asked) == [KEY, "shelf/loose/b"]
    await again.close()
    clock.advance(30)
    third = process.beside()
    await third.run_due()
    assert process.upstream.asked.count("shelf/loose/b") == 2
    assert third.state("shelf/loose/b") == "done"
    await third.close()


async def test_a_server_that_ends_gives_back_what_runs_and_writes_down_what_waits(process: Process) -> None:
    process.upstream.gate.clear()
    await process.missed()
    working = asyncio.create_task(process.filler.work())
    await process.asked(1)
    process.miss("loose/b")
    working.cancel()
    await asyncio.wait({working})
    other = process.beside()
    assert {fill.key for fill in other.fills.book.due(process.clock.now(), 10)} == {KEY, "shelf/loose/b"}
    process.upstream.gate.set()
    await other.run_due()
    assert other.state() == "done"
    await other.close()


async def test_a_fill_that_the_store_cannot_note_is_done_again(
    process: Process, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    process.upstream.gate.clear()
    await process.missed()
    running = asyncio.create_task(process.run_due())
    await process.asked(1)
    await process.close()
    process.upstream.gate.set()
    with caplog.at_level(logging.WARNING, "entrepot"):
        await running
    assert f"{KEY}: its fill is done again" in caplog.text
    clock.advance(60)
    again = process.beside()
    await again.run_due()
    assert (len(process.upstream.asked), again.state()) == (2, "done")
    await again.close()


async def test_a_catalog_that_cannot_be_used_ends_nothing(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    await process.close()
    with caplog.at_level(logging.WARNING, "entrepot"):
        working = asyncio.create_task(process.filler.work())
        await until(lambda: "fills wait, because the catalog cannot be used" in caplog.text)
    process.miss()
    await until(lambda: process.results == {"lost": 1})
    assert not working.done()
    working.cancel()
    await asyncio.wait({working})
    assert working.cancelled()


async def test_a_fetch_that_was_cancelled_is_due_at_once(process: Process, clock: FakeClock) -> None:
    process.upstream.errors["loose/a"] = [asyncio.CancelledError()]
    await process.missed()
    await process.run_due()
    assert (process.state(), process.record().lease.failures) == ("open", 0)  # type: ignore[union-attr]
    await process.run_due()
    assert process.state() == "done"


async def test_a_defect_is_told_with_its_place_and_tried_again(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    process.upstream.errors["loose/a"] = [KeyError("a defect of ours")]
    await process.missed()
    with caplog.at_level(logging.WARNING, "entrepot"):
        await process.run_due()
    (told,) = caplog.records
    assert (told.levelname, told.exc_info is not None) == ("ERROR", True)
    assert (process.state(), process.wait()) == ("open", 30)


async def test_what_another_process_did_since_the_rows_were_read_is_not_done_again(
    path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    process = Process(path, clock, upstream, rules=FillRules(quiet_period=0.0))
    await process.missed()
    late = _Late(process.catalog, process.fills.book.due(clock.now(), 10))
    await process.run_due()
    fills = Fills(late, process.leases, clock, process.counters, process.rules)
    other = Filler(fills, process.repositories, upstream.fetch, holder="two")
    await process.missed("loose/b")
    async with asyncio.TaskGroup() as group:
        await other.begin(group)
    assert upstream.asked == [KEY]
    assert await process.leases.acquire(KEY, "three", clock.now(), 60.0)
    await process.close()


class _Late(SqliteFills):
    """Whoever reads it sees what was due a while ago."""

    def __init__(self, catalog: SqliteCatalog, was_due: list[Fill]) -> None:
        super().__init__(catalog)
        self._was_due = was_due

    def due(self, now: datetime, limit: int) -> list[Fill]:
        return self._was_due


# --- what a row stands for --------------------------------------------------------------------------------------------


async def test_a_row_becomes_the_resource_that_it_was_made_of(process: Process) -> None:
    paths = ["pkg/", "pkg/a", "signed/a", "named/00ff", "-/files.example/pkg/a"]
    await process.missed(*paths)
    await process.run_due()
    await process.run_due()
    assert sorted(process.upstream.asked) == sorted(f"shelf/{path}" for path in paths)


async def test_a_row_of_a_repository_that_is_gone_fails_for_good(process: Process) -> None:
    process.miss(repository="shelf")
    await process.fills.write_down()
    del process.repositories["shelf"]
    await process.run_due()
    assert process.state() == "failed"
    lease = process.leases.find(KEY)
    assert lease is not None
    assert "there is no repository 'shelf' any more" in lease.result


async def test_a_row_that_means_something_else_now_fails_for_good(process: Process) -> None:
    process.miss("pkg/a")
    await process.fills.write_down()
    record = process.record("shelf/pkg/a")
    await process.fills.book.remove("shelf/pkg/a")
    await process.fills.book.add([replace(record.fill, path="pkg/b")], process.clock.now())
    await process.run_due()
    assert process.upstream.asked == []
    assert process.state("shelf/pkg/a") == "failed"


async def test_what_has_no_effect_any_more_is_forgotten(process: Process, clock: FakeClock) -> None:
    process.upstream.errors["loose/b"] = [TooBig("too big")]
    await process.missed("loose/a", "loose/b")
    await process.run_due()
    clock.advance(1.5 * 86400)
    await process.missed("loose/c")
    working = asyncio.create_task(process.filler.work())
    await until(lambda: {record.fill.path for record in process.fills.book.records(10)} == {"loose/b", "loose/c"})
    working.cancel()
    await asyncio.wait({working})
    assert process.leases.find(KEY) is None
