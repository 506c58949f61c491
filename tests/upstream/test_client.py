"""What one good request looks like, on both sides."""

import gzip
from dataclasses import replace

import pytest

from entrepot.errors import EgressRefused
from entrepot.upstream.settings import Auth, AuthKind, Secret, UpstreamSettings
from tests.rogue import Page, Rogue, pattern
from tests.upstream.support import FixedResolver, Outside, ask, fetch, read, upstream

pytestmark = pytest.mark.anyio


async def test_a_body_arrives_as_it_was_sent(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a.whl", pattern(3_000_000))
    reply = await outside.fetcher(upstream(rogue)).send(ask(url))
    assert (reply.status, reply.url, reply.delimited) == (200, url, True)
    assert reply.headers.get("content-length") == "3000000"
    assert await read(reply) == pattern(3_000_000)


async def test_the_url_reaches_upstream_byte_for_byte(rogue: Rogue, outside: Outside) -> None:
    path = "/@scope%2Fname/%7Ea//b/../c%20d/+x?q=%41+b&q=%2f;&empty="
    await fetch(outside.fetcher(upstream(rogue)), ask(rogue.url(path)))
    assert [seen.target for seen in rogue.seen] == [path]


async def test_only_the_fields_that_we_set_are_sent(rogue: Rogue, outside: Outside) -> None:
    await fetch(outside.fetcher(upstream(rogue)), ask(rogue.serve("/a", b"x")))
    assert dict(rogue.seen[0].headers) == {
        "host": f"127.0.0.1:{rogue.port}",
        "accept-encoding": "identity",
        "user-agent": "entrepot",
        "via": "1.1 entrepot-abc",
    }


async def test_the_fields_of_the_ask_are_sent_and_may_choose_an_encoding(rogue: Rogue, outside: Outside) -> None:
    fields = (("accept", "application/json"), ("if-none-match", '"x"'), ("accept-encoding", "gzip"))
    await fetch(outside.fetcher(upstream(rogue)), ask(rogue.serve("/a", b"x"), *fields))
    sent = rogue.seen[0].headers
    assert [sent[name] for name, _ in fields] == [value for _, value in fields]


async def test_a_clients_credentials_and_cookies_are_not_forwarded(rogue: Rogue, outside: Outside) -> None:
    fields = (("authorization", "Basic Zm9v"), ("cookie", "a=b"), ("proxy-authorization", "Basic Zm9v"))
    await fetch(outside.fetcher(upstream(rogue)), ask(rogue.serve("/a", b"x"), *fields))
    assert not {"authorization", "cookie", "proxy-authorization"} & set(rogue.seen[0].headers)


async def test_cookies_are_dropped_and_never_sent_back(rogue: Rogue, outside: Outside) -> None:
    rogue.serve("/a", Page(body=b"x", headers=(("Set-Cookie", "id=1; Path=/"), ("Keep-Alive", "timeout=5"))))
    url = f"http://files.example:{rogue.port}/a"
    fetcher = outside.fetcher(upstream(url), resolver=FixedResolver())
    reply = await fetcher.send(ask(url))
    await read(reply)
    await fetch(fetcher, ask(url))
    assert "set-cookie" not in reply.headers
    assert "keep-alive" not in reply.headers
    assert "cookie" not in rogue.seen[1].headers


async def test_an_encoded_body_is_not_decoded(rogue: Rogue, outside: Outside) -> None:
    packed = gzip.compress(b"an index")
    url = rogue.serve("/a", Page(body=packed, headers=(("Content-Encoding", "gzip"),)))
    assert await fetch(outside.fetcher(upstream(rogue)), ask(url)) == (200, packed)


async def test_fields_of_60_kib_are_accepted(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", Page(body=b"x", headers=(("Content-Security-Policy", "p" * 60_000),)))
    reply = await outside.fetcher(upstream(rogue)).send(ask(url))
    assert len(reply.headers.get("content-security-policy")) == 60_000
    await reply.close()


async def test_a_field_that_is_not_utf_8_is_still_text(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a", Page(body=b"x", headers=(("X-Name", "caf\xe9"),)))
    reply = await outside.fetcher(upstream(rogue)).send(ask(url))
    assert reply.headers.get("x-name").encode() == "café".encode()
    await reply.close()


async def test_head_has_the_length_and_no_body(rogue: Rogue, outside: Outside) -> None:
    reply = await outside.fetcher(upstream(rogue)).send(ask(rogue.serve("/a", b"12345"), method="HEAD"))
    assert (reply.headers.get("content-length"), reply.delimited) == ("5", True)
    assert await read(reply) == b""


async def test_absence_is_an_answer_and_no_error(rogue: Rogue, outside: Outside) -> None:
    status, _ = await fetch(outside.fetcher(upstream(rogue)), ask(rogue.url("/none")))
    assert status == 404
    assert rogue.count("/none") == 1


async def test_a_body_is_posted_for_what_is_passed_through(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/audit", b"{}")
    request = replace(ask(url, method="POST", patient=False), body=b'{"a":1}')
    assert await fetch(outside.fetcher(upstream(rogue)), request) == (200, b"{}")
    assert (rogue.seen[0].method, rogue.seen[0].body) == ("POST", b'{"a":1}')


async def test_a_url_that_is_not_on_the_configured_origin_is_not_asked(
    rogue: Rogue, other: Rogue, outside: Outside
) -> None:
    with pytest.raises(EgressRefused, match="not the origin of upstream main"):
        await outside.fetcher(upstream(rogue)).send(ask(other.serve("/a", b"x")))
    assert other.connections == 0


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        (Auth(kind=AuthKind.BASIC, user="me", secret=Secret("pw")), "authorization", "Basic bWU6cHc="),
        (Auth(kind=AuthKind.BEARER, secret=Secret("tok")), "authorization", "Bearer tok"),
        (Auth(kind=AuthKind.HEADER, header="X-Api-Key", secret=Secret("key")), "x-api-key", "key"),
    ],
)
async def test_credentials_go_to_their_origin(
    rogue: Rogue, outside: Outside, auth: Auth, name: str, value: str
) -> None:
    await fetch(outside.fetcher(upstream(rogue, auth=auth)), ask(rogue.serve("/a", b"x")))
    assert rogue.seen[0].headers[name] == value


async def test_the_base_url_ends_with_a_slash(outside: Outside) -> None:
    fetcher = outside.fetcher(upstream("https://registry.example/simple"))
    assert fetcher.base_url("main") == "https://registry.example/simple/"


async def test_reserved_names_are_matched_without_regard_to_case(outside: Outside) -> None:
    fetcher = outside.fetcher(upstream("https://registry.example/", owns=("acme-*", "@Acme/*")))
    owned = ("acme-tool", "Acme-Tool", "@acme/x", "left-pad", "my-acme-tool")
    assert [fetcher.owns("main", name) for name in owned] == [True, True, True, False, False]


async def test_the_identity_changes_with_address_and_credentials_only(outside: Outside) -> None:
    def identity(token: str, url: str = "https://registry.example/", connections: int = 32) -> str:
        auth = Auth(kind=AuthKind.BEARER, secret=Secret(token))
        return outside.fetcher(upstream(url, auth=auth, max_connections=connections)).identity("main")

    assert len({identity("one"), identity("two"), identity("one", url="https://b.example/")}) == 3
    assert identity("one", connections=3) == identity("one")


def test_secrets_are_not_printed() -> None:
    settings = UpstreamSettings(
        name="main",
        url="https://registry.example/",
        auth=Auth(kind=AuthKind.BASIC, user="me", secret=Secret("hunter2")),
        http_proxy="http://me:hunter2@proxy.example:3128",
    )
    assert "hunter2" not in f"{settings!r} {settings.auth.secret}"
    assert "***" in repr(settings)
