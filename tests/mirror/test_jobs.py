"""Mirror jobs from the order to the end, also when processes come and go."""

import asyncio
import json
import resource
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entrepot.contracts.mirrors import JobState
from entrepot.errors import BadRequest, StoreFailure
from entrepot.model.order import MirrorOrder
from entrepot.model.selection import Depth
from tests.cache.works import page, until
from tests.fakes import Reply
from tests.mirror.site import RULES, Site

pytestmark = pytest.mark.anyio


def held_back(site: Site, path: str, body: bytes) -> asyncio.Event:
    """Upstream answers for it with its first byte only when the event is set."""
    gate = asyncio.Event()
    site.fetcher.on(path, replace(page(body), gates={0: gate}))
    return gate


async def test_mir_01_a_second_run_moves_no_bytes(site: Site) -> None:
    site.publish("a", needs="b", a_1=b"one", a_2=b"two")
    site.publish("b", b_1=b"bee")
    first = await site.run("pkg:garden/a", depth=Depth.RUNTIME)
    assert (first.state, first.counts.done, first.counts.fetched_bytes > 0) == (JobState.COMPLETED, 6, True)
    site.forget()
    second = await site.run("pkg:garden/a", depth=Depth.RUNTIME)
    assert (second.state, second.counts.done, second.counts.held) == (JobState.COMPLETED, 0, 6)
    assert (second.counts.fetched_bytes, second.counts.held_bytes) == (0, first.counts.fetched_bytes)
    assert site.bodies() == []


async def test_mir_05_one_bad_purl_fails_itself_and_not_the_rest(site: Site) -> None:
    site.publish("a", a_1=b"one")
    job = await site.run("pkg:garden/a", "no purl at all", "pkg:garden/none@1")
    assert job.state is JobState.COMPLETED_WITH_ERRORS
    assert (job.counts.failed, site.states(job)["a/a.1"]) == (2, "done")
    errors = {error.subject: error for error in site.mirror.errors(job.id)}
    assert "is no package URL" in errors["no purl at all"].error
    assert errors["pkg:garden/none@1"].code == "absent"
    assert "upstream says it does not exist" in errors["pkg:garden/none@1"].error


async def test_what_no_registry_serves_is_told_and_no_error(site: Site) -> None:
    site.publish("a", a_1=b"one")
    job = await site.run("pkg:garden/a", "pkg:oddity/x@1")
    assert (job.state, job.counts.skipped, job.counts.failed) == (JobState.COMPLETED, 1, 0)
    (error,) = site.mirror.errors(job.id)
    assert (error.subject, error.code) == ("pkg:oddity/x@1", "skipped")


async def test_a_job_of_which_nothing_can_be_done_has_failed(site: Site) -> None:
    job = await site.run("pkg:garden/none")
    assert (job.state, job.counts.failed) == (JobState.FAILED, 1)


async def test_an_order_that_is_running_is_not_begun_twice(site: Site) -> None:
    first = await site.order("pkg:garden/a")
    assert (await site.order("pkg:garden/a")).id == first.id
    assert (await site.order("pkg:garden/b")).id != first.id
    await site.mirror.cancel(first.id)
    assert (await site.order("pkg:garden/a")).id != first.id


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({}, "nothing to mirror"),
        ({"repositories": ("shed",)}, "no repository 'shed'"),
        ({"trees": ("/shed/folder/",)}, "no repository 'shed'"),
        ({"trees": ("/garden/folder/",), "allowed": ["other"]}, "no repository 'garden' to fill"),
    ],
)
async def test_an_order_that_cannot_be_meant_is_refused_at_once(
    site: Site, more: dict[str, object], complaint: str
) -> None:
    with pytest.raises(BadRequest, match=complaint):
        await site.order(*(["pkg:garden/a"] if "repositories" in more else []), **more)  # type: ignore[arg-type]
    assert site.mirror.jobs() == []


async def test_nothing_is_stored_where_whoever_asks_may_not_have_it_stored(site: Site) -> None:
    site.publish("a", a_1=b"one")
    job = await site.run("pkg:garden/a", allowed=["other"])
    assert (job.counts.done, job.counts.skipped, site.bodies()) == (0, 1, [])


# --- cancel, resume, retry --------------------------------------------------------------------------------------------


async def test_mir_04_after_a_cancel_nothing_begins_any_more(site: Site) -> None:
    site.publish("a", files={f"a.{number}": bytes([number]) for number in range(50)})
    gates = [held_back(site, f"a/a.{number}", bytes([number])) for number in range(50)]
    job = await site.order("pkg:garden/a", concurrency=4)
    working = asyncio.create_task(site.mirror.work())
    await until(lambda: sum(ask.url.endswith(f"/a.{n}") for ask in site.fetcher.asks for n in range(50)) == 4)
    cancelled = await site.beside().mirror.cancel(job.id)
    assert cancelled.state is JobState.CANCELLED
    asked = len(site.fetcher.asks)
    await until(lambda: site.book.running(site.clock.now()) == 0)
    for gate in gates:
        gate.set()
    await site.background.settle(10)
    working.cancel()
    await asyncio.wait({working})
    found = site.mirror.find_job(job.id)
    assert found is not None
    assert (found.state, len(site.fetcher.asks)) == (JobState.CANCELLED, asked)


async def test_a_cancelled_job_goes_on_with_what_is_open(site: Site) -> None:
    site.publish("a", a_1=b"one", a_2=b"late")
    gate = held_back(site, "a/a.2", b"late")
    job = await site.order("pkg:garden/a", concurrency=2)
    working = asyncio.create_task(site.mirror.work())
    await until(lambda: len(site.fetcher.asked("a/a.2")) == 1 and site.states(job).get("a/a.1") == "done")
    await site.mirror.cancel(job.id)
    await until(lambda: site.book.running(site.clock.now()) == 0)
    working.cancel()
    await asyncio.wait({working})
    gate.set()
    await site.background.settle(10)
    site.forget()
    assert (await site.mirror.resume(job.id)).state is JobState.QUEUED
    ended = await site.finish(job)
    assert (ended.state, set(site.states(job).values())) == (JobState.COMPLETED, {"done", "held", "absent"})
    assert site.bodies() == []  # The one that was under way had arrived meanwhile.


async def test_what_failed_is_done_again_when_somebody_says_so(site: Site) -> None:
    site.publish("a", a_1=b"one", a_2=b"two")
    site.fetcher.on("a/a.2", Reply(status=403))
    job = await site.run("pkg:garden/a", "pkg:garden/b")
    assert (job.state, job.counts.failed) == (JobState.COMPLETED_WITH_ERRORS, 2)
    site.fetcher.on("a/a.2", page(b"two"))
    site.publish("b", b_1=b"bee")
    site.clock.advance(600)
    site.forget()
    assert (await site.mirror.retry(job.id)).counts.failed == 0
    ended = await site.finish(job)
    assert (ended.state, ended.counts.failed, site.mirror.errors(job.id)) == (JobState.COMPLETED, 0, [])
    assert site.bodies() == ["a/a.2", "b/", "b/b.1"]


async def test_what_cannot_be_understood_stays_told_when_what_failed_is_done_again(site: Site) -> None:
    site.publish("a", a_1=b"one")
    site.fetcher.on("a/a.1", Reply(status=404))
    job = await site.run("pkg:garden/a", "nonsense", papers=site.bill(b"no bill"))
    told = site.mirror.errors(job.id)
    site.publish("a", a_1=b"one")
    again = await site.finish(await site.mirror.retry(job.id))
    assert (again.state, again.counts.failed) == (JobState.COMPLETED_WITH_ERRORS, 2)
    assert site.mirror.errors(job.id) == [error for error in told if "a.1" not in error.subject]
    assert site.is_stored("a/a.1")


async def test_a_complete_job_cannot_be_resumed_and_an_unknown_one_not_found(site: Site) -> None:
    site.publish("a", a_1=b"one")
    job = await site.run("pkg:garden/a")
    with pytest.raises(BadRequest, match="nothing left to do"):
        await site.mirror.resume(job.id)
    for change in (site.mirror.cancel, site.mirror.resume, site.mirror.retry):
        with pytest.raises(BadRequest, match="no mirror job 'none'"):
            await change("none")
    assert (await site.mirror.cancel(job.id)).state is JobState.COMPLETED


# --- processes that come and go ---------------------------------------------------------------------------------------


async def test_mir_03_another_process_goes_on_where_one_was_killed(site: Site) -> None:
    site.publish("a", files={f"a.{number}": bytes([number]) for number in range(20)})
    gate = held_back(site, "a/a.19", bytes([19]))
    # Who was killed renews nothing any more, and tells nobody that it ends.
    dead = site.beside(rules=replace(RULES, poll_seconds=3600.0))
    job = await dead.order("pkg:garden/a", concurrency=2)
    killed = asyncio.create_task(dead.mirror.work())
    await until(lambda: list(site.states(job).values()).count("done") == 20)
    site.clock.advance(31)
    site.publish("a", files={f"a.{number}": bytes([number]) for number in range(20)})
    site.forget()
    ended = await site.finish(job)
    assert (ended.state, site.bodies()) == (JobState.COMPLETED, ["a/a.19"])
    gate.set()
    killed.cancel()
    await asyncio.wait({killed})
    await dead.close()


async def test_one_that_ends_gives_its_job_back_at_once(site: Site) -> None:
    site.publish("a", a_1=b"one")
    gate = held_back(site, "a/a.1", b"one")
    job = await site.order("pkg:garden/a")
    working = asyncio.create_task(site.mirror.work())
    await until(lambda: len(site.fetcher.asked("a/a.1")) == 1)
    working.cancel()
    await asyncio.wait({working})
    gate.set()
    other = site.beside()
    assert (await other.finish(job)).state is JobState.COMPLETED
    await other.close()


async def test_no_more_than_so_many_jobs_run_at_a_time(site: Site) -> None:
    gates = []
    for package in "abc":
        site.publish(package, files={f"{package}.1": b"late"})
        gates.append(held_back(site, f"{package}/{package}.1", b"late"))
        await site.order(f"pkg:garden/{package}")
    other = site.beside()
    working = [asyncio.create_task(one.mirror.work()) for one in (site, other)]
    await until(lambda: sum(job.state is not JobState.QUEUED for job in site.mirror.jobs()) == 2)
    assert site.book.running(site.clock.now()) == 2
    for gate in gates:
        gate.set()
    await until(lambda: all(job.state is JobState.COMPLETED for job in site.mirror.jobs()))
    for task in working:
        task.cancel()
    await asyncio.wait(working)
    await other.close()


async def test_a_full_disk_costs_a_job_time_and_no_item(site: Site) -> None:
    site.publish("a", a_1=b"one")
    site.blobs.full = True
    job = await site.order("pkg:garden/a")
    working = asyncio.create_task(site.mirror.work())
    await until(lambda: (lease := site.lease(job)) is not None and lease.failures == 1)
    await until(lambda: site.state(job) is JobState.QUEUED)
    lease, found = site.lease(job), site.mirror.find_job(job.id)
    assert lease is not None
    assert found is not None
    assert ("no space" in lease.result, "no space" in found.problem, found.counts.failed) == (True, True, 0)
    site.blobs.full = False
    site.clock.advance(30)
    await until(lambda: site.state(job) is JobState.COMPLETED)
    working.cancel()
    await asyncio.wait({working})


# --- what comes after -------------------------------------------------------------------------------------------------


async def test_what_ended_long_ago_is_forgotten_and_its_pins_stay(site: Site) -> None:
    site.publish("a", a_1=b"one")
    empty, pinning = await site.run("pkg:garden/none"), await site.run("pkg:garden/a")
    site.clock.advance(31 * 86400)
    forgotten = await site.book.forget(site.clock.now())
    assert set(forgotten) == {empty.id, pinning.id}
    assert [job.id for job in site.mirror.jobs()] == [pinning.id]
    assert [pin.job for pin in site.pins.summaries()] == [pinning.id]
    assert site.states(pinning) == {}


async def test_the_same_order_again_takes_the_pins_over_and_lets_go_what_it_needs_no_more(site: Site) -> None:
    site.publish("a", a_1=b"one", a_2=b"two")
    await site.run("pkg:garden/a")
    site.clock.advance(86400)
    site.publish("a", a_2=b"two")
    second = await site.run("pkg:garden/a")
    (pinned,) = site.pins.summaries()
    assert (pinned.job, pinned.entries) == (second.id, len(site.states(second)))


async def test_a_run_with_errors_keeps_what_the_one_before_had_pinned(site: Site) -> None:
    site.publish("a", a_1=b"one", a_2=b"two")
    first = await site.run("pkg:garden/a")
    site.clock.advance(86400)
    site.publish("a", a_1=b"one", a_3=b"three")
    site.fetcher.on("a/a.3", Reply(status=403))
    second = await site.run("pkg:garden/a")
    (pinned,) = site.pins.summaries()
    assert (second.state, pinned.job) == (JobState.COMPLETED_WITH_ERRORS, second.id)
    assert pinned.entries == len(site.states(first))


async def test_papers_are_read_where_the_job_is_done_and_dropped_then(site: Site, directory: Path) -> None:
    component = {"type": "library", "name": "a", "purl": "pkg:garden/a@a.1"}
    bill = json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [component]}).encode()
    site.publish("a", a_1=b"one", a_2=b"two")
    job = await site.run(papers=site.bill(bill))
    assert (job.state, "a/a.1" in site.states(job), "a/a.2" in site.states(job)) == (JobState.COMPLETED, True, False)
    assert not (directory / "mirror" / job.id).exists()
    assert (await site.finish(await site.mirror.retry(job.id))).state is JobState.COMPLETED


async def test_papers_of_jobs_that_were_cancelled_unread_do_not_gather(site: Site, directory: Path) -> None:
    few = site.beside(rules=replace(site.rules, per_token=2))
    for number in range(5):
        order = MirrorOrder(papers=site.bill(f"bill {number}".encode()))
        job = await few.mirror.submit(order, client="ci", limited=True)
        assert (directory / "mirror" / job.id / "0").exists()
        await few.mirror.cancel(job.id)
        few.clock.advance(1)
    assert len(list((directory / "mirror").iterdir())) == 3
    assert {path.name for path in (directory / "mirror").iterdir()} == {one.id for one in few.mirror.jobs()}
    await few.close()


async def test_papers_that_find_no_room_leave_nothing_behind(site: Site, directory: Path) -> None:
    """A limit to the size of files is a full disk that needs no root."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(StoreFailure, match="papers of a mirror job"):
            await site.order(papers=(*site.bill(b"small"), *site.bill(bytes(2 << 20))))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((directory / "mirror").iterdir()) == []
    assert site.mirror.jobs() == []


async def test_what_killed_processes_left_in_the_directory_is_removed_after_a_day(site: Site, directory: Path) -> None:
    job = await site.order(papers=site.bill(b"{}"))
    await site.mirror.cancel(job.id)
    for left in ("rehearsal-1", "0123abcd"):
        (directory / "mirror" / left).mkdir()
    # The clock of these tests is not that of their files.
    site.clock.moment = datetime.now(UTC) + timedelta(days=2)
    working = asyncio.create_task(site.mirror.work())
    await until(lambda: [path.name for path in (directory / "mirror").iterdir()] == [job.id])
    working.cancel()
    await asyncio.wait({working})


async def test_what_helpers_end_over_fails_its_job_and_is_not_read_by_the_server(site: Site) -> None:
    site.publish("a", a_1=b"one")
    bill = json.dumps({"bomFormat": "CycloneDX", "components": [{"name": "a", "purl": "pkg:garden/a@a.1"}]})
    away = site.beside(helper="true")
    job = await away.run(papers=site.bill(bill.encode() + b" " * 100_000))
    await away.close()
    assert (job.state, job.counts.total) == (JobState.FAILED, 0)
    assert job.problem.startswith("bom.json: reading takes too long, or too much memory")
