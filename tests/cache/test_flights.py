"""One download, many readers: joining, leaving, resuming, breaking, and a disk that gives up on the way."""

import asyncio
import gc
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.cache.answer import Answer, Growing
from entrepot.cache.ask import ClientAsk
from entrepot.cache.flight import Flight, Head
from entrepot.cache.order import Limits, Order
from entrepot.cache.plan import Wish
from entrepot.contracts.blobs import GrowingBlob, OpenBlob
from entrepot.contracts.ecosystem import Limits as Caps
from entrepot.contracts.fetcher import Ask
from entrepot.ecosystems.rpm import Rpm
from entrepot.errors import (
    BadContent,
    BodyCut,
    EntrepotError,
    InternalError,
    NotCached,
    StoreFailure,
    Unreachable,
    UnreadableIndex,
    UpstreamFailure,
)
from entrepot.model.entry import Blob
from entrepot.model.headers import Headers
from entrepot.model.release import Document, Release
from entrepot.model.resource import Request, Resource
from entrepot.storage.filesystem import FilesystemBlobs
from tests.cache.works import Shelf, Works, body_of, listing, page, sha256, until, works_in
from tests.fakes import Reply

pytestmark = pytest.mark.anyio
MIB = 1 << 20
BIG = b"".join(number.to_bytes(4, "big") for number in range(3 * MIB // 4))


def gated(body: bytes, *offsets: int) -> tuple[Reply, list[asyncio.Event]]:
    """An answer that stands still at each offset until its event is set."""
    gates = {offset: asyncio.Event() for offset in offsets}
    return replace(page(body), gates=gates), list(gates.values())


async def reads(answer: Answer, size: int) -> bytes:
    """The first `size` bytes of a growing answer, as soon as they are there."""
    assert isinstance(answer.body, Growing)
    got = b""
    with answer.body.flight.reader() as reader:
        while len(got) < size:
            got += await reader.read(size - len(got), asyncio.to_thread)
    return got


class CountingShelf(Shelf):
    """Counts how often an index is read for what it says of files."""

    read = 0

    def releases(self, document: Document) -> Iterator[Release]:
        self.read += 1
        return super().releases(document)


async def test_ath_11_what_is_still_being_written_is_no_file_yet(works: Works) -> None:
    reply, (gate,) = gated(BIG, MIB)
    works.fetcher.on("loose/a", reply)
    answer = await works.fetch("loose/a")
    assert await reads(answer, 1000) == BIG[:1000]
    assert works.blobs.digests() == []
    for one in (works, works.sibling()):
        with pytest.raises(NotCached):
            await one.fetch("loose/a", wish=Wish(stored_only=True))
    gate.set()
    assert await body_of(answer) == BIG
    await works.settle()
    assert await works.get("loose/a", wish=Wish(stored_only=True)) == (200, BIG)


async def test_ath_11_what_broke_off_half_way_is_no_file_at_all(works: Works) -> None:
    works.fetcher.on("loose/a", replace(page(BIG), cut_at=MIB), Reply(status=416))
    with pytest.raises(BodyCut):
        await works.get("loose/a")
    await works.settle()
    assert works.blobs.digests() == []
    with pytest.raises(NotCached):
        await works.fetch("loose/a", wish=Wish(stored_only=True))


# --- joining and leaving ----------------------------------------------------------------------------------------------


async def test_many_cold_readers_cost_one_request(works: Works) -> None:
    works.fetcher.on("loose/a", page(BIG))
    answers = await asyncio.gather(*(works.get("loose/a") for _ in range(50)))
    assert all(answer == (200, BIG) for answer in answers)
    assert len(works.fetcher.asks) == 1


async def test_many_cold_readers_of_files_of_one_index_read_it_once(works: Works) -> None:
    files = {f"f{number}": b"%d" % number for number in range(3000)}
    works.fetcher.on("pkg/", page(listing(**files)))
    for name, body in files.items():
        works.fetcher.on(f"pkg/{name}", page(body))
    counting = CountingShelf()
    works.shelf = replace(works.shelf, ecosystem=counting)
    await asyncio.gather(*(works.get(f"pkg/f{number}") for number in range(30)))
    assert len(works.fetcher.asked("pkg/")) == 1
    assert counting.read == 1


async def test_who_joins_late_gets_everything_and_at_once_what_has_arrived(works: Works) -> None:
    reply, (half,) = gated(BIG, len(BIG) // 2)
    works.fetcher.on("loose/a", reply)
    first = await works.fetch("loose/a")
    assert await reads(first, len(BIG) // 2) == BIG[: len(BIG) // 2]
    late = await works.fetch("loose/a")
    assert late.trace.outcome == "joined"
    assert await reads(late, len(BIG) // 2) == BIG[: len(BIG) // 2]
    half.set()
    assert [await body_of(first), await body_of(late)] == [BIG, BIG]
    assert len(works.fetcher.asks) == 1


async def test_nobody_has_to_stay_for_a_download_to_end(works: Works) -> None:
    reply, (half,) = gated(BIG, 1000)
    works.fetcher.on("loose/a", reply)
    answer = await works.fetch("loose/a")
    await reads(answer, 500)
    del answer
    half.set()
    await works.settle()
    assert await works.get("loose/a") == (200, BIG)
    assert len(works.fetcher.asks) == 1


async def test_who_is_cancelled_while_waiting_disturbs_nobody(works: Works) -> None:
    reply, (gate,) = gated(BIG, 0)
    works.fetcher.on("pkg/", page(listing(a=BIG)))
    works.fetcher.on("pkg/a", reply)
    waiting = [asyncio.create_task(works.get("pkg/a")) for _ in range(3)]
    await until(lambda: bool(works.fetcher.asked("pkg/a")))
    waiting[0].cancel()
    gate.set()
    assert await asyncio.gather(*waiting[1:]) == [(200, BIG)] * 2
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]


async def test_an_answer_that_is_sent_long_after_the_flight_ended_is_whole(works: Works) -> None:
    works.fetcher.on("loose/a", page(BIG))
    answer = await works.fetch("loose/a")
    await works.settle()
    await works.janitor.remove(sha256(BIG))
    assert await body_of(answer) == BIG


async def test_who_decided_before_a_flight_ended_does_not_repeat_it(works: Works) -> None:
    works.fetcher.on("loose/a", page(BIG))
    resource = works.shelf.ecosystem.route(Request(method="GET", path="loose/a"))
    assert isinstance(resource, Resource)
    order = Order(repository=works.shelf, resource=resource, counts=works.counts)
    await works.get("loose/a")
    await works.settle()
    flight, joined = works.flights.launch(order)
    entry = await flight.stored
    assert (entry.sha256, joined) == (sha256(BIG), False)
    assert len(works.fetcher.asks) == 1


async def test_a_failed_flight_tells_everybody_and_is_forgotten(works: Works) -> None:
    works.fetcher.on("loose/a", Unreachable("refused"))
    results = await asyncio.gather(*(works.get("loose/a") for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [Unreachable] * 5
    assert len(works.fetcher.asks) == 1
    works.fetcher.on("loose/a", page(BIG))
    assert await works.get("loose/a") == (200, BIG)


async def test_a_body_that_breaks_for_good_breaks_every_reader(works: Works) -> None:
    works.fetcher.on("loose/a", replace(page(BIG), cut_at=MIB), Reply(status=500))
    answers = [await works.fetch("loose/a") for _ in range(3)]
    for answer in answers:
        with pytest.raises(BodyCut):
            await body_of(answer)
    await works.settle()
    assert works.blobs.digests() == []


async def test_a_defect_leaves_nobody_waiting(works: Works) -> None:
    def defect(_: Ask) -> Reply:
        raise ZeroDivisionError

    works.fetcher.on("loose/a", defect)
    with pytest.raises(InternalError):
        await works.get("loose/a")
    works.fetcher.on("loose/a", page(BIG))
    assert await works.get("loose/a") == (200, BIG)


async def test_a_defect_while_a_failure_is_noted_leaves_nobody_waiting(works: Works) -> None:
    works.fetcher.on("signed/a", page(b"old"), Unreachable("refused"))
    await works.get("signed/a")
    await works.settle()
    works.clock.advance(1000)

    async def defect(_: object) -> None:
        raise ZeroDivisionError

    works.catalog.put_entry = defect  # type: ignore[method-assign,assignment]
    async with asyncio.timeout(30):
        assert await works.get("signed/a") == (200, b"old")


# --- resuming ---------------------------------------------------------------------------------------------------------


def rest_of(body: bytes, **changes: Any) -> Callable[[Ask], Reply]:
    """What a server that knows ranges answers to a resume."""

    def answer(ask: Ask) -> Reply:
        start = int(ask.headers.get("range").removeprefix("bytes=").removesuffix("-"))
        field = ("content-range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        return Reply(status=206, body=body[start:], fields=(field,), **changes)

    return answer


async def test_a_cut_body_is_resumed_with_a_range_of_the_same_edition(works: Works) -> None:
    works.fetcher.on(
        "loose/a",
        replace(page(BIG, content_type="application/zip"), cut_at=MIB),
        rest_of(BIG, cut_at=MIB),
        rest_of(BIG),
    )
    assert await works.get("loose/a") == (200, BIG)
    await works.settle()
    _, second, third = works.fetcher.asks
    assert (second.headers.get("range"), third.headers.get("range")) == (f"bytes={MIB}-", f"bytes={2 * MIB}-")
    assert second.headers.get("if-range") == page(BIG).headers.get("etag")
    entry = works.catalog.find_entry("shelf", "loose/a")
    assert entry is not None
    assert entry.headers.get("content-type") == "application/zip"
    assert entry.headers.get("etag") == page(BIG).headers.get("etag")


async def test_a_third_cut_is_the_end(works: Works) -> None:
    works.fetcher.on("loose/a", replace(page(BIG), cut_at=MIB), *[rest_of(BIG, cut_at=10)] * 2, rest_of(BIG))
    with pytest.raises(BodyCut):
        await works.get("loose/a")
    assert len(works.fetcher.asks) == 3


async def test_a_whole_body_instead_of_the_rest_is_compared_and_continued(works: Works) -> None:
    works.fetcher.on("loose/a", replace(page(BIG), cut_at=MIB + 7), page(BIG))
    assert await works.get("loose/a") == (200, BIG)


async def test_another_edition_instead_of_the_rest_breaks_the_transfer(works: Works) -> None:
    works.fetcher.on("loose/a", replace(page(BIG), cut_at=MIB), page(b"x" + BIG[1:]))
    with pytest.raises(BadContent, match="changed"):
        await works.get("loose/a")
    await works.settle()
    assert works.blobs.digests() == []


@pytest.mark.parametrize("status", [416, 404, 500])
async def test_what_cannot_be_resumed_breaks(works: Works, status: int) -> None:
    works.fetcher.on("loose/a", replace(page(BIG), cut_at=MIB), Reply(status=status))
    with pytest.raises(BodyCut):
        await works.get("loose/a")


async def test_the_rest_from_another_place_is_refused(works: Works) -> None:
    works.fetcher.on("loose/a", replace(page(BIG), cut_at=MIB), rest_of(BIG[:-5]))
    with pytest.raises(BodyCut):
        await works.get("loose/a")


async def test_without_validator_and_digest_all_of_it_comes_again_and_is_compared(works: Works) -> None:
    bare = Reply(body=BIG)
    works.fetcher.on("loose/a", replace(bare, cut_at=MIB), bare)
    assert await works.get("loose/a") == (200, BIG)
    assert "range" not in works.fetcher.asks[1].headers


async def test_a_document_comes_again_from_its_start(works: Works) -> None:
    index = listing(a=BIG)
    works.fetcher.on("pkg/", replace(page(index), cut_at=10), page(index))
    assert await works.get("pkg/") == (200, b"a\n")
    assert "range" not in works.fetcher.asks[1].headers


# --- the held piece ---------------------------------------------------------------------------------------------------


async def test_the_last_piece_waits_for_the_digest(works: Works) -> None:
    reply, (last,) = gated(BIG, len(BIG))
    works.fetcher.on("pkg/", page(listing(a=BIG)))
    works.fetcher.on("pkg/a", reply)
    answer = await works.fetch("pkg/a")
    assert isinstance(answer.body, Growing)
    flight = answer.body.flight
    await until(lambda: flight.received == len(BIG))
    assert flight.released == len(BIG) - works.limits.held_bytes
    last.set()
    assert await body_of(answer) == BIG


async def test_without_a_digest_nothing_is_held(works: Works) -> None:
    reply, (last,) = gated(BIG, len(BIG))
    works.fetcher.on("loose/a", reply)
    assert await reads(await works.fetch("loose/a"), len(BIG)) == BIG
    last.set()


async def test_a_small_file_with_a_digest_sends_nothing_before_it_is_right(works: Works) -> None:
    body = BIG[:1000]
    reply, (last,) = gated(body, len(body))
    works.fetcher.on("pkg/", page(listing(a=body)))
    works.fetcher.on("pkg/a", reply)
    asking = asyncio.create_task(works.get("pkg/a"))
    await until(lambda: works.counts.upstream_bytes == len(listing(a=body)) + len(body))
    assert not asking.done()
    last.set()
    assert await asking == (200, body)


async def test_a_length_that_the_index_denies_is_refused_before_a_byte(works: Works) -> None:
    works.fetcher.on(f"named/{sha256(BIG)}", page(BIG[:-1]))
    with pytest.raises(BadContent):
        await works.get(f"named/{sha256(BIG)}")


# --- ranges of what is on its way -------------------------------------------------------------------------------------


async def test_a_range_inside_what_has_arrived_goes_at_once(works: Works) -> None:
    reply, (half,) = gated(BIG, MIB)
    works.fetcher.on("loose/a", reply)
    first = await works.fetch("loose/a")
    await reads(first, MIB)
    assert await works.get("loose/a", range="bytes=10-19") == (206, BIG[10:20])
    assert len(works.fetcher.asks) == 1
    half.set()
    await works.settle()


async def test_a_range_just_ahead_is_waited_for(tmp_path: Path) -> None:
    works = works_in(tmp_path, range_wait=30.0)
    reply, (half,) = gated(BIG, MIB)
    works.fetcher.on("loose/a", reply)
    await reads(await works.fetch("loose/a"), MIB)
    asking = asyncio.create_task(works.get("loose/a", range=f"bytes={MIB}-{MIB + 9}"))
    await asyncio.sleep(0)
    half.set()
    assert await asking == (206, BIG[MIB : MIB + 10])
    assert len(works.fetcher.asks) == 1


async def far_ahead(works: Works, *answers: Reply) -> tuple[Answer, asyncio.Event]:
    """A range of which nothing has arrived, and the gate of the download."""
    reply, (gate,) = gated(BIG, MIB)
    works.fetcher.on("loose/a", reply, *answers)
    await reads(await works.fetch("loose/a"), MIB)
    return await works.fetch("loose/a", range=f"bytes={2 * MIB}-{2 * MIB + 9}"), gate


async def test_a_range_far_ahead_passes_through_and_is_not_stored(works: Works) -> None:
    part = Reply(
        status=206,
        body=BIG[2 * MIB : 2 * MIB + 10],
        fields=(("content-range", f"bytes {2 * MIB}-{2 * MIB + 9}/{len(BIG)}"), ("etag", '"theirs"')),
    )
    answer, gate = await far_ahead(works, part)
    assert (answer.status, answer.length, answer.trace.outcome) == (206, 10, "pass")
    shown = dict(answer.headers)
    assert shown["content-range"] == f"bytes {2 * MIB}-{2 * MIB + 9}/{len(BIG)}"
    assert shown["content-type"] == "application/octet-stream"
    assert "etag" not in shown
    assert await body_of(answer) == BIG[2 * MIB : 2 * MIB + 10]
    assert works.fetcher.asks[-1].headers.get("if-range") == page(BIG).headers.get("etag")
    gate.set()
    await works.settle()
    assert works.blobs.digests() == [sha256(BIG)]


@pytest.mark.parametrize(
    "refusal",
    [
        page(BIG),
        Reply(status=416),
        Reply(status=206, body=b"x" * 9, fields=(("content-range", "bytes 0-8/9"),)),
    ],
    ids=["whole", "416", "another part"],
)
async def test_a_range_far_ahead_that_upstream_does_not_give_is_waited_for(works: Works, refusal: Reply) -> None:
    answer, gate = await far_ahead(works, refusal)
    gate.set()
    assert (answer.status, await body_of(answer)) == (206, BIG[2 * MIB : 2 * MIB + 10])
    await works.settle()
    assert all(reply.closed for reply in works.fetcher.replies)


async def test_a_range_far_ahead_after_a_resume_asks_for_one_range_only(works: Works) -> None:
    gate = asyncio.Event()
    works.fetcher.on(
        "loose/a",
        replace(page(BIG), cut_at=MIB),
        rest_of(BIG, gates={64: gate}),
        Reply(status=416),
    )
    first = await works.fetch("loose/a")
    await reads(first, MIB + 64)
    answer = await works.fetch("loose/a", range=f"bytes={2 * MIB}-{2 * MIB + 9}")
    assert [value for name, value in works.fetcher.asks[-1].headers if name == "range"] == [
        f"bytes={2 * MIB}-{2 * MIB + 9}"
    ]
    gate.set()
    assert await body_of(answer) == BIG[2 * MIB : 2 * MIB + 10]


async def test_of_what_has_no_length_a_range_gets_the_whole(works: Works) -> None:
    works.fetcher.on("loose/a", replace(page(BIG), length=False))
    answer = await works.fetch("loose/a", range="bytes=10-19")
    assert (answer.status, answer.length) == (200, None)
    assert await body_of(answer) == BIG


# --- bodies whose end cannot be told, or that are too big -------------------------------------------------------------


async def test_a_body_without_a_told_end_and_without_digest_passes_and_is_not_stored(works: Works) -> None:
    works.fetcher.on("loose/a", replace(page(BIG), length=False, delimited=False))
    assert await works.get("loose/a") == (200, BIG)
    await works.settle()
    assert works.blobs.digests() == []


async def test_a_body_without_a_told_end_is_stored_where_its_digest_proves_it(works: Works) -> None:
    works.fetcher.on(f"named/{sha256(BIG)}", replace(page(BIG), length=False, delimited=False))
    assert await works.get(f"named/{sha256(BIG)}") == (200, BIG)
    await works.settle()
    assert works.blobs.digests() == [sha256(BIG)]


async def test_an_index_beyond_its_cap_is_refused(tmp_path: Path) -> None:
    for length in (True, False):
        works = works_in(tmp_path / str(length), caps=Caps(parsed_index_bytes=100, artifact_bytes=1000))
        for path, size in (("pkg/", 101), ("loose/a", 1001)):
            works.fetcher.on(path, replace(page(bytes(size)), length=length))
            with pytest.raises(UpstreamFailure, match=r"(larger|more) than"):
                await works.get(path)
        await works.settle()
        assert works.blobs.digests() == []


# --- a disk that fails ------------------------------------------------------------------------------------------------


@dataclass
class FailingGrowth:
    """Takes `room` bytes and then none."""

    inner: GrowingBlob
    room: int
    commits: bool
    path: str

    def append(self, data: bytes) -> None:
        if len(data) > self.room:
            self.inner.append(data[: self.room])
            raise StoreFailure("no space left")
        self.room -= len(data)
        self.inner.append(data)

    def reader(self) -> OpenBlob:
        return self.inner.reader()

    def commit(self, sha256: str) -> Blob:
        if not self.commits:
            raise StoreFailure("the disk is read-only")
        return self.inner.commit(sha256)

    def discard(self) -> None:
        self.inner.discard()


class FailingBlobs(FilesystemBlobs):
    """A store on a disk with little room; None: it cannot even make a file."""

    room: int | None = 0
    commits = True

    def create(self) -> GrowingBlob:
        if self.room is None:
            raise StoreFailure("no space left")
        growing = super().create()
        return FailingGrowth(growing, self.room, self.commits, growing.path)


@pytest.fixture
def failing(tmp_path: Path) -> FailingBlobs:
    return FailingBlobs(tmp_path)


@pytest.mark.parametrize("room", [None, 0, 100_000, 2 * MIB])
@pytest.mark.parametrize("path", ["loose/a", f"named/{sha256(BIG)}", "pkg/a"])
async def test_when_the_disk_fails_on_the_way_every_reader_gets_everything(
    tmp_path: Path, failing: FailingBlobs, room: int | None, path: str
) -> None:
    failing.room = room
    works = works_in(tmp_path, blobs=failing)
    works.fetcher.on("pkg/", page(listing(a=BIG)))
    works.fetcher.on(path, page(BIG))
    assert await asyncio.gather(*(works.get(path) for _ in range(5))) == [(200, BIG)] * 5
    await works.settle()
    assert len(works.fetcher.asked(path)) == 1
    assert not [digest for digest in failing.digests() if digest == sha256(BIG)]
    assert not any((tmp_path / "incoming").glob("*"))


@pytest.mark.parametrize("room", [None, 0, 50])
async def test_what_must_be_looked_at_is_looked_at_also_where_the_disk_fails(
    tmp_path: Path, failing: FailingBlobs, room: int | None
) -> None:
    failing.room = room
    works = works_in(tmp_path, blobs=failing)
    rpms = replace(works.shelf, name="rpm", ecosystem=Rpm())
    common = "http://linux.duke.edu/metadata/common"
    good = f'<metadata xmlns="{common}"><package><location href="a.rpm"/></package></metadata>'.encode()
    works.fetcher.on("repodata/primary.xml", page(good.replace(b"a.rpm", b"http://far.example/a.rpm")))
    ask = ClientAsk(base="http://x")
    resource = rpms.ecosystem.route(Request(method="GET", path="repodata/primary.xml"))
    assert isinstance(resource, Resource)
    with pytest.raises(UnreadableIndex, match=r"far\.example"):
        await works.engine.fetch(rpms, resource, ask)
    works.fetcher.on("repodata/primary.xml", page(good))
    assert await body_of(await works.engine.fetch(rpms, resource, ask)) == good


async def test_when_the_commit_fails_every_reader_gets_everything(tmp_path: Path, failing: FailingBlobs) -> None:
    failing.room, failing.commits = 1 << 30, False
    works = works_in(tmp_path, blobs=failing)
    works.fetcher.on("loose/a", page(BIG))
    assert await works.get("loose/a") == (200, BIG)
    await works.settle()
    assert works.catalog.find_entry("shelf", "loose/a") is None


async def test_without_a_disk_an_index_is_rendered_from_memory(tmp_path: Path, failing: FailingBlobs) -> None:
    for room in (None, 0, 20):
        failing.room = room
        works = works_in(tmp_path, blobs=failing)
        works.fetcher.on("pkg/", page(listing(a=BIG)))
        assert await works.get("pkg/") == (200, b"a\n")


async def test_without_a_disk_a_cut_document_is_no_document(tmp_path: Path, failing: FailingBlobs) -> None:
    works = works_in(tmp_path, blobs=failing)
    works.fetcher.on("pkg/", replace(page(listing(a=BIG)), cut_at=30), page(listing(b=BIG)))
    with pytest.raises(BodyCut):
        await works.get("pkg/")


async def test_without_a_disk_a_slow_reader_bounds_what_is_kept_in_memory(
    tmp_path: Path, failing: FailingBlobs
) -> None:
    works = works_in(tmp_path, blobs=failing, limits=Limits(window_bytes=256 << 10))
    works.fetcher.on("loose/a", page(BIG))
    answer = await works.fetch("loose/a")
    assert isinstance(answer.body, Growing)
    flight = answer.body.flight
    with flight.reader() as reader:
        got = await reader.read(1000, asyncio.to_thread)
        for _ in range(200):
            await asyncio.sleep(0)
        assert flight.received <= 512 << 10
        while piece := await reader.read(16 << 10, asyncio.to_thread):
            got += piece
    assert got == BIG


async def test_without_a_disk_who_comes_too_late_gets_a_download_of_its_own(
    tmp_path: Path, failing: FailingBlobs
) -> None:
    works = works_in(tmp_path, blobs=failing, limits=Limits(window_bytes=256 << 10))
    reply, (gate,) = gated(BIG, 2 * MIB)
    works.fetcher.on("loose/a", reply, page(BIG))
    first = await works.fetch("loose/a")
    assert isinstance(first.body, Growing)
    with first.body.flight.reader() as reader:
        got = b""
        while len(got) < 2 * MIB:
            got += await reader.read(2 * MIB - len(got), asyncio.to_thread)
        assert await works.get("loose/a") == (200, BIG)
        gate.set()
        while piece := await reader.read(64 << 10, asyncio.to_thread):
            got += piece
    assert got == BIG
    assert len(works.fetcher.asks) == 2


async def test_without_a_disk_what_nobody_reads_is_given_up(tmp_path: Path, failing: FailingBlobs) -> None:
    works = works_in(tmp_path, blobs=failing, limits=Limits(window_bytes=256 << 10))
    gate = asyncio.Event()
    works.fetcher.on("loose/a", replace(page(BIG), gates={1000: gate}), page(BIG))
    answer = await works.fetch("loose/a")
    assert isinstance(answer.body, Growing)
    flight = answer.body.flight
    with flight.reader() as reader:
        assert await reader.read(1000, asyncio.to_thread)
    gate.set()
    with pytest.raises(StoreFailure):
        await flight.stored
    await works.settle()
    assert flight.received < len(BIG)
    assert await works.get("loose/a") == (200, BIG)


async def test_without_a_disk_a_document_that_does_not_fit_into_memory_is_refused(
    tmp_path: Path, failing: FailingBlobs
) -> None:
    works = works_in(tmp_path, blobs=failing, limits=Limits(document_window_bytes=1000))
    works.fetcher.on("pkg/", replace(page(listing(**{f"f{n}": b"" for n in range(100)})), piece=500))
    with pytest.raises(StoreFailure, match="does not fit"):
        await works.get("pkg/")


async def test_a_growing_file_that_ends_too_early_is_never_taken_for_the_end(works: Works) -> None:
    growing = works.blobs.create()
    growing.append(b"half")
    flight = Flight("a", window_limit=0)
    flight.begin(Head(headers=Headers(), url="", total=None), growing.reader())
    flight.finish(8)
    with flight.reader() as reader:
        assert await reader.read(100, asyncio.to_thread) == b"half"
        with pytest.raises(StoreFailure):
            await reader.read(100, asyncio.to_thread)
    growing.discard()


# --- descriptors ------------------------------------------------------------------------------------------------------


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Cycles stay: what only the collector would close stays open."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
async def test_what_could_not_be_stored_is_closed_when_nobody_reads_it_any_more(works: Works) -> None:
    """Until then a file that was deleted takes room on the disk that was full."""
    growing = works.blobs.create()
    growing.append(b"served")
    before = open_files()
    flight = Flight("a", window_limit=0, join_seconds=0.0)
    flight.begin(Head(headers=Headers(), url="", total=6), growing.reader())
    flight.finish(6)
    with flight.reader() as reader:
        flight.store_failed(StoreFailure("no space left on device"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert await reader.read(100, asyncio.to_thread) == b"served"
        assert open_files() > before
    assert open_files() == before
    growing.discard()


@pytest.mark.usefixtures("without_collector")
async def test_no_outcome_leaves_a_file_open(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing(a=BIG, b=b"small")))
    works.fetcher.on("pkg/a", page(BIG))
    works.fetcher.on("pkg/b", page(b"wrong"))
    works.fetcher.on("loose/a", replace(page(BIG), cut_at=MIB), Reply(status=500))
    works.fetcher.on("signed/a", page(BIG))

    async def everything() -> None:
        for path in ("pkg/", "pkg/a", "pkg/b", "loose/a", "signed/a", "none/"):
            for asked in ({}, {"range": "bytes=5-9"}, {"range": f"bytes={1 << 40}-"}, {"if_none_match": "*"}):
                try:
                    await works.get(path, **asked)
                except EntrepotError:
                    continue
        for path in ("pkg/", "pkg/a", "signed/a"):
            await works.get(path, method="HEAD")
        await works.settle()
        works.clock.advance(1000)

    await everything()
    before = open_files()
    for _ in range(3):
        await everything()
    assert open_files() <= before
