"""What every Leases promises. A subclass brings the fixtures `leases` and `clock`."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from entrepot.contracts.leases import Lease, Leases
from tests.fakes import FakeClock

KEY = "pypi/simple/flask/"
TTL = 60.0


def after(clock: FakeClock, seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)


async def acquired(leases: Leases, clock: FakeClock, holder: str = "one", key: str = KEY) -> Lease:
    lease = await leases.acquire(key, holder, clock.now(), TTL)
    assert lease is not None
    return lease


async def is_free(leases: Leases, clock: FakeClock) -> bool:
    return await leases.acquire(KEY, "another", clock.now(), TTL) is not None


class LeasesSuite:
    async def test_a_new_lease_tells_who_has_it_and_until_when(self, leases: Leases, clock: FakeClock) -> None:
        lease = await acquired(leases, clock)
        assert (lease.key, lease.holder, lease.failures, lease.result) == (KEY, "one", 0, "")
        assert (lease.started_at, lease.expires_at) == (clock.now(), after(clock, TTL))
        assert (lease.last_success_at, lease.last_failure_at) == (None, None)
        assert leases.find(KEY) == lease

    async def test_nothing_is_known_of_what_nobody_did(self, leases: Leases) -> None:
        assert leases.find(KEY) is None

    async def test_of_many_who_ask_at_once_one_gets_it(self, leases: Leases, clock: FakeClock) -> None:
        asked = [leases.acquire(KEY, str(number), clock.now(), TTL) for number in range(50)]
        got = [lease for lease in await asyncio.gather(*asked) if lease]
        assert len(got) == 1
        assert leases.find(KEY) == got[0]

    async def test_what_is_held_is_had_by_nobody_else_until_it_expires(self, leases: Leases, clock: FakeClock) -> None:
        await acquired(leases, clock)
        clock.advance(TTL - 1)
        assert not await is_free(leases, clock)
        clock.advance(1)
        assert await is_free(leases, clock)

    async def test_what_is_renewed_is_held_on(self, leases: Leases, clock: FakeClock) -> None:
        lease = await acquired(leases, clock)
        clock.advance(TTL - 1)
        assert await leases.keep(lease.renewed(clock.now(), TTL))
        clock.advance(TTL - 1)
        assert not await is_free(leases, clock)

    async def test_what_is_given_up_can_be_had_at_once(self, leases: Leases, clock: FakeClock) -> None:
        lease = await acquired(leases, clock)
        assert await leases.keep(lease.released(clock.now()))
        assert await is_free(leases, clock)

    async def test_keys_are_strangers_to_one_another(self, leases: Leases, clock: FakeClock) -> None:
        one = await acquired(leases, clock)
        other = await acquired(leases, clock, key="pypi/simple/flask")
        await leases.clear(other.key)
        assert leases.find(one.key) == one

    async def test_after_a_success_there_is_quiet(self, leases: Leases, clock: FakeClock) -> None:
        lease = await acquired(leases, clock)
        clock.advance(10)
        assert await leases.keep(lease.succeeded(clock.now(), 3600.0, 60.0))
        known = leases.find(KEY)
        assert known is not None
        assert (known.last_success_at, known.failures) == (clock.now(), 0)
        clock.advance(3600 + 60 - 10 - 1)
        assert not await is_free(leases, clock)
        clock.advance(1)
        assert await is_free(leases, clock)

    async def test_after_each_failure_the_pause_is_longer_up_to_the_longest(
        self, leases: Leases, clock: FakeClock
    ) -> None:
        pauses = []
        for _ in range(5):
            lease = await acquired(leases, clock)
            assert await leases.keep(lease.failed(clock.now(), 30.0, 100.0, "refused"))
            known = leases.find(KEY)
            assert known is not None
            assert (known.result, known.last_failure_at) == ("refused", clock.now())
            pauses.append((known.not_before - clock.now()).total_seconds())
            clock.advance(pauses[-1] - 0.001)
            assert not await is_free(leases, clock)
            clock.advance(0.001)
        assert pauses == [30, 60, 100, 100, 100]

    async def test_a_success_makes_the_next_failure_the_first(self, leases: Leases, clock: FakeClock) -> None:
        lease = await acquired(leases, clock)
        await leases.keep(lease.failed(clock.now(), 30.0, 3600.0, "refused"))
        clock.advance(30)
        lease = await acquired(leases, clock)
        assert lease.failures == 1
        await leases.keep(lease.succeeded(clock.now(), 0.0))
        lease = await acquired(leases, clock)
        assert (lease.failures, lease.result) == (0, "")

    async def test_a_thousand_failures_are_no_overflow(self, leases: Leases, clock: FakeClock) -> None:
        lease = replace(await acquired(leases, clock), failures=1000)
        assert await leases.keep(lease.failed(clock.now(), 30.0, 3600.0, "refused"))

    async def test_a_failure_for_good_lasts_until_somebody_clears_it(self, leases: Leases, clock: FakeClock) -> None:
        lease = await acquired(leases, clock)
        assert await leases.keep(lease.failed_for_good(clock.now(), 86400.0, "too big"))
        clock.advance(86000)
        assert not await is_free(leases, clock)
        await leases.clear(KEY)
        assert leases.find(KEY) is None
        assert await is_free(leases, clock)

    async def test_who_lost_the_lease_writes_nothing(self, leases: Leases, clock: FakeClock) -> None:
        old = await acquired(leases, clock)
        clock.advance(TTL)
        new = await acquired(leases, clock, "two")
        assert new.fence > old.fence
        for change in (old.renewed(clock.now(), TTL), old.succeeded(clock.now(), 1.0), old.released(clock.now())):
            assert not await leases.keep(change)
        assert leases.find(KEY) == new

    async def test_who_was_cleared_away_writes_nothing(self, leases: Leases, clock: FakeClock) -> None:
        old = await acquired(leases, clock)
        await leases.clear(KEY)
        assert not await leases.keep(old.renewed(clock.now(), TTL))
        clock.advance(1)
        new = await acquired(leases, clock, "two")
        assert new.fence > old.fence
        assert not await leases.keep(old.renewed(clock.now(), TTL))

    @pytest.mark.parametrize("change", ["held", "succeeded", "failed", "renewed later"])
    async def test_lease_07_a_clock_that_is_set_back_wedges_nothing(
        self, leases: Leases, clock: FakeClock, change: str
    ) -> None:
        lease = await acquired(leases, clock)
        match change:
            case "succeeded":
                await leases.keep(lease.succeeded(clock.now(), 3600.0))
            case "failed":
                await leases.keep(lease.failed_for_good(clock.now(), 86400.0, "too big"))
            case "renewed later":
                clock.advance(2 * 86400)
                await leases.keep(lease.renewed(clock.now(), TTL))
        clock.advance(-86400)
        assert await is_free(leases, clock)

    async def test_clocks_that_differ_a_little_take_nothing_away(self, leases: Leases, clock: FakeClock) -> None:
        await acquired(leases, clock)
        clock.advance(-30)
        assert not await is_free(leases, clock)

    async def test_what_has_no_effect_any_more_is_forgotten(self, leases: Leases, clock: FakeClock) -> None:
        for key in ("quiet", "held", "marked"):
            await acquired(leases, clock, key=key)
        quiet = leases.find("quiet")
        marked = leases.find("marked")
        assert quiet
        assert marked
        await leases.keep(quiet.succeeded(clock.now(), 10.0))
        await leases.keep(marked.failed_for_good(clock.now(), 1000.0, "too big"))
        await leases.forget(after(clock, 60))
        assert [key for key in ("quiet", "held", "marked") if leases.find(key)] == ["held", "marked"]

    async def test_what_the_dead_held_can_be_had_at_once_and_what_the_living_hold_cannot(
        self, leases: Leases, clock: FakeClock
    ) -> None:
        lost = await acquired(leases, clock, "dead")
        await acquired(leases, clock, "living", "another key")
        clock.advance(1)
        await leases.reclaim(lambda holder: holder == "living", clock.now())
        assert await leases.acquire("another key", "another", clock.now(), TTL) is None
        assert await is_free(leases, clock)
        assert not await leases.keep(lost.renewed(clock.now(), TTL))

    async def test_what_the_dead_had_to_wait_with_still_waits(self, leases: Leases, clock: FakeClock) -> None:
        lease = await acquired(leases, clock, "dead")
        await leases.keep(lease.failed(clock.now(), 30.0, 600.0, "no connection"))
        await leases.reclaim(lambda holder: False, clock.now())
        assert not await is_free(leases, clock)
