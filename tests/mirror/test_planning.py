"""What selections come down to, and what is kept of it for the day without upstream."""

from dataclasses import replace

import pytest

from entrepot.cache.freshness import FreshnessRules
from entrepot.contracts.mirrors import JobState
from entrepot.errors import Absent, NotCached, Unreachable, UpstreamStatus
from entrepot.model.selection import Depth
from entrepot.policy.cooldown import Cooldown
from entrepot.policy.gate import Gate
from tests.cache.works import page
from tests.fakes import Reply
from tests.mirror.site import Garden, Site

pytestmark = pytest.mark.anyio


async def test_what_packages_need_comes_along_and_each_thing_once(site: Site) -> None:
    site.publish("a", needs="b c", a_1=b"one")
    site.publish("b", needs="c a", b_1=b"bee")
    site.publish("c", c_1=b"see")
    job = await site.run("pkg:garden/a", "pkg:garden/c", depth=Depth.RUNTIME)
    assert {key for key, state in site.states(job).items() if state == "done"} == {
        *("a/", "a/a.1", "loose/a.needs", "b/", "b/b.1", "loose/b.needs", "c/", "c/c.1"),
    }
    assert sorted(set(site.bodies())) == site.bodies()


async def test_what_was_mirrored_is_served_offline_and_so_is_what_clients_ask_for_in_vain(site: Site) -> None:
    site.publish("a", a_1=b"one")
    await site.run("pkg:garden/a")
    offline = site.offline()
    assert (await offline.get("a/"))[0] == 200
    assert await offline.get("a/a.1") == (200, b"one")
    for absent in ("loose/a.probe", "signed/a.never"):
        with pytest.raises(Absent):
            await offline.get(absent)
    with pytest.raises(NotCached):
        await offline.get("loose/other")
    assert offline.fetcher.asks == []
    await offline.close()


@pytest.mark.parametrize(
    "kind", ["none/", "signed/none", "loose/none", "a/none"], ids=["index", "signed", "file", "listed"]
)
async def test_offline_a_404_that_is_kept_is_a_404_whatever_it_is_of_and_however_old_things_must_be(
    site: Site, kind: str
) -> None:
    site.publish("a", a_1=b"one")
    repository = site.repositories["garden"]
    await site.run("pkg:garden/a")
    await site.engine.supply.keep_absence(repository, Garden().route(site.request(kind)))
    offline = site.beside(
        freshness=FreshnessRules(network="offline"), gate=Gate(cooldown=Cooldown(default=3600.0)), holder="three"
    )
    site.forget()
    with pytest.raises(Absent):
        await offline.get(kind)
    assert site.fetcher.asks == []
    await offline.close()


async def test_an_absence_that_was_only_read_of_never_replaces_what_is_stored(site: Site) -> None:
    site.publish("a", a_1=b"one")
    site.fetcher.on("signed/a.never", page(b"it is there"))
    await site.get("signed/a.never")
    await site.run("pkg:garden/a")
    offline = site.offline()
    assert await offline.get("signed/a.never") == (200, b"it is there")
    await offline.close()


async def test_an_index_that_is_no_more_current_is_asked_about_and_a_fresh_one_is_not(site: Site) -> None:
    site.publish("a", a_1=b"one")
    await site.run("pkg:garden/a")
    site.forget()
    await site.run("pkg:garden/a")
    assert site.fetcher.asked("a/") == []
    site.clock.advance(301)
    job = await site.run("pkg:garden/a")
    assert (len(site.fetcher.asked("a/")), site.states(job)["a/"]) == (1, "done")


async def test_an_outage_is_told_and_not_covered_up_by_what_is_stale(site: Site) -> None:
    site.publish("a", a_1=b"one")
    await site.run("pkg:garden/a")
    site.clock.advance(301)
    site.fetcher.on("a/", Unreachable("registry.example: no connection"))
    job = await site.run("pkg:garden/a")
    assert (job.state, len(site.fetcher.asked("a/")) > 3) == (JobState.FAILED, True)
    assert "no connection" in site.mirror.errors(job.id)[0].error


async def test_what_passes_is_asked_for_again_when_upstream_wants_it(site: Site) -> None:
    site.publish("a", a_1=b"one")
    site.fetcher.on("a/", *[Unreachable("no connection")] * 2, *site.script("a/"))
    job = await site.run("pkg:garden/a")
    assert (job.state, len(site.pauses)) == (JobState.COMPLETED, 2)
    assert site.pauses[0] < site.pauses[1]


async def test_a_selection_whose_index_policy_refuses_is_refused(site: Site) -> None:
    barred = site.beside(gate=Gate(unmatched="deny"), holder="barred")
    site.publish("a", a_1=b"one")
    job = await barred.run("pkg:garden/a")
    assert (job.counts.refused, job.counts.failed, job.state) == (1, 0, JobState.FAILED)
    await barred.close()


async def test_a_closure_that_breaks_fails_its_selection_with_a_word_about_it(site: Site) -> None:
    site.fetcher.on("a/", page(b"crash"))
    site.publish("b", b_1=b"bee")
    job = await site.run("pkg:garden/a", "pkg:garden/b")
    assert (job.state, job.counts.failed) == (JobState.COMPLETED_WITH_ERRORS, 1)
    assert "the index cannot be read" in site.mirror.errors(job.id)[0].error


async def test_upstream_without_a_version_is_an_error_in_its_own_words(site: Site) -> None:
    site.publish("a", a_1=b"one")
    site.fetcher.on("a/a.1", Reply(status=404))
    job = await site.run("pkg:garden/a@a.1")
    (error,) = site.mirror.errors(job.id)
    assert (error.code, error.subject) == ("absent", "/garden/a/a.1")
    assert job.counts.failed == 1


async def test_a_repository_that_stores_nothing_fails_what_is_to_be_stored(site: Site) -> None:
    site.publish("a", a_1=b"one")
    plain = site.repositories["garden"]
    bare = site.beside(holder="bare")
    bare.repositories["garden"] = replace(plain, store="off")
    job = await bare.run("pkg:garden/a")
    (error,) = bare.mirror.errors(job.id)
    assert error.code == "not-storable"
    await bare.close()


async def test_documents_with_the_same_bytes_may_come_at_the_same_time(site: Site) -> None:
    packages = [f"p{number}" for number in range(40)]
    for package in packages:
        site.publish(package, a_1=b"one")
    job = await site.run(*(f"pkg:garden/{package}" for package in packages))
    assert (job.state, job.counts.failed) == (JobState.COMPLETED, 0)


async def test_what_clients_can_do_without_and_upstream_will_not_tell_of_is_skipped(site: Site) -> None:
    site.publish("a", a_1=b"one")
    for path in ("loose/a.probe", "loose/a.needs"):
        site.fetcher.on(path, UpstreamStatus(path, 403))
    job = await site.run("pkg:garden/a", depth=Depth.RUNTIME)
    states = site.states(job)
    assert (job.state, states["a/a.1"]) == (JobState.COMPLETED, "done")
    assert [states[path] for path in ("loose/a.probe", "loose/a.needs")] == ["skipped", "skipped"]
    assert {error.error.partition(";")[0] for error in site.mirror.errors(job.id)} == {
        f"{path}: upstream answered 403" for path in ("loose/a.probe", "loose/a.needs")
    }


async def test_what_is_counted_of_a_job_does_not_write_all_of_its_order_anew(site: Site) -> None:
    site.publish("a", a_1=b"one")
    wanted = [f"pkg:garden/a@{number}" for number in range(1000)]
    job = await site.order("pkg:garden/a@a.1", *wanted)
    order, _ = site.book.find_order(job.id) or (b"", False)
    assert len(order) < 1000
    ended = await site.finish(job)
    assert (ended.state, site.states(ended)["a/a.1"]) == (JobState.COMPLETED, "done")
