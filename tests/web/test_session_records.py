"""What of a session's traffic is written down, and what a frozen one is served, at the front door."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrepot.cache.recording import Recorder
from entrepot.cache.replays import Replays
from entrepot.catalog.pins import SqlitePins
from entrepot.catalog.sessions import SqliteSessions
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.sessions import Served, ServedState, Session
from entrepot.errors import NotCached, StoreFailure
from entrepot.mirror.sessions.archive import Archive, SessionRules
from entrepot.mirror.sessions.freezing import Freezer
from entrepot.mirror.sessions.reading import read_session_bill
from entrepot.web.session_views import SessionViews
from entrepot.web.sessions import Sessions
from tests.cache.works import Works, listing, page, sha256
from tests.fakes import Reply
from tests.web.front import Front

pytestmark = pytest.mark.anyio

BODY = b"the tool"
OTHER = b"another tool"
MOST = 5
COMPONENT = (
    b'{"type": "library", "name": "tool", "purl": "pkg:generic/tool", "components": [{"type": "file", "name": "a.tgz",'
    b'"hashes": [{"alg": "SHA-256", "content": "' + b"a" * 64 + b'"}],'
    b'"properties": [{"name": "entrepot:path", "value": "/shelf/tool/a.tgz"}]}]}'
)


class Moody(SqliteSessions):
    """A book that can be out of order for a while."""

    broken = False

    async def record(self, served: Sequence[Served], lost: Mapping[str, int], writer: str, most: int) -> None:
        if self.broken:
            raise StoreFailure("the catalog takes nothing")
        await super().record(served, lost, writer, most)


@dataclass(kw_only=True)
class Desk:
    works: Works
    front: Front
    sessions: Sessions
    book: Moody
    recorder: Recorder
    archive: Archive

    async def open(self, name: str) -> None:
        self.front.sessions.add(name)
        await self.archive.open(name, client="test")

    async def items(self, session: str = "s") -> dict[str, tuple[ServedState, str]]:
        await self.works.settle()
        await self.recorder.flush()
        return {item.key: (item.state, item.sha256) for item in self.book.items(session, ("", ""), 100)}

    def session(self) -> Session:
        return self.archive.load("s")


@pytest.fixture
async def desk(works: Works, tmp_path: Path) -> AsyncIterator[Desk]:
    works.fetcher.on("tool/", page(listing(a_tgz=BODY, b_tgz=OTHER), content_type="application/json"))
    works.fetcher.on("tool/a.tgz", page(BODY))
    works.fetcher.on("tool/b.tgz", page(OTHER))
    works.fetcher.on("signed/keys", page(b"keys"))
    catalog = SqliteCatalog.open(tmp_path / "sessions.db", works.clock)
    book, sessions = Moody(catalog), Sessions(private=False)
    repositories = {"shelf": works.shelf}
    recorder = Recorder(book, works.kit, writer="me/1", most=MOST)
    freezer = Freezer(works.kit, book, SqlitePins(catalog), works.generation, repositories)
    archive = Archive(
        works.kit,
        book,
        recorder,
        freezer,
        repositories,
        SessionRules(keep=2, items=MOST),
        shared=False,
        is_living=lambda writer: writer == "me/1",
    )
    views = SessionViews(sessions, Replays(book, repositories))
    front = Front(works, tmp_path / "front", views=views, recorder=recorder)
    desk = Desk(works=works, front=front, sessions=sessions, book=book, recorder=recorder, archive=archive)
    await desk.open("s")
    yield desk
    front.close()
    await catalog.close()


# --- what is written down -----------------------------------------------------------------------------------------


async def test_files_and_indexes_are_written_down_with_the_digests_of_what_is_stored(desk: Desk) -> None:
    for path in ("tool/", "tool/a.tgz", "signed/keys"):
        assert (await desk.front.get(f"/~s/shelf/{path}")).status == 200
    assert await desk.items() == {
        "signed/keys": (ServedState.SERVED, sha256(b"keys")),
        "tool/": (ServedState.SERVED, sha256(listing(a_tgz=BODY, b_tgz=OTHER))),
        "tool/a.tgz": (ServedState.SERVED, sha256(BODY)),
    }


async def test_what_is_given_from_memory_was_written_down_the_first_time(desk: Desk) -> None:
    await desk.front.get("/shelf/tool/a.tgz")
    await desk.works.settle()
    for _ in range(3):
        assert (await desk.front.get("/~s/shelf/tool/a.tgz")).status == 200
    assert await desk.items() == {"tool/a.tgz": (ServedState.SERVED, sha256(BODY))}
    (item,) = desk.book.items("s", ("", ""), 10)
    assert (item.repository, item.size_bytes, item.served_at) == ("shelf", len(BODY), desk.works.clock.now())


async def test_a_part_and_a_copy_that_is_still_good_count_and_a_question_about_it_does_not(desk: Desk) -> None:
    await desk.front.get("/~s/shelf/tool/a.tgz", method="HEAD")
    await desk.front.get("/shelf/tool/a.tgz")
    await desk.works.settle()
    assert await desk.items() == {}
    assert (await desk.front.get("/~s/shelf/tool/a.tgz", range="bytes=1-2")).status == 206
    assert set(await desk.items()) == {"tool/a.tgz"}
    etag = (await desk.front.get("/shelf/tool/b.tgz")).fields.get("etag", f'"{sha256(OTHER)[:40]}"')
    await desk.works.settle()
    assert (await desk.front.get("/~s/shelf/tool/b.tgz", if_none_match=etag)).status == 304
    assert set(await desk.items()) == {"tool/a.tgz", "tool/b.tgz"}


async def test_a_transfer_that_broke_and_a_refusal_are_not_written_down(desk: Desk) -> None:
    desk.works.fetcher.on("tool/a.tgz", page(b"not what the index says"))
    desk.works.fetcher.on("tool/b.tgz", Reply(status=500))
    for path in ("a", "b"):
        assert (await desk.front.get(f"/~s/shelf/tool/{path}.tgz")).status == 502
    desk.works.fetcher.on("loose/big", Reply(body=BODY * 500_000, cut_at=3_000_000))
    assert (await desk.front.get("/~s/shelf/loose/big")).broken
    assert await desk.items() == {}


async def test_that_something_does_not_exist_is_written_down(desk: Desk) -> None:
    assert (await desk.front.get("/~s/shelf/tool/none.tgz")).status == 404
    assert await desk.items() == {"tool/none.tgz": (ServedState.ABSENT, "")}


async def test_names_that_clients_make_up_are_booked_and_not_written_down(desk: Desk) -> None:
    desk.front.sessions.add("madeup")
    assert (await desk.front.get("/~madeup/shelf/tool/a.tgz")).status == 200
    assert await desk.items("madeup") == {}
    assert desk.archive.find("madeup") is None
    assert desk.works.counters.sessions["madeup"]["shelf"].requests == 1


# --- what it says of itself ---------------------------------------------------------------------------------------


async def test_the_bill_is_the_same_each_time_and_complete(desk: Desk) -> None:
    await desk.front.get("/~s/shelf/tool/a.tgz")
    await desk.works.settle()
    bill = await desk.archive.bill("s")
    assert (bill.incomplete, bill.body) == ((), (await desk.archive.bill("s")).body)
    told = read_session_bill("bill", bill.body)
    # The shelf has no package URLs, so its files are documents.
    assert told.documents == (("shelf", "tool/a.tgz"),)


async def test_a_record_that_was_cut_says_so(desk: Desk) -> None:
    for number in range(MOST + 2):
        desk.works.fetcher.on(f"loose/{number}", page(BODY))
        await desk.front.get(f"/~s/shelf/loose/{number}")
    assert len(await desk.items()) == MOST
    await desk.front.get("/~s/shelf/loose/0", range="bytes=0-1")
    (reason,) = (await desk.archive.bill("s")).incomplete
    assert reason == "of 2 answers nothing could be written down (it holds 5 things at most)"


async def test_what_the_catalog_does_not_take_waits_until_it_does(desk: Desk) -> None:
    desk.book.broken = True
    await desk.front.get("/~s/shelf/tool/a.tgz")
    await desk.works.settle()
    (reason,) = (await desk.archive.bill("s")).incomplete
    assert "could not be written down" in reason
    desk.book.broken = False
    assert set(await desk.items()) == {"tool/a.tgz"}
    assert (await desk.archive.bill("s")).incomplete == ()


async def test_what_was_served_without_being_stored_makes_it_incomplete(desk: Desk) -> None:
    desk.works.catalog.read_only = True
    assert (await desk.front.get("/~s/shelf/loose/a")).status == 404
    desk.works.fetcher.on("loose/b", page(BODY))
    assert (await desk.front.get("/~s/shelf/loose/b")).status == 200
    assert (await desk.items())["loose/b"] == (ServedState.UNSETTLED, "")


async def test_a_process_that_did_not_end_in_order_makes_it_incomplete(desk: Desk) -> None:
    item = Served(
        session="s", repository="shelf", key="tool/a.tgz", sha256=sha256(BODY), served_at=desk.works.clock.now()
    )
    await desk.book.record([item], {}, "other/2", MOST)
    assert (await desk.archive.bill("s")).incomplete == (
        "a server process ended before it had written everything down",
    )
    await desk.book.leave("other/2")
    assert (await desk.archive.bill("s")).incomplete == ()


# --- the same again -----------------------------------------------------------------------------------------------


async def test_a_frozen_session_serves_what_was_served_without_contact(desk: Desk) -> None:
    for path in ("tool/", "tool/a.tgz", "signed/keys", "tool/none.tgz"):
        await desk.front.get(f"/~s/shelf/{path}")
    await desk.works.settle()
    assert (await desk.archive.freeze("s")).missing == ()
    desk.works.clock.advance(30 * 86400)
    desk.works.fetcher.on("signed/keys", page(b"other keys"))
    desk.works.fetcher.asks.clear()
    assert (await desk.front.get("/~s/shelf/tool/a.tgz")).body == BODY
    assert (await desk.front.get("/~s/shelf/signed/keys")).body == b"keys"
    assert (await desk.front.get("/~s/shelf/tool/none.tgz")).status == 404
    refused = await desk.front.get("/~s/shelf/tool/b.tgz")
    assert (refused.status, b"it is not part of session s" in refused.body) == (403, True)
    assert (await desk.front.get("/~s/shelf/pass/x", "POST")).status == 403
    assert desk.works.fetcher.asks == []
    assert (await desk.front.get("/shelf/signed/keys")).body == b"other keys"
    assert (await desk.front.get("/~s/shelf/signed/keys")).body == b"keys"


async def test_answers_in_memory_from_before_it_was_frozen_are_not_given_again(desk: Desk) -> None:
    desk.front.sessions.add("late")
    for path in ("tool/a.tgz", "tool/b.tgz"):
        await desk.front.get(f"/shelf/{path}")
    await desk.works.settle()
    # In memory from before the session was opened, so it is not in its record.
    assert [(await desk.front.get("/~late/shelf/tool/b.tgz")).status for _ in range(2)] == [200, 200]
    await desk.open("late")
    assert (await desk.front.get("/~late/shelf/tool/a.tgz")).status == 200
    await desk.archive.freeze("late")
    assert (await desk.front.get("/~late/shelf/tool/b.tgz")).status == 403
    assert [(await desk.front.get("/~late/shelf/tool/a.tgz")).status for _ in range(2)] == [200, 200]


async def test_a_session_that_replays_another_is_served_its_set_and_recorded_itself(desk: Desk) -> None:
    await desk.front.get("/~s/shelf/tool/a.tgz")
    await desk.works.settle()
    await desk.archive.freeze("s")
    await desk.open("again")
    with desk.sessions.open("again", replays="s"):
        assert (await desk.front.get("/~again/shelf/tool/b.tgz")).status == 403
        assert (await desk.front.get("/~again/shelf/tool/a.tgz")).body == BODY
    assert await desk.items("again") == {"tool/a.tgz": (ServedState.SERVED, sha256(BODY))}


async def test_what_was_purged_since_is_said_to_be_missing(desk: Desk) -> None:
    for path in ("tool/a.tgz", "signed/keys"):
        await desk.front.get(f"/~s/shelf/{path}")
    await desk.works.settle()
    await desk.works.catalog.delete_entries("shelf", ["tool/a.tgz"])
    assert (await desk.archive.freeze("s")).missing == ("/shelf/tool/a.tgz",)
    gone = await desk.front.get("/~s/shelf/tool/a.tgz")
    assert (gone.status, b"part of session s, but not stored any more" in gone.body) == (504, True)


async def test_a_bill_is_a_session_again_where_its_files_are_stored(desk: Desk) -> None:
    await desk.front.get("/~s/shelf/signed/keys")
    await desk.works.settle()
    body = (await desk.archive.bill("s")).body
    first, again = [await desk.archive.adopt("build.cdx.json", body) for _ in range(2)]
    assert (first.missing, again.session) == ((), first.session)
    desk.front.sessions.add(first.session)
    assert (await desk.front.get(f"/~{first.session}/shelf/signed/keys")).body == b"keys"
    lacking = body.replace(b'"components": []', b'"components": [' + COMPONENT + b"]")
    with pytest.raises(NotCached, match="1 of its 1 files are not stored with these bytes: /shelf/tool/a"):
        await desk.archive.adopt("build.cdx.json", lacking)


# --- for how long -------------------------------------------------------------------------------------------------


async def test_the_oldest_sessions_are_forgotten_but_not_those_that_were_frozen(desk: Desk) -> None:
    await desk.front.get("/~s/shelf/signed/keys")
    await desk.works.settle()
    await desk.archive.freeze("s")
    for number in range(3):
        desk.works.clock.advance(1)
        await desk.open(f"n{number}")
    await desk.archive.tidy()
    assert [one for one in ("s", "n0", "n1", "n2") if desk.archive.find(one)] == ["s", "n1", "n2"]
    desk.works.clock.advance(31 * 86400)
    await desk.archive.tidy()
    assert [one for one in ("s", "n0", "n1", "n2") if desk.archive.find(one)] == ["s"]


async def test_a_session_that_was_dropped_keeps_nothing(desk: Desk) -> None:
    await desk.front.get("/~s/shelf/signed/keys")
    await desk.works.settle()
    await desk.archive.freeze("s")
    assert desk.works.catalog.find_entry("shelf", "signed/keys ~s") is not None
    await desk.archive.drop("s")
    assert desk.archive.find("s") is None
    assert desk.works.catalog.find_entry("shelf", "signed/keys ~s") is None
    desk.works.fetcher.on("signed/keys", page(b"other keys"))
    desk.works.clock.advance(86400)
    assert (await desk.front.get("/~s/shelf/signed/keys")).body == b"other keys"
