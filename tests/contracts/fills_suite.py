"""What every FillBook promises. A subclass brings the fixtures `book`, `leases` and `clock`."""

import asyncio
from dataclasses import replace

from entrepot.contracts.fills import Fill, FillBook, FillState
from entrepot.contracts.leases import Lease, Leases
from tests.fakes import FakeClock

TTL = 60.0


def fill_of(clock: FakeClock, path: str = "simple/flask/", *, client: str = "127.0.0.1") -> Fill:
    return Fill(
        key=f"pypi/{path} text/html",
        repository="pypi",
        path=path,
        query="a=1",
        accept="text/html",
        reason="demand",
        client=client,
        created_at=clock.now(),
    )


async def lease_of(leases: Leases, clock: FakeClock, fill: Fill) -> Lease:
    lease = await leases.acquire(fill.key, "one", clock.now(), TTL)
    assert lease is not None
    return lease


class FillsSuite:
    async def test_what_was_added_is_due_as_it_was(self, book: FillBook, clock: FakeClock) -> None:
        fill = fill_of(clock)
        assert not book.any_open()
        assert set(await book.add([fill], clock.now())) == {fill.key}
        assert book.any_open()
        assert book.is_open(fill.key)
        assert book.due(clock.now(), 10) == [fill]

    async def test_of_many_who_add_the_same_at_once_one_did(self, book: FillBook, clock: FakeClock) -> None:
        fill = fill_of(clock)
        added = await asyncio.gather(*(book.add([fill, fill], clock.now()) for _ in range(50)))
        assert sum(len(keys) for keys in added) == 1
        assert book.due(clock.now(), 10) == [fill]

    async def test_the_oldest_are_due_first(self, book: FillBook, clock: FakeClock) -> None:
        for path in ("c", "a", "b"):
            await book.add([fill_of(clock, path)], clock.now())
            clock.advance(1)
        assert [fill.path for fill in book.due(clock.now(), 2)] == ["c", "a"]

    async def test_what_is_worked_on_is_not_due_until_its_lease_expires(
        self, book: FillBook, leases: Leases, clock: FakeClock
    ) -> None:
        fill = fill_of(clock)
        await book.add([fill], clock.now())
        await lease_of(leases, clock, fill)
        assert book.due(clock.now(), 10) == []
        assert book.any_open()
        clock.advance(TTL)
        assert book.due(clock.now(), 10) == [fill]

    async def test_what_failed_is_due_after_its_pause(self, book: FillBook, leases: Leases, clock: FakeClock) -> None:
        fill = fill_of(clock)
        await book.add([fill], clock.now())
        await leases.keep((await lease_of(leases, clock, fill)).failed(clock.now(), 30.0, 30.0, "refused"))
        clock.advance(29)
        assert book.due(clock.now(), 10) == []
        clock.advance(1)
        assert book.due(clock.now(), 10) == [fill]

    async def test_what_is_closed_is_not_due_and_can_be_added_anew(self, book: FillBook, clock: FakeClock) -> None:
        fill = fill_of(clock)
        for state in (FillState.DONE, FillState.FAILED):
            await book.add([fill], clock.now())
            await book.close(fill.key, state)
            assert book.due(clock.now(), 10) == []
            assert not book.any_open()
            assert not book.is_open(fill.key)
            clock.advance(1)
            fill = replace(fill_of(clock, client="another"), reason="access")
        assert set(await book.add([fill], clock.now())) == {fill.key}
        assert book.due(clock.now(), 10) == [fill]

    async def test_nothing_is_added_before_its_time(self, book: FillBook, leases: Leases, clock: FakeClock) -> None:
        fill = fill_of(clock)
        await leases.keep((await lease_of(leases, clock, fill)).succeeded(clock.now(), 3600.0))
        assert not await book.add([fill], clock.now())
        clock.advance(3599)
        assert not await book.add([fill], clock.now())
        clock.advance(1)
        assert await book.add([fill], clock.now())

    async def test_lease_07_nothing_waits_for_a_clock_that_was_set_back(
        self, book: FillBook, leases: Leases, clock: FakeClock
    ) -> None:
        quiet, failed = fill_of(clock, "quiet"), fill_of(clock, "failed")
        await leases.keep((await lease_of(leases, clock, quiet)).succeeded(clock.now(), 3600.0))
        await book.add([failed], clock.now())
        await leases.keep((await lease_of(leases, clock, failed)).failed(clock.now(), 30.0, 30.0, "refused"))
        clock.advance(-86400)
        assert await book.add([quiet], clock.now())
        assert {fill.path for fill in book.due(clock.now(), 10)} == {"quiet", "failed"}

    async def test_what_is_open_is_counted_by_client_and_repository(self, book: FillBook, clock: FakeClock) -> None:
        await book.add([fill_of(clock, path, client="me") for path in "abc"], clock.now())
        await book.add([fill_of(clock, "d", client="you")], clock.now())
        await book.close(fill_of(clock, "a").key, FillState.DONE)
        assert dict(book.open_counts()) == {("me", "pypi"): 2, ("you", "pypi"): 1}

    async def test_records_tell_of_open_failed_and_done_ones_in_this_order(
        self, book: FillBook, leases: Leases, clock: FakeClock
    ) -> None:
        fills = [fill_of(clock, path) for path in ("done", "failed", "open", "held")]
        for fill in fills:
            await book.add([fill], clock.now())
            clock.advance(1)
        lease = await lease_of(leases, clock, fills[3])
        await book.close(fills[0].key, FillState.DONE)
        await book.close(fills[1].key, FillState.FAILED)
        records = book.records(10)
        assert [(record.fill.path, record.fill.state.value) for record in records] == [
            ("open", "open"),
            ("held", "open"),
            ("failed", "failed"),
            ("done", "done"),
        ]
        assert [record.lease for record in records] == [None, lease, None, None]
        assert len(book.records(2)) == 2

    async def test_what_was_removed_is_gone(self, book: FillBook, clock: FakeClock) -> None:
        fill, neighbour = fill_of(clock), fill_of(clock, "simple/flask/x")
        await book.add([fill, neighbour], clock.now())
        assert await book.remove(fill.key) == [fill.key]
        assert await book.remove(fill.key) == []
        assert [record.fill for record in book.records(10)] == [neighbour]

    async def test_a_key_without_representation_means_all_of_them(self, book: FillBook, clock: FakeClock) -> None:
        fill = fill_of(clock)
        other = replace(fill, key="pypi/simple/flask/ application/json", accept="application/json")
        neighbour = replace(fill, key="pypi/simple/flask/x", path="simple/flask/x")
        await book.add([fill, other, neighbour], clock.now())
        assert set(await book.remove("pypi/simple/flask/")) == {fill.key, other.key}
        assert [record.fill.key for record in book.records(10)] == [neighbour.key]

    async def test_all_that_failed_are_removed_at_once(self, book: FillBook, clock: FakeClock) -> None:
        opened, done, failed = (fill_of(clock, path) for path in ("opened", "done", "failed"))
        await book.add([opened, done, failed], clock.now())
        await book.close(done.key, FillState.DONE)
        await book.close(failed.key, FillState.FAILED)
        assert await book.remove_failed() == [failed.key]
        assert await book.remove_failed() == []
        assert {record.fill.path for record in book.records(10)} == {"opened", "done"}

    async def test_closed_ones_are_forgotten_with_their_leases(
        self, book: FillBook, leases: Leases, clock: FakeClock
    ) -> None:
        kept, lost, opened = (fill_of(clock, path) for path in ("kept", "lost", "opened"))
        await book.add([kept, lost, opened], clock.now())
        await leases.keep((await lease_of(leases, clock, kept)).succeeded(clock.now(), 3600.0))
        await book.close(kept.key, FillState.DONE)
        await book.close(lost.key, FillState.DONE)
        await book.forget()
        assert {record.fill.path for record in book.records(10)} == {"kept", "opened"}
