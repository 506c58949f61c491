"""One request, whatever is stored and whatever upstream does (policy §4, MUT-01 … 15)."""

import asyncio
import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.plan import Wish
from entrepot.errors import (
    Absent,
    BadContent,
    BodyCut,
    DigestMismatch,
    EntrepotError,
    NotCached,
    StoreFailure,
    Unreachable,
    UnreadableIndex,
    UpstreamBusy,
    UpstreamStatus,
    UpstreamTimeout,
    VersionChanged,
)
from entrepot.model.headers import http_date
from tests.cache.works import Works, body_of, listing, page, sha256, works_in
from tests.fakes import NOON, Reply

pytestmark = pytest.mark.anyio
BODY = b"the first edition\n"
NEWS = b"the second edition\n"
LONG_AGO = 8 * 86400.0


# --- files ------------------------------------------------------------------------------------------------------------


async def test_a_file_is_fetched_once_and_then_served_without_contact(works: Works) -> None:
    works.fetcher.on("loose/a", page(BODY))
    assert await works.get("loose/a") == (200, BODY)
    await works.settle()
    works.clock.advance(1e9)
    assert await works.get("loose/a") == (200, BODY)
    assert len(works.fetcher.asks) == 1


async def test_what_upstream_sent_besides_is_not_shown(works: Works) -> None:
    fields = {"set_cookie": "a=b", "server": "x", "cache_control": "private", "content_language": "en"}
    works.fetcher.on("loose/a", page(BODY, **fields))
    for answer in (await works.fetch("loose/a"), await works.fetch("loose/a")):
        shown = dict(answer.headers)
        assert set(shown) <= {
            *("content-type", "cache-control", "content-language", "etag", "last-modified", "accept-ranges")
        }
        assert shown["cache-control"] == "public, max-age=31536000, immutable"
        assert shown.get("etag", "") != page(BODY).headers.get("etag")
        await body_of(answer)
        await works.settle()


async def test_a_head_has_the_fields_of_a_get(works: Works) -> None:
    works.fetcher.on("loose/a", page(BODY, last_modified=http_date(NOON)))
    await works.get("loose/a")
    await works.settle()
    got, asked = await works.fetch("loose/a"), await works.fetch("loose/a", method="HEAD")
    assert (asked.status, asked.headers, asked.length) == (got.status, got.headers, len(BODY))
    for answer in (got, asked):
        await body_of(answer)


async def test_a_head_of_what_is_not_stored_asks_for_a_head_and_stores_nothing(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    works.fetcher.on("pkg/a", page(BODY))
    answer = await works.fetch("pkg/a", method="HEAD")
    assert (answer.status, answer.length) == (200, len(BODY))
    assert dict(answer.headers)["etag"] == f'"{sha256(BODY)[:40]}"'
    assert [ask.method for ask in works.fetcher.asked("pkg/a")] == ["HEAD"]
    assert works.catalog.find_entry("shelf", "pkg/a") is None


async def test_a_head_of_an_expired_entry_is_answered_from_its_validation(works: Works) -> None:
    works.fetcher.on("signed/a", page(BODY), Reply(status=304))
    await works.get("signed/a")
    await works.settle()
    works.clock.advance(1000)
    answer = await works.fetch("signed/a", method="HEAD")
    assert (answer.status, answer.length, answer.trace.outcome) == (200, len(BODY), "revalidated")
    await body_of(answer)


async def test_a_known_digest_is_looked_for_in_the_store_before_upstream(works: Works) -> None:
    works.fetcher.on("loose/a", page(BODY))
    await works.get("loose/a")
    await works.settle()
    assert await works.get(f"named/{sha256(BODY)}") == (200, BODY)
    assert len(works.fetcher.asks) == 1


async def test_a_lost_catalog_costs_no_download_where_the_digest_is_known(works: Works, tmp_path: Path) -> None:
    works.fetcher.on(f"named/{sha256(BODY)}", page(BODY))
    await works.get(f"named/{sha256(BODY)}")
    await works.settle()
    again = works_in(tmp_path, fetcher=works.fetcher)
    assert await again.get(f"named/{sha256(BODY)}") == (200, BODY)
    assert len(works.fetcher.asks) == 1


async def test_stored_bytes_are_served_though_the_catalog_cannot_note_it(works: Works, tmp_path: Path) -> None:
    works.fetcher.on(f"named/{sha256(BODY)}", page(BODY))
    await works.get(f"named/{sha256(BODY)}")
    await works.settle()
    again = works_in(tmp_path, fetcher=works.fetcher)
    again.catalog.read_only = True
    assert await again.get(f"named/{sha256(BODY)}") == (200, BODY)
    assert len(works.fetcher.asks) == 1


async def test_a_changed_file_is_set_aside_and_fetched_again(works: Works, tmp_path: Path) -> None:
    works.fetcher.on("loose/a", page(BODY))
    await works.get("loose/a")
    await works.settle()
    path = tmp_path / "blobs" / sha256(BODY)[:2] / sha256(BODY)[2:]
    path.write_bytes(BODY.swapcase())
    assert await works.get("loose/a") == (200, BODY)
    await works.settle()
    assert path.read_bytes() == BODY
    assert works.counters.quarantined == 1
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


async def test_a_touched_file_is_read_and_trusted_again(works: Works, tmp_path: Path) -> None:
    works.fetcher.on("loose/a", page(BODY))
    await works.get("loose/a")
    await works.settle()
    (tmp_path / "blobs" / sha256(BODY)[:2] / sha256(BODY)[2:]).touch()
    assert await works.get("loose/a") == (200, BODY)
    assert len(works.fetcher.asks) == 1
    blob = works.blobs.open(sha256(BODY))
    known = works.catalog.find_blob(sha256(BODY))
    assert blob is not None
    assert known is not None
    assert blob.fingerprint() == known.fingerprint
    blob.close()


async def test_only_if_cached_makes_no_contact(works: Works) -> None:
    works.fetcher.on("loose/a", page(BODY))
    with pytest.raises(NotCached):
        await works.fetch("loose/a", wish=Wish(stored_only=True))
    assert works.fetcher.asks == []


async def test_a_pass_through_is_forwarded_with_harmless_fields_only(works: Works) -> None:
    works.fetcher.on("pass/audit", Reply(status=201, body=b"{}", fields=(("set-cookie", "a"), ("vary", "accept"))))
    answer = await works.fetch("pass/audit", method="POST")
    assert (answer.status, await body_of(answer)) == (201, b"{}")
    assert dict(answer.headers) == {"vary": "accept"}
    (ask,) = works.fetcher.asks
    assert (ask.method, ask.patient) == ("POST", False)


# --- conditions and ranges --------------------------------------------------------------------------------------------


async def test_a_304_carries_what_the_200_would_have_and_no_length(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    whole = await works.fetch("pkg/")
    shown = dict(whole.headers)
    answer = await works.fetch("pkg/", if_none_match=shown["etag"])
    assert (answer.status, answer.length) == (304, None)
    assert dict(answer.headers) == {name: shown[name] for name in ("etag", "cache-control", "vary")}


async def test_a_range_of_a_stored_file_is_cut_out(works: Works) -> None:
    works.fetcher.on("loose/a", page(BODY))
    await works.get("loose/a")
    await works.settle()
    answer = await works.fetch("loose/a", range="bytes=4-8")
    assert dict(answer.headers)["content-range"] == f"bytes 4-8/{len(BODY)}"
    assert (answer.status, answer.length, await body_of(answer)) == (206, 5, b"first")


async def test_a_range_behind_the_end_is_416_with_the_size(works: Works) -> None:
    works.fetcher.on("loose/a", page(BODY))
    await works.get("loose/a")
    await works.settle()
    answer = await works.fetch("loose/a", range="bytes=99-")
    assert (answer.status, answer.headers) == (416, [("content-range", f"bytes */{len(BODY)}")])


# --- what changes -----------------------------------------------------------------------------------------------------


async def expired(works: Works, path: str = "signed/a", reply: Reply | None = None) -> None:
    """Stored, and then beyond every lifetime but `stale.if_error`."""
    works.fetcher.on(path, reply or page(BODY))
    await works.get(path)
    await works.settle()
    works.clock.advance(1000)


async def test_mut_01_a_304_moves_no_body_and_freshens_the_fields(works: Works) -> None:
    await expired(works)
    works.fetcher.on("signed/a", Reply(status=304, fields=(("etag", '"new"'), ("content-type", "image/png"))))
    answer = await works.fetch("signed/a")
    assert (await body_of(answer), answer.trace.outcome) == (BODY, "revalidated")
    entry = works.catalog.find_entry("shelf", "signed/a")
    assert entry is not None
    assert entry.validated_at == works.clock.now()
    assert (entry.headers.get("etag"), entry.headers.get("content-type")) == ('"new"', "application/octet-stream")
    assert works.fetcher.asks[-1].headers.get("if-none-match") == page(BODY).headers.get("etag")
    works.clock.advance(299)
    await works.get("signed/a")
    assert len(works.fetcher.asks) == 2


async def test_mut_02_a_new_edition_replaces_the_old_and_readers_of_the_old_finish(works: Works) -> None:
    works.fetcher.on("signed/a", page(BODY))
    await works.get("signed/a")
    await works.settle()
    reading = await works.fetch("signed/a")
    works.clock.advance(1000)
    works.fetcher.on("signed/a", page(NEWS))
    generation = works.generation.value()
    assert await works.get("signed/a") == (200, NEWS)
    await works.settle()
    assert works.generation.value() > generation
    assert await body_of(reading) == BODY
    assert await works.get("signed/a") == (200, NEWS)


async def serves_the_old_edition(works: Works, path: str, failure: EntrepotError | Reply, backoff: float = 30) -> None:
    """While upstream fails so; and it is asked again only after `backoff` seconds."""
    await expired(works, path, page(listing(a=BODY)))
    old = await works.get(path, wish=Wish(stored_only=True))
    works.fetcher.on(path, failure)
    answer = await works.fetch(path)
    assert (answer.status, await body_of(answer)) == old
    assert (answer.trace.outcome, answer.trace.detail) == ("stale", "upstream-failed")
    assert answer.entry is not None
    assert answer.entry.validated_at == NOON
    asked = len(works.fetcher.asks)
    works.clock.advance(backoff - 1)
    assert await works.get(path) == old
    assert len(works.fetcher.asks) == asked
    works.clock.advance(60)
    assert await works.get(path) == old
    await works.settle()
    assert len(works.fetcher.asks) > asked


both_kinds = pytest.mark.parametrize("path", ["signed/a", "pkg/"])


@both_kinds
async def test_mut_03_the_old_edition_is_served_while_connections_are_refused(works: Works, path: str) -> None:
    await serves_the_old_edition(works, path, Unreachable("registry.example: connection refused"))


@both_kinds
async def test_mut_04_the_old_edition_is_served_while_the_name_does_not_resolve(works: Works, path: str) -> None:
    await serves_the_old_edition(works, path, Unreachable("registry.example: its name does not resolve"))


@both_kinds
@pytest.mark.parametrize("cut", [UpstreamTimeout("silence"), BodyCut("the body ended early")])
async def test_mut_05_the_old_edition_is_served_while_bodies_stop_half_way(
    works: Works, path: str, cut: EntrepotError
) -> None:
    await serves_the_old_edition(works, path, replace(page(listing(a=NEWS)), cut_at=5, cut=cut))


@both_kinds
async def test_mut_06_the_old_edition_is_served_while_upstream_answers_500(works: Works, path: str) -> None:
    await serves_the_old_edition(works, path, Reply(status=500))


@both_kinds
async def test_mut_07_the_old_edition_is_served_while_a_503_asks_to_wait(works: Works, path: str) -> None:
    await serves_the_old_edition(works, path, UpstreamBusy("registry.example", 40, "it answered 503"), backoff=40)


@both_kinds
async def test_mut_08_the_old_edition_is_served_while_a_429_asks_to_wait(works: Works, path: str) -> None:
    await serves_the_old_edition(works, path, UpstreamBusy("registry.example", 200, "it answered 429"), backoff=200)


@pytest.mark.parametrize("path", ["signed/a", "pkg/"])
async def test_mut_09_beyond_the_window_the_failure_is_told(works: Works, path: str) -> None:
    await expired(works, path, page(listing(a=BODY)))
    works.clock.advance(LONG_AGO)
    works.fetcher.on(path, Unreachable("refused"))
    with pytest.raises(Unreachable):
        await works.fetch(path)


@pytest.mark.parametrize("path", ["signed/a", "pkg/"])
@pytest.mark.parametrize("status", [404, 410])
async def test_mut_10_what_upstream_took_back_is_404_again_and_again(works: Works, path: str, status: int) -> None:
    await expired(works, path, page(listing(a=BODY)))
    works.fetcher.on(path, Reply(status=status))
    for _ in range(3):
        with pytest.raises(Absent):
            await works.fetch(path)
        works.clock.advance(10)
    await works.settle()
    assert len(works.fetcher.asks) == 2
    works.clock.advance(60)
    works.fetcher.on(path, page(listing(a=NEWS)))
    assert (await works.get(path))[0] == 200
    assert "if-none-match" not in works.fetcher.asks[-1].headers


async def test_mut_10_what_upstream_took_back_is_served_where_the_repository_says_so(tmp_path: Path) -> None:
    works = works_in(tmp_path, rules=FreshnessRules(gone="serve"))
    await expired(works)
    works.fetcher.on("signed/a", Reply(status=404))
    answer = await works.fetch("signed/a")
    assert (await body_of(answer), answer.trace.detail) == (BODY, "gone-upstream")


@pytest.mark.parametrize("status", [401, 403])
async def test_mut_10_what_upstream_forbids_is_served_stale_or_not_as_the_repository_says(
    tmp_path: Path, status: int
) -> None:
    for forbidden in ("stale", "drop"):
        works = works_in(tmp_path / forbidden, rules=FreshnessRules(forbidden=forbidden))
        await expired(works)
        works.fetcher.on("signed/a", Reply(status=status))
        if forbidden == "stale":
            assert await works.get("signed/a") == (200, BODY)
        else:
            with pytest.raises(UpstreamStatus):
                await works.get("signed/a")
            with pytest.raises(UpstreamStatus):
                await works.get("signed/a")


async def test_mut_11_many_at_the_expiry_ask_once(works: Works) -> None:
    await expired(works)
    works.fetcher.on("signed/a", Reply(status=304))
    answers = await asyncio.gather(*(works.get("signed/a") for _ in range(100)))
    assert set(answers) == {(200, BODY)}
    assert len(works.fetcher.asks) == 2


async def test_mut_12_freshness_survives_a_restart(works: Works) -> None:
    works.fetcher.on("signed/a", page(BODY))
    await works.get("signed/a")
    await works.settle()
    works.clock.advance(299)
    again = works.sibling()
    assert await again.get("signed/a") == (200, BODY)
    assert len(works.fetcher.asks) == 1


@pytest.mark.parametrize("path", ["signed/a", "pkg/"])
async def test_mut_15_a_lifetime_of_zero_asks_each_time(tmp_path: Path, path: str) -> None:
    works = works_in(tmp_path, rules=FreshnessRules(mutable_ttl=0))
    works.fetcher.on(path, page(listing(a=BODY)), Reply(status=304))
    for _ in range(3):
        assert (await works.get(path))[0] == 200
        await works.settle()
    assert len(works.fetcher.asks) == 3


async def test_without_conditional_requests_all_of_it_comes_again_and_failures_still_have_the_old(
    tmp_path: Path,
) -> None:
    works = works_in(tmp_path, rules=FreshnessRules(conditional=False))
    await expired(works)
    works.fetcher.on("signed/a", Unreachable("refused"))
    assert await works.get("signed/a") == (200, BODY)
    works.clock.advance(60)
    works.fetcher.on("signed/a", page(NEWS))
    assert await works.get("signed/a") == (200, NEWS)
    assert not any(name.startswith("if-") for ask in works.fetcher.asks for name, _ in ask.headers)


@pytest.mark.parametrize("path", ["signed/a", "pkg/"])
async def test_just_stale_is_answered_at_once_and_refreshed_behind(works: Works, path: str) -> None:
    works.fetcher.on(path, page(listing(a=BODY)))
    await works.get(path)
    await works.settle()
    works.clock.advance(310)
    works.fetcher.on(path, page(listing(b=BODY)))
    answer = await works.fetch(path)
    assert (answer.trace.outcome, answer.trace.detail) == ("stale", "while-revalidate")
    old = await body_of(answer)
    await works.settle()
    answer = await works.fetch(path)
    assert answer.trace.outcome == "hit"
    assert await body_of(answer) != old
    assert len(works.fetcher.asks) == 2


async def test_a_stopping_server_answers_just_stale_without_refreshing(works: Works) -> None:
    works.fetcher.on("signed/a", page(BODY))
    await works.get("signed/a")
    await works.settle()
    works.clock.advance(310)
    works.flights.stop()
    assert await works.get("signed/a") == (200, BODY)
    assert len(works.fetcher.asks) == 1


async def test_a_304_that_nobody_asked_for_validates_nothing(tmp_path: Path) -> None:
    works = works_in(tmp_path, rules=FreshnessRules(conditional=False))
    await expired(works)
    works.fetcher.on("signed/a", Reply(status=304))
    answer = await works.fetch("signed/a")
    assert (answer.trace.outcome, answer.trace.detail) == ("stale", "upstream-failed")
    await body_of(answer)


async def test_a_304_while_the_body_is_missing_is_an_error(works: Works) -> None:
    works.fetcher.on("signed/a", Reply(status=304))
    with pytest.raises(UpstreamStatus):
        await works.fetch("signed/a")


async def test_validators_of_one_upstream_are_not_shown_to_another(works: Works) -> None:
    await expired(works)
    works.fetcher.bases["main"] = "https://other.example/"
    works.fetcher.on("signed/a", page(NEWS))
    assert await works.get("signed/a") == (200, NEWS)
    assert "if-none-match" not in works.fetcher.asks[-1].headers


async def test_bytes_that_no_digest_vouches_for_are_fetched_again_from_another_upstream(works: Works) -> None:
    works.fetcher.on("loose/a", page(BODY))
    await works.get("loose/a")
    await works.settle()
    works.fetcher.bases["main"] = "https://other.example/"
    works.fetcher.on("loose/a", page(BODY))
    assert await works.get("loose/a") == (200, BODY)
    assert len(works.fetcher.asks) == 2


async def test_upstreams_wish_not_to_be_stored_is_obeyed_where_asked(tmp_path: Path) -> None:
    works = works_in(tmp_path, rules=FreshnessRules(obey_no_store=True))
    for path, body in (("loose/a", BODY), ("pkg/", listing(a=BODY))):
        works.fetcher.on(path, page(body, cache_control="no-store"))
        assert (await works.get(path))[0] == 200
        await works.settle()
        assert works.catalog.find_entry("shelf", path) is None
        assert (await works.get(path))[0] == 200
        assert len(works.fetcher.asked(path)) == 2


# --- what is not there ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["loose/a", "pkg/", "pkg/a"])
async def test_an_absence_is_remembered_briefly(works: Works, path: str) -> None:
    for _ in range(3):
        with pytest.raises(Absent):
            await works.fetch(path)
    asked = len(works.fetcher.asked(path))
    assert asked == 1
    works.clock.advance(46)
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    works.fetcher.on(path, page(BODY if not path.endswith("/") else listing(a=BODY)))
    assert (await works.get(path))[0] == 200


@pytest.mark.parametrize("path", ["loose/a", "pkg/", "pkg/a"])
async def test_an_outage_is_not_spelled_404(works: Works, path: str) -> None:
    works.fetcher.on("pkg/", Unreachable("refused"))
    works.fetcher.on(path, Unreachable("refused"))
    with pytest.raises(Unreachable):
        await works.fetch(path)


async def test_a_file_that_its_index_does_not_list_is_absent_though_upstream_has_it(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing(b=BODY)))
    works.fetcher.on("pkg/a", page(BODY))
    with pytest.raises(Absent):
        await works.fetch("pkg/a")


async def test_a_file_that_was_just_published_is_found_by_reading_the_index_again(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    works.fetcher.on("pkg/a", page(BODY))
    works.fetcher.on("pkg/b", page(NEWS))
    await works.get("pkg/a")
    await works.settle()
    with pytest.raises(Absent):
        await works.fetch("pkg/b")
    works.fetcher.on("pkg/", page(listing(a=BODY, b=NEWS)))
    works.clock.advance(11)
    assert await works.get("pkg/b") == (200, NEWS)


# --- what is wrong ----------------------------------------------------------------------------------------------------


async def test_a_wrong_digest_is_retried_once_around_caches_and_then_an_error(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    works.fetcher.on("pkg/a", page(NEWS))
    with pytest.raises(DigestMismatch):
        await works.get("pkg/a")
    first, second = works.fetcher.asked("pkg/a")
    assert "cache-control" not in first.headers
    assert second.headers.get("cache-control") == "no-cache"
    assert works.counts.mismatches == 2
    assert works.catalog.find_entry("shelf", "pkg/a") is None
    assert list(works.blobs.digests()) == [sha256(listing(a=BODY))]


async def test_a_wrong_digest_of_a_cache_on_the_way_is_not_felt(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    works.fetcher.on("pkg/a", page(NEWS), page(BODY))
    assert await works.get("pkg/a") == (200, BODY)


async def test_a_big_file_with_a_wrong_digest_breaks_at_its_last_piece_and_is_stored_first_next_time(
    works: Works, caplog: pytest.LogCaptureFixture
) -> None:
    right, wrong = bytes(3 << 20), bytes((3 << 20) - 1) + b"!"
    works.fetcher.on("pkg/", page(listing(a=right)))
    works.fetcher.on("pkg/a", page(wrong))
    answer = await works.fetch("pkg/a")
    assert (answer.status, answer.length) == (200, len(right))
    with pytest.raises(DigestMismatch), caplog.at_level(logging.ERROR):
        await body_of(answer)
    await works.settle()
    with pytest.raises(DigestMismatch):
        await works.fetch("pkg/a")
    assert works.fetcher.asked("pkg/a")[-1].headers.get("cache-control") == "no-cache"
    works.fetcher.on("pkg/a", page(right))
    assert await works.get("pkg/a") == (200, right)


async def test_what_a_name_stands_for_does_not_change(works: Works) -> None:
    works.fetcher.on("loose/a", page(BODY))
    await works.get("loose/a")
    await works.settle()
    await works.janitor.remove(sha256(BODY))
    works.fetcher.on("loose/a", page(NEWS))
    with pytest.raises(VersionChanged):
        await works.get("loose/a")
    works.fetcher.on("loose/a", page(BODY))
    assert await works.get("loose/a") == (200, BODY)


async def test_a_web_page_is_no_file(works: Works) -> None:
    works.fetcher.on("loose/a", page(BODY, content_type="text/html; charset=utf-8"))
    with pytest.raises(BadContent):
        await works.get("loose/a")
    assert all(reply.closed for reply in works.fetcher.replies)


@pytest.mark.parametrize("body", [b"not json", b"crash"])
async def test_an_unreadable_index_keeps_the_old_one(works: Works, body: bytes) -> None:
    await expired(works, "pkg/", page(listing(a=BODY)))
    works.fetcher.on("pkg/", page(body))
    answer = await works.fetch("pkg/")
    assert (await body_of(answer), answer.trace.detail) == (b"a\n", "unreadable-index")
    entry = works.catalog.find_entry("shelf", "pkg/")
    assert entry is not None
    assert entry.sha256 == sha256(listing(a=BODY))


@pytest.mark.parametrize("body", [b"not json", b"crash"])
async def test_an_unreadable_index_alone_is_an_error_and_nothing_is_stored(works: Works, body: bytes) -> None:
    works.fetcher.on("pkg/", page(body))
    with pytest.raises(UnreadableIndex):
        await works.fetch("pkg/")
    assert works.blobs.digests() == []


async def test_an_unreadable_index_stops_its_files_unless_told_otherwise(tmp_path: Path) -> None:
    for always in (True, False):
        works = works_in(tmp_path / str(always), verify_always=always)
        works.fetcher.on("pkg/", page(b"not json"))
        works.fetcher.on("pkg/a", page(BODY))
        if always:
            with pytest.raises(UnreadableIndex):
                await works.get("pkg/a")
        else:
            assert await works.get("pkg/a") == (200, BODY)
        await works.settle()
        assert all(reply.closed for reply in works.fetcher.replies)


async def test_a_server_that_stops_takes_no_new_downloads(works: Works) -> None:
    works.flights.stop()
    with pytest.raises(EntrepotError, match="stopping"):
        await works.fetch("loose/a")


# --- without disk or catalog ------------------------------------------------------------------------------------------


async def test_without_a_catalog_what_has_a_published_digest_passes_through(works: Works) -> None:
    works.catalog.broken = True
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    works.fetcher.on("pkg/a", page(BODY))
    assert await works.get("pkg/a") == (200, BODY)
    assert (await works.get("pkg/"))[1] == b"a\n"


async def test_without_a_catalog_what_needs_its_memory_is_refused_and_no_connection_is_lost(works: Works) -> None:
    works.catalog.broken = True
    works.fetcher.on("loose/a", page(BODY))
    with pytest.raises(StoreFailure):
        await works.fetch("loose/a")
    await works.settle()
    assert all(reply.closed for reply in works.fetcher.replies)


async def test_every_upstream_answer_is_closed_exactly_when_its_work_is_done(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    works.fetcher.on("pkg/a", page(NEWS), Reply(status=500))
    works.fetcher.on("signed/a", replace(page(BODY), cut_at=3), Reply(status=416))
    for path in ("pkg/a", "signed/a", "loose/a"):
        with pytest.raises(EntrepotError):
            await works.get(path)
    await works.settle()
    assert len(works.fetcher.replies) == 6
    assert all(reply.closed for reply in works.fetcher.replies)


# --- several upstreams ------------------------------------------------------------------------------------------------


async def test_the_next_upstream_is_asked_after_a_404_and_never_after_an_error(works: Works) -> None:
    works.fetcher.bases["second"] = "https://second.example/"
    both = works.sibling()
    works.fetcher.on("https://second.example/loose/a", page(BODY))
    assert await both.get("loose/a") == (200, BODY)
    works.fetcher.on("https://second.example/other/", page(listing(a=BODY)))
    works.fetcher.on("other/", Unreachable("refused"))
    with pytest.raises(Unreachable):
        await both.get("other/")


async def test_the_upstream_that_had_a_package_first_owns_it(works: Works) -> None:
    works.fetcher.bases["second"] = "https://second.example/"
    both = works.sibling()
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    works.fetcher.on("https://second.example/pkg/", page(listing(a=NEWS)))
    await both.get("pkg/")
    await both.settle()
    both.clock.advance(LONG_AGO)
    works.fetcher.on("pkg/", Reply(status=404))
    with pytest.raises(Absent):
        await both.get("pkg/")
    assert works.fetcher.asked("https://second.example/pkg/") == []


async def test_a_reserved_name_is_asked_only_where_it_is_reserved(works: Works) -> None:
    works.fetcher.bases["second"] = "https://second.example/"
    works.fetcher.reserved["pkg"] = "second"
    both = works.sibling()
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    with pytest.raises(Absent):
        await both.get("pkg/")
    assert works.fetcher.asked("pkg/") == []


# --- files elsewhere --------------------------------------------------------------------------------------------------


def listing_elsewhere(host: str) -> bytes:
    return json.dumps({"a": f"{sha256(BODY)}@{host}"}).encode()


async def test_a_file_on_another_host_is_fetched_from_where_the_index_lists_it(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing_elsewhere("files.example")))
    works.fetcher.on("https://files.example/pkg/a", page(BODY))
    assert await works.get("-/files.example/pkg/a") == (200, BODY)
    index, file = works.fetcher.asks
    assert (index.learned, file.learned) == (False, True)


@pytest.mark.parametrize("path", ["-/evil.example/pkg/a", "-/files.example/pkg/b", "-/files.example/other/a"])
async def test_what_no_index_lists_is_never_asked_of_another_host(works: Works, path: str) -> None:
    works.fetcher.on("pkg/", page(listing_elsewhere("files.example")))
    with pytest.raises(Absent):
        await works.get(path)
    assert [ask for ask in works.fetcher.asks if not ask.url.startswith("https://registry.example/")] == []


async def test_without_its_index_nothing_is_asked_of_another_host_however_relaxed(tmp_path: Path) -> None:
    works = works_in(tmp_path, verify_always=False)
    works.fetcher.on("pkg/", page(b"not json"))
    with pytest.raises(UnreadableIndex):
        await works.get("-/files.example/pkg/a")
    assert {ask.url for ask in works.fetcher.asks} == {"https://registry.example/pkg/"}


async def test_a_file_that_moved_to_another_host_is_resumed_there(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing_elsewhere("files.example")))
    rest = Reply(status=206, body=BODY[5:], fields=(("content-range", f"bytes 5-{len(BODY) - 1}/{len(BODY)}"),))
    works.fetcher.on("https://files.example/pkg/a", replace(page(BODY), cut_at=5), rest)
    assert await works.get("-/files.example/pkg/a") == (200, BODY)
    assert [ask.learned for ask in works.fetcher.asked("https://files.example/pkg/a")] == [True, True]
