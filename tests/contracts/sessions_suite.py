"""What every SessionBook promises. A subclass brings the fixtures `book` and `clock`."""

from dataclasses import replace
from datetime import timedelta

from entrepot.contracts.sessions import Served, ServedState, Session, SessionBook, SessionState
from tests.fakes import FakeClock

A, B = "a" * 64, "b" * 64
ALL = ("", "")


def session_of(clock: FakeClock, name: str = "s", *, kept: bool = False) -> Session:
    return Session(id=name, name="make", client="ci", kept=kept, created_at=clock.now())


def served_of(clock: FakeClock, key: str = "simple/flask/", *, sha256: str = A, session: str = "s") -> Served:
    state = ServedState.SERVED if sha256 else ServedState.UNSETTLED
    return Served(
        session=session, repository="pypi", key=key, state=state, sha256=sha256, size_bytes=7, package="flask",
        version="1.0", served_at=clock.now(),
    )  # fmt: skip


def absent(served: Served) -> Served:
    return replace(served, state=ServedState.ABSENT, sha256="", size_bytes=0, package="", version="")


async def record(book: SessionBook, *served: Served, most: int = 100) -> None:
    await book.record(served, {}, "one", most)


class SessionsSuite:
    async def test_what_was_served_is_found_as_it_was_in_the_order_of_its_names(
        self, book: SessionBook, clock: FakeClock
    ) -> None:
        await book.open(session_of(clock))
        items = [served_of(clock, key) for key in ("b", "a", "c")]
        await record(book, *items)
        assert book.items("s", ALL, 10) == sorted(items, key=lambda one: one.key)
        assert [one.key for one in book.items("s", ("pypi", "a"), 1)] == ["b"]
        found = book.find("s")
        assert found == replace(session_of(clock), items=3)

    async def test_nothing_is_written_down_of_a_session_that_is_not_open(
        self, book: SessionBook, clock: FakeClock
    ) -> None:
        await record(book, served_of(clock))
        assert (book.find("s"), book.items("s", ALL, 10)) == (None, [])
        await book.open(session_of(clock))
        assert await book.change("s", SessionState.FROZEN, kept=True)
        await record(book, served_of(clock))
        found = book.find("s")
        assert found is not None
        assert (found.state, found.kept, found.items, found.lost) == (SessionState.FROZEN, True, 0, 1)

    async def test_opening_one_again_changes_nothing(self, book: SessionBook, clock: FakeClock) -> None:
        await book.open(session_of(clock))
        await record(book, served_of(clock))
        clock.advance(60)
        await book.open(session_of(clock))
        found = book.find("s")
        assert found is not None
        assert (found.items, found.created_at) == (1, clock.now() - timedelta(seconds=60))

    async def test_the_first_time_and_the_last_bytes_count(self, book: SessionBook, clock: FakeClock) -> None:
        await book.open(session_of(clock))
        first = served_of(clock, sha256=A)
        await record(book, first)
        clock.advance(60)
        await record(book, served_of(clock, sha256=B))
        assert book.items("s", ALL, 10) == [replace(first, sha256=B)]

    async def test_what_is_settled_stays_so_and_an_absence_ends_with_what_is_served(
        self, book: SessionBook, clock: FakeClock
    ) -> None:
        await book.open(session_of(clock))
        known, unsettled = served_of(clock), served_of(clock, sha256="")
        for before, after, left in (
            (unsettled, known, known),
            (known, unsettled, known),
            (known, absent(known), known),
            (absent(known), known, known),
            (absent(known), unsettled, unsettled),
        ):
            await book.drop("s")
            await book.open(session_of(clock))
            await record(book, before)
            await record(book, after)
            assert book.items("s", ALL, 10) == [left]
            assert book.is_settled("s") == (left is known)

    async def test_what_is_too_much_is_counted_as_lost(self, book: SessionBook, clock: FakeClock) -> None:
        await book.open(session_of(clock))
        await record(book, *(served_of(clock, str(number)) for number in range(4)), most=3)
        await record(book, served_of(clock, "0", sha256=B), most=3)
        await book.record([], {"s": 2}, "one", 3)
        found = book.find("s")
        assert found is not None
        assert (found.items, found.lost) == (3, 3)
        assert book.items("s", ALL, 1)[0].sha256 == B

    async def test_writers_are_known_until_they_leave(self, book: SessionBook, clock: FakeClock) -> None:
        await book.open(session_of(clock))
        await record(book, served_of(clock))
        await book.record([served_of(clock, "b")], {}, "two", 9)
        await book.record([served_of(clock, "c")], {}, "", 9)
        assert sorted(book.writers("s")) == ["one", "two"]
        await book.leave("one")
        assert book.writers("s") == ["two"]

    async def test_a_dropped_session_leaves_nothing_and_others_stay(self, book: SessionBook, clock: FakeClock) -> None:
        for name in ("s", "t"):
            await book.open(session_of(clock, name))
            await record(book, served_of(clock, session=name))
        await book.drop("s")
        assert (book.find("s"), book.items("s", ALL, 10), book.writers("s")) == (None, [], [])
        assert len(book.items("t", ALL, 10)) == 1
        assert not await book.change("s", SessionState.FROZEN, kept=True)

    async def test_the_old_and_the_many_are_surplus_but_not_what_is_kept(
        self, book: SessionBook, clock: FakeClock
    ) -> None:
        for number in range(4):
            await book.open(session_of(clock, f"s{number}", kept=number == 1))
            clock.advance(60)
        long_ago = clock.now() - timedelta(days=1)
        assert set(book.surplus(long_ago, 10)) == set()
        assert set(book.surplus(long_ago, 1)) == {"s0", "s2"}
        assert set(book.surplus(clock.now() - timedelta(seconds=150), 10)) == {"s0"}
