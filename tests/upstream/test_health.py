"""The breaker, and how workers share it."""

import asyncio
from dataclasses import replace

import pytest

from entrepot.contracts.catalog import OriginState
from entrepot.errors import StoreFailure, Unreachable, UpstreamBusy, UpstreamTimeout
from entrepot.upstream.client import AiohttpFetcher
from entrepot.upstream.health import Health
from tests.rogue import Rogue, answers, refused_port, silence
from tests.upstream.support import QUICK, FakeClock, FakeOrigins, Outside, ask, fetch, upstream

pytestmark = pytest.mark.anyio


async def _fails(fetcher: AiohttpFetcher, rogue: Rogue, times: int) -> None:
    for _ in range(times):
        status, _ = await fetch(fetcher, ask(rogue.url("/a"), patient=False))
        assert status == 500


@pytest.fixture
def failing(rogue: Rogue) -> Rogue:
    rogue.serve("/a", b"x")
    rogue.disturb("/a", answers(500))
    return rogue


async def test_three_failures_in_a_row_end_the_contact(failing: Rogue, outside: Outside) -> None:
    fetcher = outside.fetcher(upstream(failing))
    await _fails(fetcher, failing, 3)
    with pytest.raises(UpstreamBusy, match="failed 3 times, last: answered 500") as caught:
        await fetcher.send(ask(failing.url("/other")))
    assert caught.value.retry_after == 5
    assert failing.count() == 3


async def test_refused_connections_open_it_too(outside: Outside) -> None:
    with refused_port() as port:
        url = f"http://127.0.0.1:{port}/"
        fetcher = outside.fetcher(upstream(url))
        for _ in range(3):
            with pytest.raises(Unreachable):
                await fetcher.send(ask(url))
        with pytest.raises(UpstreamBusy, match="connection refused"):
            await fetcher.send(ask(url))


async def test_a_success_starts_the_count_anew(failing: Rogue, outside: Outside) -> None:
    fetcher = outside.fetcher(upstream(failing))
    for _ in range(2):
        await _fails(fetcher, failing, 2)
        await fetch(fetcher, ask(failing.url("/none")))
    assert failing.count() == 6


@pytest.mark.parametrize("status", [403, 404])
async def test_absence_and_refusal_are_no_failures(rogue: Rogue, outside: Outside, status: int) -> None:
    rogue.disturb("/a", answers(status))
    fetcher = outside.fetcher(upstream(rogue))
    for _ in range(5):
        await fetch(fetcher, ask(rogue.url("/a")))
    assert outside.origins.states == {}


async def test_after_five_seconds_one_probe_goes_out_and_a_good_one_closes_the_breaker(
    failing: Rogue, outside: Outside
) -> None:
    fetcher = outside.fetcher(upstream(failing))
    await _fails(fetcher, failing, 3)
    failing.calm()
    outside.clock.advance(5)
    assert await fetch(fetcher, ask(failing.url("/a"))) == (200, b"x")
    assert await fetch(fetcher, ask(failing.url("/a"))) == (200, b"x")


async def test_a_probe_is_not_retried_and_a_bad_one_doubles_the_pause_up_to_a_minute(
    failing: Rogue, outside: Outside
) -> None:
    fetcher = outside.fetcher(upstream(failing))
    await _fails(fetcher, failing, 3)
    pauses = []
    for _ in range(6):
        with pytest.raises(UpstreamBusy) as caught:
            await fetcher.send(ask(failing.url("/a")))
        pauses.append(caught.value.seconds)
        outside.clock.advance(caught.value.seconds)
        await fetch(fetcher, ask(failing.url("/a")))
    assert pauses == [5, 10, 20, 40, 60, 60]
    assert failing.count() == 3 + 6


async def test_while_a_probe_is_under_way_nobody_else_goes_out(failing: Rogue, outside: Outside) -> None:
    fetcher = outside.fetcher(upstream(failing))
    await _fails(fetcher, failing, 3)
    outside.clock.advance(5)
    failing.disturb("/a", silence())
    probe = asyncio.ensure_future(fetcher.send(ask(failing.url("/a"))))
    await asyncio.sleep(0)
    with pytest.raises(UpstreamBusy, match="a probe is under way"):
        await outside.fetcher(upstream(failing)).send(ask(failing.url("/a")))
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe


async def test_who_asks_while_a_good_probe_is_under_way_goes_out_behind_it(failing: Rogue, outside: Outside) -> None:
    one, other = outside.fetcher(upstream(failing)), outside.fetcher(upstream(failing))
    await _fails(one, failing, 3)
    failing.calm()
    outside.clock.advance(5)
    together = [fetch(fetcher, ask(failing.url("/a"))) for fetcher in (one, one, other, other)]
    assert await asyncio.gather(*together) == [(200, b"x")] * 4


async def test_an_abandoned_probe_lets_the_next_one_out(failing: Rogue, outside: Outside) -> None:
    fetcher = outside.fetcher(upstream(failing))
    await _fails(fetcher, failing, 3)
    outside.clock.advance(5)
    failing.disturb("/a", silence())
    probe = asyncio.ensure_future(fetcher.send(ask(failing.url("/a"))))
    await asyncio.sleep(0)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    failing.calm()
    assert await fetch(fetcher, ask(failing.url("/a"))) == (200, b"x")


async def test_workers_share_it_through_the_catalog(failing: Rogue, outside: Outside) -> None:
    one, other = outside.fetcher(upstream(failing)), outside.fetcher(upstream(failing))
    await _fails(one, failing, 2)
    await _fails(other, failing, 1)
    for fetcher in (one, other):
        with pytest.raises(UpstreamBusy):
            await fetcher.send(ask(failing.url("/a")))
    failing.calm()
    outside.clock.advance(5)
    await fetch(other, ask(failing.url("/a")))
    assert await fetch(one, ask(failing.url("/a"))) == (200, b"x")


async def test_another_workers_retry_after_is_obeyed(rogue: Rogue, outside: Outside) -> None:
    rogue.disturb("/a", answers(429, retry_after=30))
    with pytest.raises(UpstreamBusy):
        await outside.fetcher(upstream(rogue)).send(ask(rogue.url("/a")))
    with pytest.raises(UpstreamBusy):
        await outside.fetcher(upstream(rogue)).send(ask(rogue.url("/b")))
    assert rogue.count() == 1


async def test_many_failures_that_were_under_way_are_one_outage(rogue: Rogue, outside: Outside) -> None:
    rogue.disturb("/a", silence())
    fetcher = outside.fetcher(upstream(rogue), settings=replace(QUICK, first_byte_timeout=0.3))
    together = [fetcher.send(ask(rogue.url("/a"), patient=False)) for _ in range(12)]
    results = await asyncio.gather(*together, return_exceptions=True)
    assert {type(result) for result in results} == {UpstreamTimeout}
    with pytest.raises(UpstreamBusy) as caught:
        await fetcher.send(ask(rogue.url("/a")))
    assert caught.value.seconds == 5


async def test_other_origins_are_not_concerned(failing: Rogue, other: Rogue, outside: Outside) -> None:
    fetcher = outside.fetcher(upstream(other), upstream(failing, "second"))
    for _ in range(3):
        await fetch(fetcher, replace(ask(failing.url("/a"), patient=False), upstream="second"))
    assert await fetch(fetcher, ask(other.serve("/a", b"fine"))) == (200, b"fine")


class _LostOrigins(FakeOrigins):
    def find_origin(self, origin: str) -> OriginState | None:
        raise StoreFailure("the catalog is gone")

    async def put_origin(self, state: OriginState) -> None:
        raise StoreFailure("the catalog is gone")


class _StuckOrigins(FakeOrigins):
    async def put_origin(self, state: OriginState) -> None:
        await super().put_origin(state)
        await asyncio.Event().wait()


@pytest.mark.parametrize("store", [_LostOrigins(), _StuckOrigins()])
async def test_neither_a_lost_nor_a_stuck_catalog_is_in_the_way(store: FakeOrigins) -> None:
    health = Health(store, FakeClock())
    for _ in range(3):
        assert not await health.admit("files.example:443")
        await health.failed("files.example:443", "answered 500", probe=False)
    with pytest.raises(UpstreamBusy):
        await health.admit("files.example:443")
