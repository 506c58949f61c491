"""What every MirrorBook and every Pins promises. A subclass brings `book`, `pins`, `leases` and `clock`."""

import asyncio
from dataclasses import replace

import pytest

from entrepot.contracts.leases import Leases
from entrepot.contracts.mirrors import (
    Counts,
    ItemError,
    ItemKind,
    ItemState,
    Job,
    JobState,
    MirrorBook,
    MirrorItem,
    Pins,
    Settled,
)
from entrepot.errors import TooManyJobs
from tests.fakes import FakeClock


def job_of(clock: FakeClock, name: str = "one", *, order: str = "") -> Job:
    return Job(
        id=name,
        order_digest=order or f"order of {name}",
        name=name,
        client="tests",
        repositories=("npm",),
        state=JobState.QUEUED,
        created_at=clock.now(),
    )


def file_of(key: str, state: ItemState = ItemState.OPEN, size_bytes: int = 0) -> MirrorItem:
    return MirrorItem(kind=ItemKind.FILE, repository="npm", key=key, payload=b"x", state=state, size_bytes=size_bytes)


def failed(item: MirrorItem, text: str = "no") -> Settled:
    return Settled(
        item=replace(item, state=ItemState.FAILED), error=ItemError(subject=item.key, error=text, code="absent")
    )


class MirrorsSuite:
    async def test_a_job_is_found_as_it_was_given(self, book: MirrorBook, clock: FakeClock) -> None:
        job = job_of(clock)
        assert await book.add_job(job, b"order") == job
        assert (book.find_job("one"), book.find_order("one")) == (job, (b"order", False))
        assert (book.find_job("two"), book.find_order("two")) == (None, None)
        await book.note_read("one")
        assert book.find_order("one") == (b"order", True)

    async def test_of_many_who_give_the_same_order_at_once_one_makes_a_job(
        self, book: MirrorBook, clock: FakeClock
    ) -> None:
        jobs = [job_of(clock, str(number), order="same") for number in range(20)]
        found = await asyncio.gather(*(book.add_job(job, b"") for job in jobs))
        assert len({job.id for job in found}) == len(book.jobs(100)) == 1
        await book.advance(found[0].id, JobState.COMPLETED, clock.now())
        assert (await book.add_job(job_of(clock, "later", order="same"), b"")).id == "later"

    async def test_a_client_has_no_more_open_jobs_than_it_may(self, book: MirrorBook, clock: FakeClock) -> None:
        async def add(name: str, order: str = "") -> Job:
            return await book.add_job(job_of(clock, name, order=order), b"", most=2)

        await book.add_job(replace(job_of(clock, "other"), client="another"), b"")
        jobs = [await add("a", "same"), await add("b")]
        with pytest.raises(TooManyJobs, match="2 mirror jobs"):
            await add("c")
        assert book.find_job("c") is None
        assert await add("again", "same") == jobs[0]
        await book.advance("b", JobState.COMPLETED, clock.now())
        assert (await add("d")).id == "d"
        found = await asyncio.gather(*(add(str(number)) for number in range(9)), return_exceptions=True)
        assert [type(one) for one in found] == [TooManyJobs] * 9

    async def test_of_jobs_that_ended_unread_the_newest_are_kept(self, book: MirrorBook, clock: FakeClock) -> None:
        for name in ("old", "read", "mid", "new", "open"):
            await book.add_job(job_of(clock, name), b"")
            if name == "read":
                await book.note_read(name)
            if name != "open":
                await book.advance(name, JobState.CANCELLED, clock.now())
            clock.advance(1)
        assert await book.forget_unread("another", 0) == []
        assert await book.forget_unread("tests", 2) == ["old"]
        assert {job.id for job in book.jobs(9)} == {"read", "mid", "new", "open"}

    async def test_lists_begin_with_the_newest(self, book: MirrorBook, clock: FakeClock) -> None:
        for name in "abc":
            await book.add_job(job_of(clock, name), b"")
            clock.advance(1)
        await book.add_job(replace(job_of(clock, "d"), client="another"), b"")
        assert [job.id for job in book.jobs(2)] == ["d", "c"]
        assert [job.id for job in book.jobs_named("tests", 2)] == ["c", "b"]

    async def test_what_is_worked_on_is_not_due(self, book: MirrorBook, leases: Leases, clock: FakeClock) -> None:
        assert not book.any_open()
        await book.add_job(job_of(clock), b"")
        assert book.any_open()
        assert [job.id for job in book.due(clock.now(), 10)] == ["one"]
        assert await leases.acquire("mirror/one", "me", clock.now(), 30.0)
        assert (book.due(clock.now(), 10), book.running(clock.now())) == ([], 1)
        clock.advance(30)
        assert ([job.id for job in book.due(clock.now(), 10)], book.running(clock.now())) == (["one"], 0)

    async def test_what_has_ended_stays_ended(self, book: MirrorBook, clock: FakeClock) -> None:
        await book.add_job(job_of(clock), b"")
        assert await book.advance("one", JobState.RUNNING, clock.now())
        clock.advance(5)
        assert await book.advance("one", JobState.CANCELLED, clock.now())
        assert not await book.advance("one", JobState.COMPLETED, clock.now())
        found = book.find_job("one")
        assert found is not None
        assert found.started_at is not None
        assert found.ended_at is not None
        assert (found.state, (found.ended_at - found.started_at).total_seconds()) == (JobState.CANCELLED, 5)
        assert book.due(clock.now(), 10) == []

    async def test_items_are_numbered_and_equal_ones_are_one(self, book: MirrorBook, clock: FakeClock) -> None:
        await book.add_job(job_of(clock), b"")
        await book.record("one", [file_of("a"), file_of("b"), file_of("a")], (), clock.now())
        await book.record("one", [file_of("b"), file_of("c")], (), clock.now())
        assert [(item.number, item.key) for item in book.items("one", 0, 10)] == [(1, "a"), (2, "b"), (3, "c")]
        assert [item.key for item in book.items("one", 1, 1)] == ["b"]
        assert [item.key for item in book.open_items("one", [ItemKind.FILE], 2, 10)] == ["c"]
        assert book.open_items("one", [ItemKind.SELECTION], 0, 10) == []

    async def test_counts_are_kept_whatever_becomes_of_items(self, book: MirrorBook, clock: FakeClock) -> None:
        await book.add_job(job_of(clock), b"")
        selection = replace(file_of("s"), kind=ItemKind.SELECTION)
        await book.record("one", [selection, *map(file_of, "abcd")], (), clock.now())
        settled = [
            Settled(item=file_of("a", ItemState.DONE, 10)),
            Settled(item=file_of("b", ItemState.HELD, 5)),
            Settled(item=file_of("new", ItemState.ABSENT)),
            failed(file_of("c")),
            failed(selection),
        ]
        for _ in range(2):
            await book.record("one", (), settled, clock.now())
            job = book.find_job("one")
            assert job is not None
            assert job.counts == Counts(total=6, done=1, held=1, absent=1, failed=2, fetched_bytes=10, held_bytes=5)
        assert await book.reopen("one", [ItemState.FAILED])
        job = book.find_job("one")
        assert job is not None
        assert (job.counts.total, job.counts.failed, book.errors("one")) == (5, 0, [])
        assert {item.key for item in book.open_items("one", list(ItemKind), 0, 10)} == {"s", "c", "d"}

    async def test_what_was_settled_first_counts(self, book: MirrorBook, clock: FakeClock) -> None:
        await book.add_job(job_of(clock), b"")
        await book.record("one", [file_of("a")], [Settled(item=file_of("a", ItemState.DONE, 7))], clock.now())
        await book.record("one", [file_of("a")], [Settled(item=file_of("a", ItemState.HELD, 7))], clock.now())
        assert [item.state for item in book.items("one", 0, 10)] == [ItemState.DONE]

    async def test_errors_are_told_up_to_a_cap(self, book: MirrorBook, clock: FakeClock) -> None:
        await book.add_job(job_of(clock), b"")
        items = [file_of(f"{number:04}") for number in range(1100)]
        await book.record("one", (), [failed(item, item.key) for item in items], clock.now())
        errors = book.errors("one")
        assert (len(errors), errors[0]) == (1000, ItemError(subject="0000", error="0000", code="absent"))

    async def test_an_ended_job_is_queued_again_and_a_running_one_goes_on(
        self, book: MirrorBook, clock: FakeClock
    ) -> None:
        await book.add_job(job_of(clock), b"")
        await book.advance("one", JobState.RUNNING, clock.now())
        assert await book.reopen("one", ())
        job = book.find_job("one")
        assert job is not None
        assert job.state is JobState.RUNNING
        await book.advance("one", JobState.FAILED, clock.now(), "it broke")
        assert await book.reopen("one", ())
        job = book.find_job("one")
        assert job is not None
        assert (job.state, job.ended_at, job.problem) == (JobState.QUEUED, None, "")
        assert not await book.reopen("none", ())

    async def test_pins_are_told_and_released_by_job(self, book: MirrorBook, pins: Pins, clock: FakeClock) -> None:
        await book.add_job(job_of(clock), b"")
        await book.record("one", [file_of("a")], [Settled(item=file_of("b", ItemState.DONE))], clock.now())
        await pins.pin("two", [("npm", "b"), ("npm", "c")], clock.now())
        await pins.pin("two", [("npm", "b")], clock.now())
        told = {pin.job: (pin.name, pin.entries, pin.pinned_at) for pin in pins.summaries()}
        assert told == {"one": ("one", 1, clock.now()), "two": ("", 2, clock.now())}
        assert (await pins.release("two"), await pins.release("two")) == (2, 0)

    async def test_a_job_takes_over_what_others_pinned(self, book: MirrorBook, pins: Pins, clock: FakeClock) -> None:
        await pins.pin("old", [("npm", "a"), ("npm", "b")], clock.now())
        await pins.pin("new", [("npm", "b")], clock.now())
        await book.supersede("new", ["old"], release=False)
        assert [(pin.job, pin.entries) for pin in pins.summaries()] == [("new", 2)]
        await pins.pin("old", [("npm", "z")], clock.now())
        await book.supersede("new", ["old"], release=True)
        assert [(pin.job, pin.entries) for pin in pins.summaries()] == [("new", 2)]

    async def test_what_ended_is_forgotten_but_for_the_row_of_what_pins(
        self, book: MirrorBook, pins: Pins, clock: FakeClock
    ) -> None:
        for name in ("open", "plain", "pinning"):
            await book.add_job(job_of(clock, name), b"")
            await book.record(name, [file_of("a")], (), clock.now())
        await pins.pin("pinning", [("npm", "a")], clock.now())
        for name in ("plain", "pinning"):
            await book.advance(name, JobState.COMPLETED, clock.now())
        assert list(await book.forget(clock.now())) == []
        clock.advance(1)
        assert set(await book.forget(clock.now())) == {"plain", "pinning"}
        assert {job.id for job in book.jobs(10)} == {"open", "pinning"}
        assert [len(book.items(name, 0, 10)) for name in ("open", "plain", "pinning")] == [1, 0, 0]
