"""Bodies that go wrong on the way."""

import pytest

from entrepot.contracts.fetcher import UpstreamReply
from entrepot.errors import BodyCut, EntrepotError, Unreachable, UpstreamTimeout
from entrepot.upstream.client import AiohttpFetcher
from entrepot.upstream.reply import drain
from tests.rogue import (
    Fault,
    Page,
    Rogue,
    endless,
    long_body,
    pattern,
    reset_at,
    short_body,
    stall_at,
    undelimited_cut,
    unending_chunks,
)
from tests.rogue.page import Framing
from tests.upstream.support import Outside, ask, fetch, read, upstream

pytestmark = pytest.mark.anyio

BODY = pattern(400_000)


async def _broken(fetcher: AiohttpFetcher, url: str) -> tuple[bytes, EntrepotError]:
    """What arrives before the body breaks, and how it breaks."""
    reply = await fetcher.send(ask(url))
    found = bytearray()
    with pytest.raises(EntrepotError) as caught:
        await _collect(reply, found)
    await reply.close()
    return bytes(found), caught.value


async def _collect(reply: UpstreamReply, found: bytearray) -> None:
    async for chunk in reply.chunks():
        found += chunk


@pytest.mark.parametrize(
    ("fault", "error", "arrives"),
    [
        (short_body(by=1), BodyCut, 399_999),
        (unending_chunks(), BodyCut, 400_000),
        (reset_at(150_000), Unreachable, 150_000),
        (stall_at(150_000), UpstreamTimeout, 150_000),
    ],
)
async def test_a_broken_body_is_told_from_a_whole_one(
    rogue: Rogue, outside: Outside, fault: Fault, error: type[EntrepotError], arrives: int
) -> None:
    url = rogue.serve("/a", BODY)
    rogue.disturb("/a", fault)
    found, caught = await _broken(outside.fetcher(upstream(rogue)), f"{url}?token=secret")
    assert type(caught) is error
    assert found == BODY[:arrives]
    assert str(caught).startswith(f"127.0.0.1:{rogue.port}: ")
    assert "secret" not in str(caught)


async def test_a_broken_body_is_not_fetched_again_here(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", BODY)
    rogue.disturb("/a", reset_at(1000), times=1)
    await _broken(outside.fetcher(upstream(rogue)), url)
    assert rogue.count("/a") == 1


async def test_what_arrived_before_the_end_is_kept_though_nobody_was_reading(rogue: Rogue, outside: Outside) -> None:
    slow, quick = rogue.serve("/a", BODY), rogue.serve("/b", b"x")
    rogue.disturb("/a", stall_at(150_000))
    fetcher = outside.fetcher(upstream(rogue))
    reply = await fetcher.send(ask(slow))
    await fetch(fetcher, ask(quick))
    rogue.goes_dark()
    with pytest.raises(Unreachable):
        await fetcher.send(ask(quick))
    found = bytearray()
    with pytest.raises(BodyCut):
        await _collect(reply, found)
    assert found == BODY[:150_000]
    await reply.close()


async def test_a_body_ends_with_its_length_and_the_connection_with_it(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", BODY)
    rogue.disturb("/a", long_body(b"something else"))
    fetcher = outside.fetcher(upstream(rogue))
    assert await fetch(fetcher, ask(url)) == (200, BODY)
    assert await fetch(fetcher, ask(url)) == (200, BODY)
    assert rogue.connections == 2


async def test_a_body_that_is_longer_than_was_said_has_no_end_for_sure(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", BODY)
    rogue.disturb("/a", long_body())
    reply = await outside.fetcher(upstream(rogue)).send(ask(url))
    assert await read(reply) == BODY
    assert not reply.delimited


@pytest.mark.parametrize("size", [10, 400_000])
async def test_an_answer_behind_the_body_is_not_taken_for_the_next_one(
    rogue: Rogue, outside: Outside, size: int
) -> None:
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    first, second = rogue.serve("/a", BODY[:size]), rogue.serve("/b", b"good")
    rogue.disturb("/a", long_body(smuggled))
    fetcher = outside.fetcher(upstream(rogue))
    assert await fetch(fetcher, ask(first)) == (200, BODY[:size])
    assert await fetch(fetcher, ask(second)) == (200, b"good")


async def test_a_body_without_a_length_ends_and_says_that_nobody_knows(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", BODY)
    rogue.disturb("/a", undelimited_cut(at=1000))
    reply = await outside.fetcher(upstream(rogue)).send(ask(url))
    assert not reply.delimited
    assert await read(reply) == BODY[:1000]


async def test_a_chunked_body_is_delimited(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", Page(body=BODY, framing=Framing.CHUNKED))
    reply = await outside.fetcher(upstream(rogue)).send(ask(url))
    assert reply.delimited
    assert "transfer-encoding" not in reply.headers
    assert await read(reply) == BODY


async def test_a_body_with_two_lengths_is_no_answer(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", Page(body=BODY, framing=Framing.CHUNKED, headers=(("Content-Length", "5"),)))
    with pytest.raises(Unreachable, match="not HTTP"):
        await outside.fetcher(upstream(rogue)).send(ask(url))


async def test_a_connection_is_used_again_when_its_body_was_read(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", BODY)
    fetcher = outside.fetcher(upstream(rogue))
    for _ in range(3):
        await fetch(fetcher, ask(url))
    assert rogue.connections == 1


async def test_a_connection_is_dropped_when_its_body_was_not_read(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", Page(body=BODY, rate=200_000))
    fetcher = outside.fetcher(upstream(rogue))
    reply = await fetcher.send(ask(url))
    await reply.close()
    await (await fetcher.send(ask(url))).close()
    assert rogue.connections == 2


async def test_an_errors_body_is_read_up_to_a_cap(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", Page(status=403, body=b"no" * 1000))
    rogue.disturb("/a", endless())
    reply = await outside.fetcher(upstream(rogue)).send(ask(url))
    assert await drain(reply) == (b"no" * 1000 * 40)[: 64 << 10]


async def test_an_errors_body_that_breaks_is_shorter(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", Page(status=403, body=b"forbidden for you"))
    rogue.disturb("/a", short_body(by=8))
    reply = await outside.fetcher(upstream(rogue)).send(ask(url))
    assert await drain(reply) == b"forbidden"
