"""The front door: every answer as a client sees it, the short way for what is asked again, refusals, one line each."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.cache.answer import Stored
from entrepot.cache.freshness import FreshnessRules
from entrepot.errors import StoreFailure, Unreachable, UpstreamBusy
from entrepot.model.headers import http_date
from entrepot.web.door import Identity
from tests.cache.test_flights import BIG, MIB, gated
from tests.cache.works import Works, listing, page, sha256, works_in
from tests.fakes import NOON, Reply
from tests.web.front import HOST, Front

pytestmark = pytest.mark.anyio
BODY = b"the first edition\n"
NEWS = b"the second edition\n"


async def stored(front: Front, path: str = "loose/a", reply: Reply | None = None) -> None:
    """Fetched once, and settled."""
    front.works.fetcher.on(path, reply or page(BODY))
    assert (await front.get(f"/shelf/{path}")).status == 200
    await front.works.settle()


# --- answers ----------------------------------------------------------------------------------------------------------


async def test_a_cold_file_comes_whole_with_its_fields(front: Front) -> None:
    front.works.fetcher.on("loose/a", page(BIG, content_type="application/zip", set_cookie="a=b"))
    got = await front.get("/shelf/loose/a")
    assert (got.status, got.body, got.complete) == (200, BIG, True)
    assert got.fields == {
        "content-type": "application/zip",
        "cache-control": "public, max-age=31536000, immutable",
        "accept-ranges": "bytes",
        "content-length": str(len(BIG)),
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
        "cross-origin-resource-policy": "same-origin",
        "cache-status": "entrepot; fwd=miss; fwd-status=200",
    }


@pytest.mark.parametrize("size", [1000, 3 * MIB])
@pytest.mark.parametrize("path", ["loose/a", "signed/a"])
async def test_a_hit_is_the_same_however_often_it_is_given(front: Front, path: str, size: int) -> None:
    await stored(front, path, page(BIG[:size], last_modified=http_date(NOON)))
    front.works.clock.advance(7)
    first = await front.get(f"/shelf/{path}")
    again = [await front.get(f"/shelf/{path}") for _ in range(3)]
    ttl = "; ttl=293" if path == "signed/a" else ""
    assert first.fields["cache-status"] == f"entrepot; hit{ttl}"
    assert first.fields["age"] == "7"
    assert first.body == BIG[:size]
    assert first.repeated == []
    for got in again:
        assert (got.status, got.fields, got.body) == (first.status, first.fields, first.body)
    assert front.hot.find((b"/shelf/" + path.encode(), b"", HOST.encode(), b"", b"")) is not None
    assert len(front.works.fetcher.asks) == 1


async def test_age_grows_and_counts_what_upstream_said(front: Front) -> None:
    await stored(front, "signed/a", page(BODY, age="100"))
    ages = []
    for _ in range(3):
        got = await front.get("/shelf/signed/a")
        ages.append((got.fields["age"], got.fields["cache-status"]))
        front.works.clock.advance(10)
    assert ages == [
        ("100", "entrepot; hit; ttl=200"),
        ("110", "entrepot; hit; ttl=190"),
        ("120", "entrepot; hit; ttl=180"),
    ]


async def test_what_is_hot_is_asked_about_again_when_its_time_is_over(front: Front) -> None:
    await stored(front, "signed/a")
    await front.get("/shelf/signed/a")
    front.works.clock.advance(1000)
    front.works.fetcher.on("signed/a", page(NEWS))
    assert (await front.get("/shelf/signed/a")).body == NEWS


async def test_what_is_hot_goes_with_what_is_replaced_or_removed(front: Front) -> None:
    await stored(front, "signed/a")
    await stored(front, "loose/b", page(NEWS))
    for path in ("signed/a", "loose/b"):
        await front.get(f"/shelf/{path}")
    await front.works.janitor.remove(sha256(BODY))
    front.works.fetcher.on("signed/a", page(b"third"))
    assert (await front.get("/shelf/signed/a")).body == b"third"
    asked = len(front.works.fetcher.asks)
    assert (await front.get("/shelf/loose/b")).body == NEWS
    assert len(front.works.fetcher.asks) == asked


async def test_a_hot_file_that_was_changed_on_disk_is_not_given(front: Front, tmp_path: Path) -> None:
    await stored(front, "loose/a", page(BIG))
    await front.get("/shelf/loose/a")
    path = tmp_path / "data" / "blobs" / sha256(BIG)[:2] / sha256(BIG)[2:]
    path.write_bytes(bytes(len(BIG)))
    got = await front.get("/shelf/loose/a")
    assert (got.status, got.body) == (200, BIG)
    assert len(front.works.fetcher.asks) == 2


async def test_what_is_dropped_while_it_is_sent_goes_to_its_end(front: Front) -> None:
    await stored(front, "loose/a", page(BIG))
    await front.get("/shelf/loose/a")
    slow = asyncio.create_task(front.get("/shelf/loose/a"))
    await asyncio.sleep(0)
    front.hot.clear()
    got = await slow
    assert (got.body, got.broken) == (BIG, False)


async def test_hot_answers_leave_no_file_open(works: Works, tmp_path: Path) -> None:
    front = Front(works, tmp_path)
    works.fetcher.on("loose/a", page(BIG))
    await front.get("/shelf/loose/a")
    await works.settle()

    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = count()
    for _ in range(3):
        await front.get("/shelf/loose/a")
        await front.get("/shelf/loose/a", range="bytes=1-2")
        await front.get("/shelf/loose/a", range="bytes=99999999-")
        await front.get("/shelf/loose/a", if_none_match="*")
        await front.get("/shelf/loose/a", method="HEAD")
    front.hot.clear()
    assert count() == before
    front.close()


@pytest.mark.parametrize("path", ["loose/a", "signed/a", "pkg/"])
async def test_a_head_is_a_get_without_its_body(front: Front, path: str) -> None:
    await stored(front, path, page(listing(a=BODY)))
    got = await front.get(f"/shelf/{path}")
    head = await front.get(f"/shelf/{path}", method="HEAD")
    assert (head.status, head.body, head.fields) == (200, b"", got.fields)
    ranged = await front.get(f"/shelf/{path}", method="HEAD", range="bytes=0-0")
    assert (ranged.status, ranged.fields) == (200, got.fields)


@pytest.mark.parametrize("path", ["loose/a", "signed/a", "pkg/"])
async def test_a_304_has_the_fields_of_the_200_but_those_of_the_body(front: Front, path: str) -> None:
    await stored(front, path, page(listing(a=BODY), last_modified=http_date(NOON)))
    whole = (await front.get(f"/shelf/{path}")).fields
    got = await front.get(f"/shelf/{path}", if_none_match=f'W/{whole["etag"]}, "x"')
    assert (got.status, got.body, got.complete) == (304, b"", True)
    about_body = ("content-type", "content-length", "accept-ranges")
    assert got.fields == {name: value for name, value in whole.items() if name not in about_body}


async def test_a_range_is_answered_with_its_place(front: Front) -> None:
    await stored(front)
    got = await front.get("/shelf/loose/a", range="bytes=4-8")
    assert (got.status, got.body) == (206, b"first")
    assert (got.fields["content-range"], got.fields["content-length"]) == (f"bytes 4-8/{len(BODY)}", "5")


@pytest.mark.parametrize(
    ("fields", "status"), [({"range": "bytes=999-"}, 416), ({"if_match": '"other"'}, 412)], ids=["416", "412"]
)
async def test_what_cannot_be_satisfied_has_an_empty_body(front: Front, fields: dict[str, Any], status: int) -> None:
    await stored(front)
    got = await front.get("/shelf/loose/a", **fields)
    assert (got.status, got.body, got.fields["content-length"]) == (status, b"", "0")
    assert "content-type" not in got.fields


async def test_what_is_under_way_is_joined(front: Front) -> None:
    reply, (gate,) = gated(BIG, MIB)
    front.works.fetcher.on("loose/a", reply)
    first = asyncio.create_task(front.get("/shelf/loose/a"))
    await front.works.announced("loose/a")
    second = asyncio.create_task(front.get("/shelf/loose/a"))
    await asyncio.sleep(0)
    gate.set()
    assert [(await first).body, (await second).body] == [BIG, BIG]
    assert (await second).fields["cache-status"] == "entrepot; fwd=miss; collapsed"


async def test_stale_answers_say_so(works: Works, tmp_path: Path) -> None:
    front = Front(works, tmp_path, warning_header=True)
    await stored(front, "signed/a")
    works.clock.advance(1000)
    works.fetcher.on("signed/a", Reply(status=503))
    got = await front.get("/shelf/signed/a")
    assert got.fields["cache-status"] == "entrepot; fwd=stale; fwd-status=503; ttl=-700; detail=upstream-failed"
    assert (got.fields["age"], got.fields["warning"]) == ("1000", '110 - "Response is Stale"')
    works.clock.advance(1)
    got = await front.get("/shelf/signed/a")
    assert got.fields["cache-status"] == "entrepot; hit; ttl=-701; detail=upstream-failed"
    works.clock.advance(1000)
    works.fetcher.on("signed/a", Reply(status=304))
    got = await front.get("/shelf/signed/a")
    assert got.fields["cache-status"] == "entrepot; fwd=stale; fwd-status=304; ttl=300"
    assert "warning" not in got.fields
    front.close()


async def test_a_pass_through_carries_body_and_status_and_is_marked(front: Front) -> None:
    def echo(ask: object) -> Reply:
        return Reply(status=201, body=getattr(ask, "body", b""), fields=(("content-type", "application/json"),))

    front.works.fetcher.on("pass/audit", echo)
    got = await front.get("/shelf/pass/audit", method="POST", body=b'{"a":1}', authorization="Bearer secret")
    assert (got.status, got.body) == (201, b'{"a":1}')
    assert got.fields["cache-status"] == "entrepot; fwd=bypass; fwd-status=201"
    assert "authorization" not in front.works.fetcher.asks[0].headers
    assert all(reply.closed for reply in front.works.fetcher.replies)


async def test_answers_differ_by_what_the_client_takes(front: Front) -> None:
    files = {f"file{number}": b"%d" % number for number in range(300)}
    await stored(front, "pkg/", page(listing(**files)))
    plain = await front.get("/shelf/pkg/")
    for _ in range(2):
        packed = await front.get("/shelf/pkg/", accept_encoding="br;q=1.0, gzip;q=0.8")
        assert packed.fields["content-encoding"] == "gzip"
        refused = await front.get("/shelf/pkg/", accept_encoding="gzip;q=0, br")
        assert (refused.body, refused.fields.get("content-encoding")) == (plain.body, None)


async def test_two_lines_of_accept_encoding_are_one_wish(front: Front) -> None:
    files = {f"file{number}": b"%d" % number for number in range(300)}
    await stored(front, "pkg/", page(listing(**files)))
    for _ in range(2):
        both = await front.ask("/shelf/pkg/", [("host", HOST), ("accept-encoding", "gzip"), ("accept-encoding", "br")])
        only = await front.ask("/shelf/pkg/", [("host", HOST), ("accept-encoding", "br")])
        assert (both.fields.get("content-encoding"), only.fields.get("content-encoding")) == ("gzip", None)


# --- what breaks ------------------------------------------------------------------------------------------------------


async def test_a_wrong_digest_is_a_502_where_nothing_left_yet(front: Front) -> None:
    front.works.fetcher.on("pkg/", page(listing(a=BODY)))
    front.works.fetcher.on("pkg/a", page(NEWS))
    got = await front.get("/shelf/pkg/a")
    assert (got.status, got.fields["cache-status"]) == (502, "entrepot; detail=digest-mismatch")
    assert got.fields["content-type"].startswith("text/plain")
    assert got.fields["cache-control"] == "no-store"
    assert got.fields["content-length"] == str(len(got.body))


async def test_what_goes_wrong_after_the_start_breaks_the_transfer(front: Front) -> None:
    front.works.fetcher.on("loose/a", replace(page(BIG), cut_at=MIB), Reply(status=500))
    got = await front.get("/shelf/loose/a")
    assert (got.status, got.broken, got.complete) == (200, True, False)
    assert BIG.startswith(got.body)


async def test_a_stored_file_that_ends_too_early_breaks_the_transfer(front: Front, tmp_path: Path) -> None:
    await stored(front, "loose/a", page(BIG))
    path = tmp_path / "data" / "blobs" / sha256(BIG)[:2] / sha256(BIG)[2:]
    answer = await front.works.fetch("loose/a")
    os.truncate(path, MIB)
    sent: list[bytes] = []

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message["body"])

    with pytest.raises(StoreFailure):
        await front.sender.send_body(send, answer.body, answer.span, answer.length)
    assert b"".join(sent) == BIG[:MIB]
    assert isinstance(answer.body, Stored)
    answer.body.blob.close()
    assert (await front.get("/shelf/loose/a")).body == BIG


async def test_a_wait_is_told_in_retry_after(front: Front) -> None:
    front.works.fetcher.on("loose/a", UpstreamBusy("registry.example", 41.6, "Retry-After"))
    got = await front.get("/shelf/loose/a")
    assert (got.status, got.fields["retry-after"]) == (503, "42")


async def test_a_defect_is_a_500_that_tells_no_internals(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    def defect(_: object) -> Reply:
        raise ZeroDivisionError("secret")

    front.works.fetcher.on("pass/a", defect)
    got = await front.get("/shelf/pass/a", method="POST")
    assert (got.status, b"secret" in got.body) == (500, False)
    assert "ZeroDivisionError" in caplog.text


# --- who may ask, and for what ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (HOST, 404),
        ("localhost", 404),
        ("LOCALHOST:1", 404),
        ("sub.localhost", 404),
        ("[::1]:8080", 404),
        ("127.9.9.9", 404),
        ("", 400),
        ("localhost:port", 400),
        ("[::1", 400),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("user@localhost", 421),
        ("localhost/x", 421),
        ("localhost?x", 421),
        ("localhost#x", 421),
        ("192.0.2.7", 421),
    ],
)
@pytest.mark.parametrize("path", ["/nothing", "/ui"])
async def test_only_names_of_ours_are_answered(front: Front, host: str, status: int, path: str) -> None:
    assert (await front.get(path, host=host)).status == status


async def test_two_hosts_are_nobody(front: Front) -> None:
    assert (await front.ask("/shelf/a", [("host", HOST), ("host", "evil.example")])).status == 400


async def test_a_configured_name_is_answered_and_a_public_url_is_used_in_links(works: Works, tmp_path: Path) -> None:
    identity = Identity(listen=("0.0.0.0", 80), public_url="https://Pkg.example/", allowed_hosts=("other.example",))
    front = Front(works, tmp_path, identity=identity)
    for host in ("pkg.example", "other.example:80", "192.0.2.7", "127.0.0.1"):
        got = await front.get("/", host=host)
        assert b"https://Pkg.example/shelf/" in got.body
    assert (await front.get("/", host="evil.example")).status == 421
    front.close()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 201),
        ({"origin": f"http://{HOST}"}, 201),
        ({"sec_fetch_site": "same-origin"}, 201),
        ({"sec_fetch_site": "none"}, 201),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
    ],
)
async def test_another_site_cannot_make_a_browser_post(front: Front, fields: dict[str, Any], status: int) -> None:
    front.works.fetcher.on("pass/a", Reply(status=201))
    assert (await front.get("/shelf/pass/a", method="POST", **fields)).status == status
    assert len(front.works.fetcher.asks) == (status == 201)


async def test_our_own_request_coming_back_is_a_loop(front: Front) -> None:
    got = await front.get("/shelf/loose/a", via="1.1 other, 1.1 us")
    assert (got.status, got.fields["via"]) == (508, "1.1 us")
    assert (await front.get("/shelf/loose/a", via="1.1 other")).status == 404


@pytest.mark.parametrize("path", ["/shelf/caf\xe9", "/shelf/a b".replace(" ", "\xa0")])
async def test_bytes_that_must_be_escaped_are_refused(front: Front, path: str) -> None:
    assert (await front.get(path)).status == 400


async def test_a_body_over_the_limit_is_refused_before_anybody_is_asked(front: Front) -> None:
    got = await front.get("/shelf/pass/a", method="POST", body=bytes(1001))
    assert got.status == 413
    assert front.works.fetcher.asks == []


async def test_a_session_is_known_or_refused_and_booked(front: Front) -> None:
    front.works.fetcher.on("loose/a", page(BODY))
    assert (await front.get("/~abc/shelf/loose/a")).status == 404
    front.sessions.add("abc")
    for _ in range(3):
        assert (await front.get("/~abc/shelf/loose/a")).status == 200
        await front.works.settle()
    counts = front.works.counters.of_session("abc", "shelf")
    assert (counts.requests, counts.misses, counts.hits) == (3, 1, 2)
    assert (counts.bytes_sent, counts.bytes_saved) == (3 * len(BODY), 2 * len(BODY))


async def test_a_client_can_insist_only_where_the_repository_honours_it(tmp_path: Path) -> None:
    for honour, asks in ((False, 1), (True, 3)):
        rules = FreshnessRules(honour_client_no_cache=honour)
        works = works_in(tmp_path / str(honour) / "data", rules=rules)
        front = Front(works, tmp_path / str(honour))
        await stored(front, "signed/a")
        for field in ("no-cache", "max-age=0"):
            assert (await front.get("/shelf/signed/a", cache_control=field)).status == 200
            await works.settle()
        assert len(works.fetcher.asks) == asks
        front.close()


async def test_only_if_cached_is_504_without_contact(front: Front) -> None:
    got = await front.get("/shelf/loose/a", cache_control="only-if-cached")
    assert (got.status, got.fields["cache-status"]) == (504, "entrepot; detail=not-cached")
    assert front.works.fetcher.asks == []


# --- how the server is ------------------------------------------------------------------------------------------------


async def test_health_and_readiness(front: Front) -> None:
    assert (await front.get("/health")).body == b"ok\n"
    ready = await front.get("/ready")
    assert (ready.status, ready.fields["cache-control"]) == (200, "no-store")
    front.works.catalog.broken = True
    assert (await front.get("/health")).status == 200
    unready = await front.get("/ready")
    assert (unready.status, unready.body) == (503, b"not ready: the catalog is out of order\n")


async def test_metrics_count_what_became_of_triggers(front: Front) -> None:
    for result in ("accepted", "full", "full"):
        front.works.counters.count_trigger(result)
    lines = (await front.get("/metrics")).body.decode().splitlines()
    assert 'entrepot_triggers_total{result="accepted"} 1.0' in lines
    assert 'entrepot_triggers_total{result="full"} 2.0' in lines


async def test_metrics_count_what_was_served(front: Front) -> None:
    await stored(front)
    await front.get("/shelf/loose/a")
    got = await front.get("/metrics")
    assert got.fields["content-type"].startswith("text/plain; version=0.0.4")
    assert b'entrepot_requests_total{outcome="hits",repository="shelf"} 1.0' in got.body
    assert b"entrepot_stored_blobs 1.0" in got.body


async def test_metrics_are_closed_unless_opened(works: Works, tmp_path: Path) -> None:
    front = Front(works, tmp_path, metrics_open=False)
    assert (await front.get("/metrics")).status == 403
    front.close()


@pytest.mark.parametrize("path", ["/api", "/api/stats"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_the_interface_for_programs_is_not_here(front: Front, path: str, method: str) -> None:
    assert (await front.get(path, method=method)).status == 403


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/"])
async def test_only_reading_is_allowed_of_the_servers_own_pages(front: Front, path: str) -> None:
    got = await front.get(path, method="DELETE")
    assert (got.status, got.fields["allow"]) == (405, "GET, HEAD")
    head = await front.get(path, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.fields["content-length"]) > 0


async def test_the_life_of_the_server_begins_and_ends_with_it(front: Front) -> None:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    said: list[object] = []

    async def receive() -> dict[str, str]:
        return messages.pop(0)

    async def send(message: object) -> None:
        said.append(message)

    await front.app({"type": "lifespan"}, receive, send)
    assert front.events == ["start", "stop"]
    assert said == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]
    with pytest.raises(NotImplementedError):
        await front.app({"type": "websocket"}, receive, send)


# --- the access log ---------------------------------------------------------------------------------------------------


async def test_each_request_has_one_line_that_joins_both_sides(front: Front) -> None:
    front.works.fetcher.on("loose/a", page(BODY))
    await front.get("/shelf/loose/a")
    await front.works.settle()
    for _ in range(2):
        await front.get("/shelf/loose/a")
    front.works.fetcher.on("loose/b", Unreachable("refused"))
    await front.get('/shelf/loose/b"\\x')
    await front.get("/shelf/loose/b")
    await front.get("/unknown/x")
    miss, hit, hot, odd, failed, unknown = front.lines()
    assert (miss["status"], miss["cache"], miss["upstream_status"]) == (200, "miss", 200)
    assert (miss["bytes"], miss["upstream_bytes"], miss["upstream_requests"]) == (len(BODY), len(BODY), 1)
    for line in (hit, hot):
        assert (line["cache"], line["bytes"], line["repository"], line["key"]) == ("hit", len(BODY), "shelf", "loose/a")
        assert "upstream" not in line
    assert {name: hit[name] for name in hit if name not in ("ms", "wait_ms")} == {
        name: hot[name] for name in hot if name not in ("ms", "wait_ms")
    }
    assert odd["path"] == '/shelf/loose/b"\\x'
    assert (failed["status"], failed["cache"], failed["detail"]) == (502, "error", "upstream-unreachable")
    assert (unknown["status"], unknown["cache"]) == (404, "refused")
