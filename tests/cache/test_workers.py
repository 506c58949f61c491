"""Two processes of one server: one request upstream, and whoever dies takes nobody with it."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.cache.answer import Answer
from entrepot.cache.flight import Head
from entrepot.cache.notes import LONGEST_TEXT, failure_note, head_note, read_failure_note, read_head_note
from entrepot.contracts.board import Claim, Watch
from entrepot.errors import (
    Absent,
    BadContent,
    DigestMismatch,
    EgressRefused,
    EntrepotError,
    Unreachable,
    UnreadableIndex,
    UpstreamBusy,
    UpstreamFailure,
    UpstreamStatus,
    VersionChanged,
)
from entrepot.model.headers import Headers
from entrepot.storage.board import FileBoard
from tests.cache.test_flights import BIG, MIB, FailingBlobs, gated, reads, rest_of
from tests.cache.works import Works, body_of, listing, page, sha256, until, works_in
from tests.fakes import Reply

pytestmark = pytest.mark.anyio


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Works, Works]:
    board = tmp_path / "flights"
    first = works_in(tmp_path, board=FileBoard(board))
    return first, first.sibling(board=FileBoard(board))


async def settled(*pair: Works) -> None:
    for works in pair:
        await works.settle()


async def test_two_workers_ask_once_and_both_serve_everything(pair: tuple[Works, Works]) -> None:
    first, second = pair
    first.fetcher.on("loose/a", page(BIG))
    answers = await asyncio.gather(*(works.get("loose/a") for works in (first, second) * 5))
    assert answers == [(200, BIG)] * 10
    await settled(*pair)
    assert len(first.fetcher.asks) == 1
    assert await second.get("loose/a") == (200, BIG)


async def test_a_follower_reads_along_while_it_arrives(pair: tuple[Works, Works]) -> None:
    first, second = pair
    reply, (half,) = gated(BIG, MIB)
    first.fetcher.on("loose/a", reply)
    leading = await first.fetch("loose/a")
    following = await second.fetch("loose/a")
    assert await reads(following, MIB) == BIG[:MIB]
    assert dict(following.headers) == dict(leading.headers)
    half.set()
    assert [await body_of(leading), await body_of(following)] == [BIG, BIG]
    await settled(*pair)
    assert len(first.fetcher.asks) == 1


async def test_the_held_piece_is_held_in_every_worker(pair: tuple[Works, Works]) -> None:
    first, _ = pair
    wrong = BIG[:-1] + b"!"
    first.fetcher.on("pkg/", page(listing(a=BIG)))
    first.fetcher.on("pkg/a", page(wrong))
    results = await asyncio.gather(*(works.get("pkg/a") for works in pair), return_exceptions=True)
    assert [type(result) for result in results] == [DigestMismatch] * 2
    await settled(*pair)
    assert len(first.fetcher.asked("pkg/a")) == 1


async def test_an_index_is_fetched_once_and_rendered_by_each(pair: tuple[Works, Works]) -> None:
    first, _ = pair
    first.fetcher.on("pkg/", page(listing(a=BIG)))
    assert await asyncio.gather(*(works.get("pkg/") for works in pair)) == [(200, b"a\n")] * 2
    await settled(*pair)
    assert len(first.fetcher.asks) == 1


async def test_a_validation_is_made_once(pair: tuple[Works, Works]) -> None:
    first, _ = pair
    first.fetcher.on("signed/a", page(BIG), Reply(status=304))
    await first.get("signed/a")
    await settled(*pair)
    first.clock.advance(1000)
    assert await asyncio.gather(*(works.get("signed/a") for works in pair)) == [(200, BIG)] * 2
    await settled(*pair)
    assert len(first.fetcher.asks) == 2


@pytest.mark.parametrize("error", [Absent("a"), Unreachable("refused"), UpstreamBusy("o", 7, "Retry-After")])
async def test_the_leaders_failure_is_told_in_every_worker(pair: tuple[Works, Works], error: EntrepotError) -> None:
    gate = asyncio.Event()
    first, second = pair

    async def send(_: object) -> Reply:
        await gate.wait()
        raise error

    first.fetcher.send = send  # type: ignore[method-assign,assignment]
    asking = [asyncio.create_task(works.get("loose/a")) for works in pair]
    await until(lambda: first.counts.upstream_requests + second.counts.upstream_requests == 1)
    gate.set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(result) for result in results] == [type(error)] * 2
    assert [str(result) for result in results] == [str(error)] * 2


def claimed(works: Works, path: str) -> Claim:
    """As another worker would lead this."""
    claim = works.board.claim(f"shelf/{path}")
    assert not isinstance(claim, Watch)
    return claim


def die(claim: Claim) -> None:
    """As the kernel ends a claim with its process: the lock goes, nothing is said."""
    os.close(claim._descriptor)  # type: ignore[attr-defined]
    claim._map.close()  # type: ignore[attr-defined]


async def test_a_follower_takes_over_from_a_leader_that_died_before_anything_came(pair: tuple[Works, Works]) -> None:
    first, second = pair
    claim = claimed(first, "loose/a")
    second.fetcher.on("loose/a", page(BIG))
    asking = asyncio.create_task(second.get("loose/a"))
    await asyncio.sleep(0)
    die(claim)
    assert await asking == (200, BIG)


async def test_a_follower_takes_over_from_a_leader_that_died_holding_everything_back(
    pair: tuple[Works, Works],
) -> None:
    first, second = pair
    claim, growing = claimed(first, "pkg/"), first.blobs.create()
    growing.append(b'{"half":')
    head = Head(headers=Headers(), url="https://registry.example/pkg/", total=99, held=True)
    claim.announce(head_note(head, growing.path))
    second.fetcher.on("pkg/", page(listing(a=BIG)))
    asking = asyncio.create_task(second.get("pkg/"))
    await second.announced("pkg/")
    die(claim)
    assert await asking == (200, b"a\n")
    growing.discard()


async def test_what_another_worker_stored_meanwhile_is_served_though_its_flight_was_followed_in_vain(
    pair: tuple[Works, Works],
) -> None:
    first, second = pair
    claim, growing = claimed(first, f"named/{sha256(BIG)}"), first.blobs.create()
    head = Head(headers=Headers(), url="", total=len(BIG), sha256=sha256(BIG), held=True)
    claim.announce(head_note(head, growing.path))
    asking = asyncio.create_task(second.get(f"named/{sha256(BIG)}"))
    await second.announced(f"named/{sha256(BIG)}")
    other = first.sibling(board=FileBoard(Path(growing.path).parents[1] / "other"))
    other.fetcher.on(f"named/{sha256(BIG)}", page(BIG))
    assert await other.get(f"named/{sha256(BIG)}") == (200, BIG)
    await other.settle()
    die(claim)
    assert await asking == (200, BIG)
    growing.discard()


async def half_sent(first: Works, second: Works, path: str, *, etag: str = "") -> Answer:
    """What a reader of the second process has when the first one dies in the middle of the body."""
    claim, growing = claimed(first, path), first.blobs.create()
    growing.append(BIG[:MIB])
    fields = [("content-type", "text/plain"), *([("etag", etag)] if etag else [])]
    claim.announce(head_note(Head(headers=Headers(fields), url="", total=len(BIG)), growing.path))
    claim.advance(MIB)
    answer = await second.fetch(path)
    assert await reads(answer, MIB) == BIG[:MIB]
    die(claim)
    growing.discard()
    return answer


async def test_a_follower_brings_the_rest_when_its_leader_dies_half_way(pair: tuple[Works, Works]) -> None:
    first, second = pair
    second.fetcher.on("loose/a", rest_of(BIG))
    answer = await half_sent(first, second, "loose/a", etag='"one"')
    assert await body_of(answer) == BIG
    (ask,) = second.fetcher.asks
    assert (ask.headers.get("range"), ask.headers.get("if-range")) == (f"bytes={MIB}-", '"one"')


async def test_what_has_no_validator_comes_whole_again_and_is_compared(pair: tuple[Works, Works]) -> None:
    first, second = pair
    second.fetcher.on("loose/a", page(BIG))
    assert await body_of(await half_sent(first, second, "loose/a")) == BIG
    assert "range" not in second.fetcher.asks[0].headers


async def test_a_transfer_breaks_when_the_rest_would_be_of_another_edition(pair: tuple[Works, Works]) -> None:
    first, second = pair
    second.fetcher.on("loose/a", page(b"?" + BIG[1:]))
    answer = await half_sent(first, second, "loose/a", etag='"one"')
    with pytest.raises(BadContent, match="changed the bytes"):
        await body_of(answer)


async def test_the_rest_is_checked_against_the_digest_together_with_the_first_part(pair: tuple[Works, Works]) -> None:
    first, second = pair
    name = f"named/{sha256(BIG)}"
    second.fetcher.on(name, rest_of(BIG[:-1] + b"!"))
    answer = await half_sent(first, second, name)
    with pytest.raises(DigestMismatch):
        await body_of(answer)


async def test_a_leader_without_a_disk_leaves_its_followers_to_fetch_for_themselves(tmp_path: Path) -> None:
    for room in (None, 0):
        failing = FailingBlobs(tmp_path / str(room))
        failing.room = room
        board = tmp_path / str(room) / "flights"
        board.parent.mkdir(exist_ok=True)
        first = works_in(tmp_path / str(room), blobs=failing, board=FileBoard(board))
        second = first.sibling(board=FileBoard(board))
        first.fetcher.on("loose/a", page(BIG))
        assert await asyncio.gather(*(works.get("loose/a") for works in (first, second))) == [(200, BIG)] * 2
        await settled(first, second)
        assert len(first.fetcher.asks) == 2


async def test_when_the_leaders_disk_fails_half_way_its_followers_fetch_the_rest(tmp_path: Path) -> None:
    failing = FailingBlobs(tmp_path)
    failing.room = 2 * MIB
    first = works_in(tmp_path, blobs=failing, board=FileBoard(tmp_path / "flights"))
    second = first.sibling(board=FileBoard(tmp_path / "flights"))
    reply, (half,) = gated(BIG, MIB)
    first.fetcher.on("loose/a", reply, rest_of(BIG))
    leading, following = await first.fetch("loose/a"), await second.fetch("loose/a")
    assert await reads(following, MIB) == BIG[:MIB]
    half.set()
    assert [await body_of(leading), await body_of(following)] == [BIG, BIG]
    await settled(first, second)
    assert first.catalog.find_entry("shelf", "loose/a") is None


async def test_without_a_board_each_worker_fetches_for_itself(pair: tuple[Works, Works], tmp_path: Path) -> None:
    first, _ = pair
    (tmp_path / "flights").rmdir()
    first.fetcher.on("loose/a", page(BIG))
    assert await first.get("loose/a") == (200, BIG)


async def test_a_rendering_is_made_by_one_worker_and_found_by_the_other(pair: tuple[Works, Works]) -> None:
    first, second = pair
    files = {f"file{number}": b"%d" % number for number in range(6000)}
    first.fetcher.on("pkg/", page(listing(**files)))
    one, two = await asyncio.gather(*(works.get("pkg/") for works in pair))
    assert one == two
    assert first.counts.rendered + second.counts.rendered == 1


# --- notes ------------------------------------------------------------------------------------------------------------


def test_an_announcement_is_read_as_it_was_written() -> None:
    head = Head(headers=Headers([("a", "1"), ("a", "2")]), url="https://x.example/", total=None, sha256="ab", held=True)
    assert read_head_note(head_note(head, "/data/incoming/x")) == ("/data/incoming/x", head)


@pytest.mark.parametrize(
    "error",
    [
        Absent("a", gone=True),
        UpstreamStatus("a", 429),
        UpstreamBusy("o", 40, "Retry-After"),
        VersionChanged("a", "b", "c"),
        UnreadableIndex("a"),
        EgressRefused("x"),
    ],
)
def test_a_failure_is_read_as_the_same_failure(error: EntrepotError) -> None:
    read = read_failure_note(failure_note(error))
    assert (type(read), str(read), read.status, read.code, read.retry_after) == (
        type(error),
        str(error),
        error.status,
        error.code,
        error.retry_after,
    )
    assert getattr(read, "gone", None) == getattr(error, "gone", None)
    assert getattr(read, "upstream_status", None) == getattr(error, "upstream_status", None)


def test_a_failure_of_an_unknown_kind_is_a_failure_and_long_ones_are_cut() -> None:
    class Odd(EntrepotError):
        """Not one of ours."""

    read = read_failure_note(failure_note(Odd("x" * 100_000)))
    assert (type(read), str(read)) == (UpstreamFailure, "x" * LONGEST_TEXT)


async def test_an_announcement_that_is_too_long_costs_only_the_reading_along(pair: tuple[Works, Works]) -> None:
    first, _ = pair
    first.fetcher.on("loose/a", replace(page(BIG, content_disposition="x" * 100_000)))
    assert await asyncio.gather(*(works.get("loose/a") for works in pair)) == [(200, BIG)] * 2
    await settled(*pair)
    assert len(first.fetcher.asks) == 1
