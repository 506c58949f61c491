"""What a miss gets: download modes, refusals, network modes, and stores that are filled behind (ATH-01, 02, 08, 10)."""

import json

import pytest

from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.plan import Wish
from entrepot.errors import Absent, NotCached, NotYet, PolicyRefused, Unreachable, Withheld
from entrepot.model.versions import NATURAL
from entrepot.policy.gate import Gate
from entrepot.policy.hcl import Surroundings, parse_download_file
from entrepot.policy.verdict import Download, Mode
from tests.cache.works import RecordedTriggers, Works, body_of, listing, page

pytestmark = pytest.mark.anyio
BODY = b"the only edition\n"
ELSEWHERE = "https://elsewhere.example/base"
PATHS = ["loose/a", "pkg/", "pkg/a", "signed/a"]


def _works(works: Works, mode: Mode, redirect_status: int = 302) -> Works:
    target = ELSEWHERE if mode.redirects else ""
    download = Download(mode=mode, redirect_url=target, redirect_status=redirect_status, rule="the test")
    works.fetcher.on("loose/a", page(BODY))
    works.fetcher.on("signed/a", page(BODY))
    works.fetcher.on("pkg/a", page(BODY))
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    return works.sibling(gate=Gate(download=download), triggers=RecordedTriggers())


async def _stock(works: Works) -> None:
    """Everything is stored, by a process that may fetch."""
    stocked = _works(works, Mode.SYNC)
    for path in PATHS:
        await stocked.get(path)
    await stocked.settle()


# --- modes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.DENY])
async def test_ath_01_what_is_stored_is_served_whatever_the_mode_says(works: Works, mode: Mode, path: str) -> None:
    await _stock(works)
    asked = len(works.fetcher.asks)
    answer = await _works(works, mode).fetch(path)
    assert answer.status == 200
    assert await body_of(answer)
    assert len(works.fetcher.asks) == asked


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("mode", "error"), [(Mode.ASYNC, NotYet), (Mode.NONE, Withheld), (Mode.DENY, PolicyRefused)])
async def test_ath_01_and_10_a_miss_is_answered_without_contact(
    works: Works, mode: Mode, error: type[Exception], path: str
) -> None:
    other = _works(works, mode)
    with pytest.raises(error, match="the test"):
        await other.fetch(path)
    assert works.fetcher.asks == []
    assert len(other.triggers.offered) == (mode is Mode.ASYNC)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("status", [301, 302, 307])
@pytest.mark.parametrize("mode", [Mode.REDIRECT, Mode.ASYNC_REDIRECT])
async def test_ath_02_a_redirect_names_the_path_below_its_base(
    works: Works, mode: Mode, status: int, path: str
) -> None:
    other = _works(works, mode, status)
    answer = await other.fetch(path)
    assert (answer.status, dict(answer.headers)) == (
        status,
        {"location": f"{ELSEWHERE}/{path}", "cache-control": "no-store"},
    )
    assert works.fetcher.asks == []
    assert [trigger.resource.key for trigger in other.triggers.offered] == [path] * (mode is Mode.ASYNC_REDIRECT)


async def test_a_redirect_keeps_the_query_of_its_base(works: Works) -> None:
    download = Download(mode=Mode.REDIRECT, redirect_url="https://elsewhere.example/?token=1")
    answer = await works.sibling(gate=Gate(download=download)).fetch("loose/a")
    assert dict(answer.headers)["location"] == "https://elsewhere.example/loose/a?token=1"


@pytest.mark.parametrize(
    "gate",
    [
        Gate(download=Download(mode=Mode.REDIRECT, redirect_url=ELSEWHERE)),
        Gate(
            file=parse_download_file(
                f'mode = "sync"\nfilter "pkg" {{\nmode = "direct"\ndownloadURL = "{ELSEWHERE}"\n}}',
                "f",
                Surroundings(order=NATURAL),
            )
        ),
    ],
)
async def test_nobody_is_sent_to_another_host_because_a_client_named_it(works: Works, gate: Gate) -> None:
    works.fetcher.on("pkg/", page(json.dumps({"a": f"{'0' * 64}@files.example"}).encode()))
    other = works.sibling(gate=gate)
    with pytest.raises(Absent, match="not listed"):
        await other.fetch("-/evil.example/pkg/a")
    answer = await other.fetch("-/files.example/pkg/a")
    assert dict(answer.headers)["location"] == "https://files.example/pkg/a"


async def test_what_passes_is_not_asked_of_upstream_where_nothing_is_fetched(works: Works) -> None:
    works.fetcher.on("pass/a", page(BODY))
    other = _works(works, Mode.NONE)
    with pytest.raises(Withheld, match="the test"):
        await other.fetch("pass/a")
    assert works.fetcher.asks == []


async def test_what_is_denied_is_not_served_from_the_store_either(works: Works) -> None:
    await _stock(works)
    other = _works(works, Mode.DENY)
    with pytest.raises(PolicyRefused):
        await other.fetch("loose/a")


async def test_a_fill_stores_what_a_miss_was_refused(works: Works) -> None:
    other = _works(works, Mode.ASYNC)
    for path in PATHS:
        with pytest.raises(NotYet):
            await other.fetch(path)
    for trigger in other.triggers.offered:
        await other.engine.fill(other.shelf, trigger.resource)
    assert [(await other.get(path))[0] for path in PATHS] == [200] * len(PATHS)


async def test_a_fill_of_what_upstream_does_not_have_says_so(works: Works) -> None:
    other = _works(works, Mode.ASYNC)
    with pytest.raises(NotYet):
        await other.fetch("loose/b")
    with pytest.raises(Absent):
        await other.engine.fill(other.shelf, other.triggers.offered[0].resource)


# --- stores that are filled behind ------------------------------------------------------------------------------------


async def test_behind_a_live_answer_nothing_is_stored_until_the_job_did_it(works: Works) -> None:
    other = _works(works, Mode.SYNC).sibling(store="behind")
    for _ in range(2):
        assert await other.get("loose/a") == (200, BODY)
        await other.settle()
    assert len(works.fetcher.asks) == 2
    assert {trigger.resource.key for trigger in other.triggers.offered} == {"loose/a"}
    await other.engine.fill(other.shelf, other.triggers.offered[0].resource)
    assert await other.get("loose/a") == (200, BODY)
    assert len(works.fetcher.asks) == 3


async def test_a_store_that_is_off_keeps_nothing_and_still_checks_digests(works: Works) -> None:
    other = _works(works, Mode.SYNC).sibling(store="off")
    for _ in range(2):
        assert await other.get("pkg/a") == (200, BODY)
        await other.settle()
    assert sum(ask.url.endswith("pkg/a") for ask in works.fetcher.asks) == 2
    assert list(works.catalog.entries()) == []


# --- network modes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("network", ["offline", "prefer_cache"])
async def test_ath_08_what_is_stored_is_served_at_any_age_without_contact(
    works: Works, network: str, path: str
) -> None:
    await _stock(works)
    asked = len(works.fetcher.asks)
    rules = FreshnessRules(network=network)  # type: ignore[arg-type]
    works.clock.advance(400 * 86400.0)
    answer = await works.sibling(rules=rules).fetch(path)
    assert answer.status == 200
    await body_of(answer)
    assert len(works.fetcher.asks) == asked


@pytest.mark.parametrize("path", [*PATHS, "pass/x"])
async def test_ath_08_offline_a_miss_makes_no_contact(works: Works, path: str) -> None:
    rules = FreshnessRules(network="offline")
    with pytest.raises(NotCached, match="offline"):
        await works.sibling(rules=rules).fetch(path)
    assert works.fetcher.asks == []


async def test_ath_08_offline_a_miss_is_404_where_the_repository_is_complete(works: Works) -> None:
    rules = FreshnessRules(network="offline")
    with pytest.raises(Absent, match="not stored here"):
        await works.sibling(rules=rules, offline_miss=404).fetch("loose/a")


async def test_ath_08_only_misses_make_contact_where_the_cache_is_preferred(works: Works) -> None:
    rules = FreshnessRules(network="prefer_cache")
    works.fetcher.on("loose/a", page(BODY))
    assert await works.sibling(rules=rules).get("loose/a") == (200, BODY)


async def test_offline_a_404_of_upstream_is_told_again(works: Works) -> None:
    with pytest.raises(Absent):
        await works.fetch("loose/none")
    await works.settle()
    rules = FreshnessRules(network="offline")
    works.clock.advance(30 * 86400.0)
    with pytest.raises(Absent):
        await works.sibling(rules=rules).fetch("loose/none")


async def test_what_is_cached_only_never_starts_a_fill(works: Works) -> None:
    other = _works(works, Mode.ASYNC)
    with pytest.raises(NotCached):
        await other.fetch("loose/a", wish=Wish(stored_only=True))
    assert other.triggers.offered == []


async def test_an_outage_is_not_spelled_404_in_sync_mode(works: Works) -> None:
    other = _works(works, Mode.SYNC)
    works.fetcher.on("loose/b", Unreachable("loose/b: no connection"))
    with pytest.raises(Unreachable):
        await other.fetch("loose/b")
