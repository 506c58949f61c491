"""Schedules give their orders once in their time, however many processes look after them."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entrepot.assembly.mirrors import schedules_of
from entrepot.catalog.leases import SqliteLeases
from entrepot.config.mirror import Schedule as Settings
from entrepot.contracts.mirrors import Job
from entrepot.mirror.schedules import Schedule, Scheduler
from entrepot.model.order import MirrorOrder, PaperKind
from entrepot.model.selection import Depth
from tests.fakes import FakeClock
from tests.mirror.site import Site

pytestmark = pytest.mark.anyio

HOURLY = Schedule(name="hourly", order=lambda: MirrorOrder(purls=("pkg:garden/a",)), every=3600.0, cron="", jitter=0.0)
NIGHTLY = replace(HOURLY, name="nightly", every=None, cron="0 3 * * *")


def scheduler(site: Site, *schedules: Schedule) -> Scheduler:
    return Scheduler(site.mirror, SqliteLeases(site.catalog), site.clock, schedules, holder=site.holder)


async def ended(site: Site) -> list[Job]:
    """All jobs, done."""
    return [await site.finish(job) for job in site.mirror.jobs()]


async def test_a_schedule_runs_at_once_and_again_after_its_interval(site: Site) -> None:
    site.publish("a", a_1=b"one")
    one = scheduler(site, HOURLY)
    await one.begin()
    (job,) = await ended(site)
    assert (job.client, job.name, job.state.value) == ("schedule hourly", "hourly", "completed")
    site.clock.advance(3599)
    await one.begin()
    assert len(site.mirror.jobs()) == 1
    site.clock.advance(1)
    await one.begin()
    assert len(await ended(site)) == 2


async def test_of_several_processes_one_runs_it(site: Site) -> None:
    other = site.beside()
    both = scheduler(site, HOURLY), scheduler(other, HOURLY)
    for _ in range(3):
        await asyncio.gather(*(one.begin() for one in both))
        for job in site.mirror.jobs():
            await site.mirror.cancel(job.id)
        site.clock.advance(3600)
    assert len(site.mirror.jobs()) == 3
    await other.close()


async def test_what_was_missed_while_no_server_ran_is_done_once_at_the_start(site: Site) -> None:
    await scheduler(site, HOURLY).begin()
    await site.mirror.cancel(site.mirror.jobs()[0].id)
    site.clock.advance(10 * 3600 + 1800)
    await scheduler(site, HOURLY).begin()
    await scheduler(site, HOURLY).begin()
    assert len(site.mirror.jobs()) == 2


async def test_a_job_that_was_given_before_a_kill_is_not_given_again(site: Site) -> None:
    leases = SqliteLeases(site.catalog)
    assert await leases.acquire("schedule/hourly", "killed", site.clock.now(), 60.0)
    await site.mirror.submit(HOURLY.order(), client=HOURLY.client, name="hourly")
    await site.mirror.cancel(site.mirror.jobs()[0].id)
    site.clock.advance(61)
    await scheduler(site, HOURLY).begin()
    assert len(site.mirror.jobs()) == 1


async def test_cron_means_utc_and_waits_for_its_time_at_first(site: Site) -> None:
    one = scheduler(site, NIGHTLY)
    site.clock.moment = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    await one.begin()
    assert site.mirror.jobs() == []
    site.clock.moment = datetime(2026, 11, 21, 2, 59, tzinfo=UTC)
    await one.begin()
    assert site.mirror.jobs() == []
    site.clock.moment = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    await one.begin()
    await one.begin()
    assert [job.name for job in site.mirror.jobs()] == ["nightly"]


async def test_starts_are_put_off_by_no_more_than_the_jitter(site: Site) -> None:
    late = replace(HOURLY, jitter=600.0)
    await scheduler(site, late).begin()
    lease = SqliteLeases(site.catalog).find("schedule/hourly")
    assert lease is not None
    assert 3600.0 <= (lease.not_before - site.clock.now()).total_seconds() <= 4200.0


async def test_a_shorter_interval_in_the_configuration_counts_at_once(site: Site) -> None:
    await scheduler(site, replace(HOURLY, every=7 * 86400.0)).begin()
    await site.mirror.cancel(site.mirror.jobs()[0].id)
    site.clock.advance(3600)
    await scheduler(site, HOURLY).begin()
    assert len(site.mirror.jobs()) == 2


async def test_an_order_that_cannot_be_given_is_tried_again_later(site: Site, tmp_path: Path) -> None:
    settings = Settings(name="lock", lockfiles=("missing.lock",), cron="* * * * *", every=None)
    one = scheduler(site, *schedules_of([settings], tmp_path))
    await one.begin()
    site.clock.advance(120)
    await one.begin()
    lease = SqliteLeases(site.catalog).find("schedule/lock")
    assert lease is not None
    assert ("missing.lock cannot be read" in lease.result, site.mirror.jobs()) == (True, [])
    (tmp_path / "missing.lock").write_bytes(b"{}")
    site.clock.advance(60)
    await one.begin()
    assert len(site.mirror.jobs()) == 1


def test_settings_become_orders_with_their_files(tmp_path: Path) -> None:
    (tmp_path / "bom.json").write_bytes(b"{}")
    settings = Settings(
        name="all", purls=("pkg:npm/a",), sboms=("bom.json",), dependencies="runtime", latest=2, cron="0 3 * * 1"
    )
    (schedule,) = schedules_of([settings], tmp_path)
    order = schedule.order()
    assert (order.purls, order.extent.depth, order.extent.latest) == (("pkg:npm/a",), Depth.RUNTIME, 2)
    assert [(paper.kind, paper.name, paper.body) for paper in order.papers] == [(PaperKind.SBOM, "bom.json", b"{}")]
    # 2026-11-20 is a Friday.
    assert schedule.next_after(FakeClock().now()) == datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
