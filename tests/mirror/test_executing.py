"""Files are fetched some at a time, again where that may help, and pinned."""

import asyncio
from dataclasses import replace

import pytest

from entrepot.contracts.mirrors import JobState
from entrepot.errors import BodyCut, EntrepotError, UpstreamBusy, UpstreamStatus
from tests.cache.works import page, until
from tests.fakes import Reply
from tests.mirror.site import Site

pytestmark = pytest.mark.anyio


async def test_mir_10_no_more_than_so_many_are_fetched_at_a_time(site: Site) -> None:
    bodies = {f"a.{number}": bytes([number]) for number in range(40)}
    site.publish("a", files=bodies)
    gates = {name: asyncio.Event() for name in bodies}
    for name, body in bodies.items():
        site.fetcher.on(f"a/{name}", replace(page(body), gates={0: gates[name]}))
    job = await site.order("pkg:garden/a", concurrency=5)
    working = asyncio.create_task(site.mirror.work())
    most = 0
    while gates:
        flying = [ask.url.rpartition("/")[2] for ask in site.fetcher.asks if ask.url.rpartition("/")[2] in gates]
        most = max(most, len(flying))
        if len(flying) == min(5, len(gates)):
            gates.pop(flying[0]).set()
        await asyncio.sleep(0)
    await until(lambda: site.state(job) is JobState.COMPLETED)
    working.cancel()
    await asyncio.wait({working})
    assert most == 5


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (UpstreamStatus("a", 503), 3),
        (UpstreamStatus("a", 429), 3),
        (BodyCut("cut"), 3),
        (UpstreamStatus("a", 403), 1),
        (UpstreamBusy("registry.example", 3600.0, "busy"), 1),
    ],
    ids=["503", "429", "cut", "403", "busy for too long"],
)
async def test_what_may_pass_is_tried_three_times_and_what_cannot_once(
    site: Site, error: EntrepotError, attempts: int
) -> None:
    site.publish("a", a_1=b"one", a_2=b"two")
    site.fetcher.on("a/a.1", error)
    job = await site.run("pkg:garden/a")
    assert (job.state, site.states(job)["a/a.1"]) == (JobState.COMPLETED_WITH_ERRORS, "failed")
    assert site.states(job)["a/a.2"] == "done"
    assert len(site.fetcher.asked("a/a.1")) == attempts
    (told,) = site.mirror.errors(job.id)
    assert (told.subject, told.error, told.code) == ("/garden/a/a.1", str(error), error.code)


async def test_upstream_says_when_it_may_be_asked_again(site: Site) -> None:
    site.publish("a", a_1=b"one")
    site.fetcher.on("a/a.1", UpstreamBusy("registry.example", 120.0, "busy"), *site.script("a/a.1"))
    job = await site.run("pkg:garden/a")
    assert (job.state, site.pauses) == (JobState.COMPLETED, [120.0])


async def test_a_file_that_only_looks_changed_is_read_and_not_fetched_again(site: Site) -> None:
    """So it does where two that have the same bytes were stored at the same time."""
    site.publish("a", a_1=b"one", a_2=b"two")
    await site.run("pkg:garden/a")
    touched, broken = (site.file_of(body) for body in (b"one", b"two"))
    touched.touch()
    broken.write_bytes(b"2")
    site.forget()
    job = await site.run("pkg:garden/a")
    assert (site.states(job)["a/a.1"], site.states(job)["a/a.2"]) == ("held", "done")
    assert [len(site.fetcher.asked(path)) for path in ("a/a.1", "a/a.2")] == [0, 1]


async def test_wrong_bytes_fail_one_file(site: Site) -> None:
    site.publish("a", a_1=b"one", a_2=b"two")
    site.fetcher.on("a/a.1", page(b"something else"))
    job = await site.run("pkg:garden/a")
    (error,) = site.mirror.errors(job.id)
    assert (error.code, site.states(job)["a/a.2"]) == ("digest-mismatch", "done")


async def test_a_defect_in_one_file_stops_none_of_the_others(site: Site) -> None:
    def broken(_: object) -> Reply:
        raise KeyError("unforeseen")

    site.publish("a", a_1=b"one", a_2=b"two")
    site.fetcher.on("a/a.1", broken)
    job = await site.run("pkg:garden/a")
    (error,) = site.mirror.errors(job.id)
    assert (error.code, site.states(job)["a/a.2"]) == ("internal", "done")


async def test_errors_are_kept_up_to_a_thousand_and_counted_beyond(site: Site) -> None:
    job = await site.run(*(f"nonsense {number}" for number in range(1200)))
    assert (job.counts.failed, len(site.mirror.errors(job.id))) == (1200, 1000)


async def test_mir_09_what_was_mirrored_survives_eviction_and_goes_when_it_is_released(site: Site) -> None:
    site.publish("a", a_1=b"one" * 1000, a_2=b"two" * 1000)
    job = await site.run("pkg:garden/a")
    site.clock.advance(60)
    site.publish("b", b_1=b"bee" * 1000)
    await site.get("b/")
    assert (await site.get("b/b.1"))[0] == 200
    await site.background.settle(10)
    tight = site.beside(max_bytes=100)
    await tight.janitor.evict()
    offline = site.offline()
    assert await offline.get("a/a.1") == (200, b"one" * 1000)
    assert (await offline.get("a/"))[0] == 200
    assert not offline.is_stored("b/b.1")
    assert await site.pins.release(job.id) == len(site.states(job))
    await tight.janitor.evict()
    assert not offline.is_stored("a/a.1")
    await tight.close()
    await offline.close()


async def test_mir_09_what_takes_the_place_of_something_pinned_is_pinned_and_the_old_bytes_go(site: Site) -> None:
    site.publish("a", a_1=b"one")
    await site.run("pkg:garden/a")
    (old,) = site.catalog.read("SELECT sha256 FROM entries WHERE key = 'a/'")
    site.clock.advance(301)
    site.publish("a", a_1=b"one", a_2=b"two")
    await site.get("a/")
    await site.background.settle(10)
    (new,) = site.catalog.read("SELECT sha256 FROM entries WHERE key = 'a/'")
    unpinned = {use.sha256 for use in site.catalog.usage(100)}
    assert (old[0].hex() in unpinned, new[0].hex() in unpinned) == (True, False)


async def test_kept_absences_outlive_those_that_nobody_pinned(site: Site) -> None:
    site.publish("a", a_1=b"one")
    await site.run("pkg:garden/a")
    with pytest.raises(EntrepotError):
        await site.get("loose/other")
    await site.background.settle(10)
    site.clock.advance(30 * 86400)
    await site.janitor.forget_absences()
    assert site.catalog.find_entry("garden", "loose/a.probe") is not None
    assert site.catalog.find_entry("garden", "loose/other") is None
