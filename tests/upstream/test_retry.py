"""Retries, and the time that they may take."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from entrepot.errors import Unreachable, UpstreamBusy, UpstreamTimeout
from entrepot.model.headers import Headers, http_date
from entrepot.upstream.retry import pause_before, retry_after
from tests.rogue import (
    Fault,
    Page,
    Rogue,
    answers,
    black_hole,
    drip_head,
    refused_port,
    reset_before_answer,
    silence,
    slow_first_byte,
    stall_at,
)
from tests.upstream.support import QUICK, Outside, ask, fetch, upstream

pytestmark = pytest.mark.anyio

IMPATIENT = replace(QUICK, first_byte_timeout=0.2)
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_passing_server_error_is_tried_again(rogue: Rogue, outside: Outside, status: int) -> None:
    url = rogue.serve("/a", b"x")
    rogue.disturb("/a", answers(status), times=2)
    assert await fetch(outside.fetcher(upstream(rogue)), ask(url)) == (200, b"x")
    assert rogue.count() == 3


async def test_a_lasting_server_error_is_handed_back_after_two_retries(rogue: Rogue, outside: Outside) -> None:
    rogue.disturb("/a", answers(500))
    status, _ = await fetch(outside.fetcher(upstream(rogue)), ask(rogue.url("/a")))
    assert (status, rogue.count()) == (500, 3)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429, 501, 505])
async def test_other_answers_are_final(rogue: Rogue, outside: Outside, status: int) -> None:
    rogue.disturb("/a", answers(status))
    answered, _ = await fetch(outside.fetcher(upstream(rogue)), ask(rogue.url("/a")))
    assert (answered, rogue.count()) == (status, 1)


@pytest.mark.parametrize(("method", "patient"), [("POST", True), ("GET", False)])
async def test_what_is_passed_through_is_sent_once(rogue: Rogue, outside: Outside, method: str, patient: bool) -> None:
    rogue.disturb("/a", answers(500))
    await fetch(outside.fetcher(upstream(rogue)), ask(rogue.url("/a"), method=method, patient=patient))
    assert rogue.count() == 1


@pytest.mark.parametrize("fault", [silence(), drip_head(0.05), slow_first_byte(30)])
async def test_an_answer_that_does_not_come_is_a_timeout_and_tried_again(
    rogue: Rogue, outside: Outside, fault: Fault
) -> None:
    rogue.serve("/a", b"x")
    rogue.disturb("/a", fault)
    with pytest.raises(UpstreamTimeout, match=r"no answer within 0\.2 s"):
        await outside.fetcher(upstream(rogue), settings=IMPATIENT).send(ask(rogue.url("/a")))
    assert rogue.count() == 3


async def test_a_refused_connection_is_named_without_the_url(outside: Outside) -> None:
    with refused_port() as port:
        url = f"http://127.0.0.1:{port}/"
        with pytest.raises(Unreachable) as caught:
            await outside.fetcher(upstream(url)).send(ask(f"{url}a?token=secret"))
    assert str(caught.value) == f"127.0.0.1:{port}: connection refused"


def test_refused_connections_pause_less_than_a_second_in_all() -> None:
    assert sum(pause_before(retry, 0.2, 1.0) for retry in range(2)) < 1
    assert pause_before(0, 0.2, 0.0) < pause_before(0, 0.2, 1.0) < pause_before(1, 0.2, 1.0)


async def test_a_black_hole_costs_one_connect_timeout_whatever_the_retries(outside: Outside) -> None:
    settings = replace(QUICK, connect_timeout=0.2, retries=1000)
    with black_hole() as port:
        url = f"http://127.0.0.1:{port}/"
        with pytest.raises(UpstreamTimeout, match=r"no connection within 0\.2 s"):
            await outside.fetcher(upstream(url), settings=settings).send(ask(url))


async def test_a_connection_that_upstream_closed_meanwhile_is_replaced_without_a_retry(
    rogue: Rogue, outside: Outside
) -> None:
    url = rogue.serve("/a", b"x")
    fetcher = outside.fetcher(upstream(rogue), settings=replace(QUICK, retries=0))
    await fetch(fetcher, ask(url))
    rogue.goes_dark()
    rogue.comes_back()
    assert await fetch(fetcher, ask(url, patient=False)) == (200, b"x")


async def test_an_answer_that_is_not_http_is_an_error(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", Page(body=b"x", headers=(("X", "y" * 70_000),)))
    with pytest.raises(Unreachable, match="the answer is not HTTP"):
        await outside.fetcher(upstream(rogue)).send(ask(url))
    assert rogue.count() == 1


async def test_connections_are_limited_and_waiting_for_one_is_not_the_origins_fault(
    rogue: Rogue, outside: Outside
) -> None:
    url = rogue.serve("/a", b"x" * 1000)
    rogue.disturb("/a", stall_at(10))
    fetcher = outside.fetcher(upstream(rogue, max_connections=2))
    held = [await fetcher.send(ask(url)) for _ in range(2)]
    with pytest.raises(UpstreamBusy, match="all connections were in use"):
        await fetcher.send(ask(url))
    assert outside.origins.states == {}
    assert rogue.connections == 2
    for reply in held:
        await reply.close()


async def test_a_waiting_request_gets_the_next_free_connection(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", b"x" * 1000)
    fetcher = outside.fetcher(upstream(rogue, max_connections=1))
    for _ in range(3):
        assert (await fetch(fetcher, ask(url)))[0] == 200
    assert rogue.connections == 1


@pytest.mark.parametrize("form", ["120", http_date(NOW + timedelta(seconds=120))])
async def test_retry_after_is_obeyed_in_both_forms(rogue: Rogue, outside: Outside, form: str) -> None:
    url = rogue.serve("/a", b"x")
    rogue.disturb("/a", answers(429, retry_after=form), times=1)
    fetcher = outside.fetcher(upstream(rogue))
    for _ in range(3):
        with pytest.raises(UpstreamBusy) as caught:
            await fetcher.send(ask(url))
        assert caught.value.retry_after == 120
    assert rogue.count() == 1
    outside.clock.advance(121)
    assert await fetch(fetcher, ask(url)) == (200, b"x")


async def test_a_server_error_with_retry_after_is_not_tried_again(rogue: Rogue, outside: Outside) -> None:
    rogue.disturb("/a", answers(503, retry_after=30))
    fetcher = outside.fetcher(upstream(rogue))
    for _ in range(2):
        with pytest.raises(UpstreamBusy, match="503 with Retry-After"):
            await fetcher.send(ask(rogue.url("/a")))
    assert rogue.count() == 1


async def test_a_success_that_was_under_way_does_not_end_a_pause(rogue: Rogue, outside: Outside) -> None:
    good = rogue.serve("/good", b"x")
    rogue.disturb("/bad", answers(429, retry_after=30))
    fetcher = outside.fetcher(upstream(rogue))
    with pytest.raises(UpstreamBusy):
        await fetcher.send(ask(rogue.url("/bad")))
    with contextlib.suppress(UpstreamBusy):
        await fetcher.send(ask(good))
    assert rogue.count("/good") == 0


@pytest.mark.parametrize(
    ("status", "text", "seconds"),
    [
        (429, "7", 7.0),
        (503, " 7 ", 7.0),
        (429, http_date(NOW + timedelta(hours=1)), 3600.0),
        (429, http_date(NOW - timedelta(hours=1)), None),
        (429, "0", None),
        (429, "-5", None),
        (429, "soon", None),
        (429, "", None),
        (429, "9" * 400, 999_999_999.0),
        (500, "7", None),
        (200, "7", None),
    ],
)
def test_retry_after_is_read(status: int, text: str, seconds: float | None) -> None:
    assert retry_after(status, Headers([("retry-after", text)]), NOW) == seconds


async def test_a_reset_before_the_fields_is_tried_again(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", b"x")
    rogue.disturb("/a", reset_before_answer(), times=2)
    assert await fetch(outside.fetcher(upstream(rogue)), ask(url)) == (200, b"x")
    assert rogue.count() == 3


async def test_a_reset_before_the_fields_that_lasts_is_named(rogue: Rogue, outside: Outside) -> None:
    rogue.disturb("/a", reset_before_answer())
    with pytest.raises(Unreachable, match="the connection ended before the answer"):
        await outside.fetcher(upstream(rogue)).send(ask(rogue.url("/a")))
    assert rogue.count() == 3
