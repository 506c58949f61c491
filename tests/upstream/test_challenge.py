"""Registries that want tokens which another service gives (the distribution project's token authentication)."""

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.contracts.fetcher import Ask
from entrepot.errors import UpstreamStatus
from entrepot.upstream.challenge import Challenge, parse_challenge
from entrepot.upstream.settings import Auth, AuthKind, Secret
from tests.rogue import Page, Rogue, answers, instead, redirect
from tests.upstream.support import Outside, ask, fetch, upstream

pytestmark = pytest.mark.anyio

BASIC = Auth(kind=AuthKind.BASIC, user="me", secret=Secret("pw"))
BLOB = "/v2/demo/blobs/x"
TOKEN = "/token?service=demo&scope=repository%3Ademo%3Apull"


def wants_token(registry: Rogue, realm: Rogue, path: str = BLOB, times: int | None = 1) -> str:
    """A path that is answered 401 so many times, and then as it should be."""
    field = f'Bearer realm="{realm.url("/token")}",service="demo",scope="repository:demo:pull"'
    page = Page(body=b"{}", status=401, headers=(("WWW-Authenticate", field),))
    url = registry.serve(path, b"layer")
    registry.disturb(path, instead(page), times)
    return url


def gives_token(realm: Rogue, token: str = "t1", **more: object) -> None:
    realm.serve(TOKEN, json.dumps({"token": token, **more}).encode())


def about(url: str, subject: str = "demo") -> Ask:
    return replace(ask(url), subject=subject)


def shown(rogue: Rogue, path: str) -> list[str]:
    return [seen.headers.get("authorization", "") for seen in rogue.requests(path)]


async def test_a_challenge_is_met_with_a_token_that_strangers_get(rogue: Rogue, outside: Outside) -> None:
    url = wants_token(rogue, rogue)
    gives_token(rogue)
    assert await fetch(outside.fetcher(upstream(rogue)), about(url)) == (200, b"layer")
    assert shown(rogue, BLOB) == ["", "Bearer t1"]
    assert shown(rogue, TOKEN) == [""]


async def test_a_token_serves_all_requests_of_its_subject_until_it_expires(rogue: Rogue, outside: Outside) -> None:
    url = wants_token(rogue, rogue)
    gives_token(rogue, expires_in=100)
    fetcher = outside.fetcher(upstream(rogue))
    for _ in range(3):
        await fetch(fetcher, about(url))
    assert (rogue.count(TOKEN), rogue.count(BLOB)) == (1, 4)
    outside.clock.advance(91)
    await fetch(fetcher, about(url))
    assert shown(rogue, BLOB)[-1] == ""


async def test_a_token_is_not_shown_for_another_subject(rogue: Rogue, outside: Outside) -> None:
    fetcher = outside.fetcher(upstream(rogue))
    gives_token(rogue)
    await fetch(fetcher, about(wants_token(rogue, rogue)))
    await fetch(fetcher, about(rogue.serve("/v2/other/blobs/x", b"x"), "other"))
    assert shown(rogue, "/v2/other/blobs/x") == [""]


async def test_a_token_does_not_follow_to_where_the_layers_are(rogue: Rogue, other: Rogue, outside: Outside) -> None:
    gives_token(rogue)
    fetcher = outside.fetcher(upstream(rogue), upstream(other, "storage"))
    await fetch(fetcher, about(wants_token(rogue, rogue)))
    rogue.disturb(BLOB, redirect(other.serve("/signed?key=1", b"layer")))
    assert await fetch(fetcher, about(rogue.url(BLOB))) == (200, b"layer")
    assert (shown(rogue, BLOB)[-1], shown(other, "/signed?key=1")) == ("Bearer t1", [""])


async def test_a_token_that_is_refused_is_replaced_once(rogue: Rogue, outside: Outside) -> None:
    fetcher = outside.fetcher(upstream(rogue))
    gives_token(rogue, "t1")
    url = wants_token(rogue, rogue)
    await fetch(fetcher, about(url))
    gives_token(rogue, "t2")
    wants_token(rogue, rogue)
    assert await fetch(fetcher, about(url)) == (200, b"layer")
    assert shown(rogue, BLOB)[-2:] == ["Bearer t1", "Bearer t2"]


async def test_what_is_refused_with_a_token_too_stays_refused(rogue: Rogue, outside: Outside) -> None:
    gives_token(rogue)
    status, _ = await fetch(outside.fetcher(upstream(rogue)), about(wants_token(rogue, rogue, times=None)))
    assert (status, rogue.count(BLOB), rogue.count(TOKEN)) == (401, 2, 1)


async def test_a_realm_that_gives_no_token_leaves_the_refusal_as_it_was(rogue: Rogue, outside: Outside) -> None:
    url = wants_token(rogue, rogue, times=None)
    for page in (
        b"<html>",
        b'{"token": 1}',
        b'{"token": ""}',
        b'{"token": "a\\nb"}',
        b"x" * (1 << 20),
        b'{"x":' + b"[" * 9999,
    ):
        rogue.serve(TOKEN, page)
        assert (await fetch(outside.fetcher(upstream(rogue)), about(url)))[0] == 401
    rogue.disturb("/token", answers(403))
    assert (await fetch(outside.fetcher(upstream(rogue)), about(url)))[0] == 401


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_realm_that_is_out_of_order_is_an_outage_and_no_refusal(
    rogue: Rogue, outside: Outside, status: int
) -> None:
    url = wants_token(rogue, rogue, times=None)
    rogue.serve(TOKEN, b"")
    rogue.disturb("/token", answers(status))
    with pytest.raises(UpstreamStatus, match=f"the realm .* answered {status}") as failure:
        await fetch(outside.fetcher(upstream(rogue)), about(url))
    assert failure.value.upstream_status == status


async def test_many_at_once_fetch_one_token(rogue: Rogue, outside: Outside) -> None:
    urls = [wants_token(rogue, rogue, f"/v2/demo/blobs/{number}") for number in range(8)]
    gives_token(rogue)
    fetcher = outside.fetcher(upstream(rogue))
    answered = await asyncio.gather(*(fetch(fetcher, about(url)) for url in urls))
    assert {status for status, _ in answered} == {200}
    assert rogue.count(TOKEN) == 1


async def test_credentials_buy_a_token_on_the_upstreams_own_origin(rogue: Rogue, outside: Outside) -> None:
    gives_token(rogue)
    await fetch(outside.fetcher(upstream(rogue, auth=BASIC)), about(wants_token(rogue, rogue)))
    assert shown(rogue, TOKEN) == ["Basic bWU6cHc="]
    assert shown(rogue, BLOB)[-1] == "Bearer t1"


async def test_credentials_are_shown_to_no_realm_that_only_the_registry_names(
    rogue: Rogue, other: Rogue, outside: Outside
) -> None:
    url = wants_token(rogue, other)
    gives_token(other)
    fetcher = outside.fetcher(upstream(rogue, auth=BASIC), upstream(other, "other"))
    assert await fetch(fetcher, about(url)) == (200, b"layer")
    assert shown(other, TOKEN) == [""]


async def test_credentials_are_shown_to_a_realm_that_the_configuration_names(
    rogue: Rogue, other: Rogue, outside: Outside
) -> None:
    url = wants_token(rogue, other)
    gives_token(other)
    settings = upstream(rogue, auth=BASIC, token_realms=(other.url("/token"),))
    assert await fetch(outside.fetcher(settings), about(url)) == (200, b"layer")
    assert shown(other, TOKEN) == ["Basic bWU6cHc="]


async def test_a_token_of_the_configuration_is_not_replaced(rogue: Rogue, outside: Outside) -> None:
    gives_token(rogue)
    fixed = Auth(kind=AuthKind.BEARER, secret=Secret("ours"))
    status, _ = await fetch(outside.fetcher(upstream(rogue, auth=fixed)), about(wants_token(rogue, rogue)))
    assert (status, rogue.count(TOKEN)) == (401, 0)


@pytest.mark.parametrize(
    ("field", "challenge"),
    [
        (
            'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull"',
            Challenge("https://auth.example/token", "registry.example", "repository:a/b:pull"),
        ),
        ("bearer realm=https://auth.example", Challenge("https://auth.example", "", "")),
        (
            'Basic realm="x, y", Bearer scope="a,b" , realm="https://auth.example/?a=1"',
            Challenge("https://auth.example/?a=1", "", "a,b"),
        ),
        ('Bearer realm="https://auth.example/\\"q"', Challenge('https://auth.example/"q', "", "")),
        ('Basic realm="Registry"', None),
        ('Bearer error="invalid_token"', None),
        ('Bearer realm="registry"', None),
        ("", None),
    ],
)
def test_a_challenge_is_read_as_it_is_meant(field: str, challenge: Challenge | None) -> None:
    assert parse_challenge(field) == challenge


@given(st.text(alphabet='Bearer realm="https://a.example",=\\ \t,x', max_size=200))
def test_no_field_is_too_strange_to_be_read(field: str) -> None:
    parse_challenge(field)


def test_the_questions_to_a_realm_are_encoded() -> None:
    assert Challenge("https://a.example/t?x=1", "s", "repository:a b:pull").url.endswith(
        "?x=1&service=s&scope=repository%3Aa+b%3Apull"
    )
