"""Redirects are followed by hand: every hop is judged, and credentials stay at home."""

import pytest

from entrepot.errors import EgressRefused, UpstreamFailure
from entrepot.upstream.settings import Auth, AuthKind, Secret
from tests.rogue import Rogue, redirect
from tests.upstream.conftest import Secure
from tests.upstream.support import EverythingIsPublic, FixedResolver, Outside, ask, fetch, read, upstream

pytestmark = pytest.mark.anyio

TOKEN = Auth(kind=AuthKind.BEARER, secret=Secret("tok"))


async def test_a_redirect_on_the_same_origin_is_followed_with_credentials(rogue: Rogue, outside: Outside) -> None:
    rogue.disturb("/a/old", redirect("../new%2Fname?x=%41"))
    rogue.serve("/new%2Fname?x=%41", b"here")
    reply = await outside.fetcher(upstream(rogue, auth=TOKEN)).send(ask(rogue.url("/a/old")))
    assert await read(reply) == b"here"
    assert reply.url == rogue.url("/new%2Fname?x=%41")
    assert rogue.requests("/new%2Fname")[0].headers["authorization"] == "Bearer tok"


async def test_credentials_do_not_follow_to_another_origin_nor_back(
    rogue: Rogue, other: Rogue, outside: Outside
) -> None:
    rogue.disturb("/a", redirect(other.url("/b")))
    other.disturb("/b", redirect(rogue.serve("/c", b"end")))
    fetcher = outside.fetcher(upstream(rogue, auth=TOKEN), upstream(other, "second", auth=TOKEN))
    assert await fetch(fetcher, ask(rogue.url("/a"))) == (200, b"end")
    assert ["authorization" in seen.headers for seen in (*rogue.seen, *other.seen)] == [True, False, False]


async def test_the_fields_of_the_ask_go_along(rogue: Rogue, outside: Outside) -> None:
    rogue.disturb("/a", redirect("/b", status=307))
    rogue.serve("/b", b"0123456789")
    fetcher = outside.fetcher(upstream(rogue))
    assert await fetch(fetcher, ask(rogue.url("/a"), ("range", "bytes=4-"))) == (206, b"456789")


async def test_an_origin_that_nobody_named_is_not_contacted_by_http(
    rogue: Rogue, other: Rogue, outside: Outside
) -> None:
    rogue.disturb("/a", redirect(other.serve("/b", b"x")))
    fetcher = outside.fetcher(upstream(rogue), policy=EverythingIsPublic())
    with pytest.raises(EgressRefused, match="but not by https"):
        await fetcher.send(ask(rogue.url("/a")))
    assert other.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "localhost"])
async def test_a_private_address_is_not_contacted(rogue: Rogue, secure: Secure, outside: Outside, host: str) -> None:
    rogue.disturb("/a", redirect(secure.url(host, "/b")))
    with pytest.raises(EgressRefused, match="not a public host"):
        await outside.fetcher(upstream(rogue, ca_file=secure.ca_file)).send(ask(rogue.url("/a")))
    assert secure.rogue.connections == 0


async def test_a_name_that_resolves_to_a_private_address_is_not_contacted(
    rogue: Rogue, secure: Secure, outside: Outside
) -> None:
    rogue.disturb("/a", redirect(secure.url("files.example", "/b")))
    fetcher = outside.fetcher(upstream(rogue, ca_file=secure.ca_file), resolver=FixedResolver())
    with pytest.raises(EgressRefused, match=r"files\.example:\d+: resolves to an address that is not public"):
        await fetcher.send(ask(rogue.url("/a")))
    assert secure.rogue.connections == 0


async def test_a_public_https_origin_is_allowed_for_this_request_and_not_learned(
    rogue: Rogue, secure: Secure, outside: Outside
) -> None:
    secure.rogue.serve("/b", b"from afar")
    rogue.disturb("/a", redirect(secure.url("files.example", "/b")))
    fetcher = outside.fetcher(
        upstream(rogue, ca_file=secure.ca_file, auth=TOKEN), policy=EverythingIsPublic(), resolver=FixedResolver()
    )
    assert await fetch(fetcher, ask(rogue.url("/a"))) == (200, b"from afar")
    assert "authorization" not in secure.rogue.seen[0].headers
    with pytest.raises(EgressRefused):
        await fetcher.send(ask(secure.url("files.example", "/b")))


async def test_declared_download_hosts_are_the_only_ones_when_there_is_a_list(
    rogue: Rogue, secure: Secure, outside: Outside
) -> None:
    secure.rogue.serve("/b", b"x")
    rogue.disturb("/a", redirect(secure.url("files.example", "/b")))

    async def with_hosts(*hosts: str) -> tuple[int, bytes]:
        settings = upstream(rogue, ca_file=secure.ca_file, download_hosts=hosts)
        fetcher = outside.fetcher(settings, policy=EverythingIsPublic(), resolver=FixedResolver())
        return await fetch(fetcher, ask(rogue.url("/a")))

    assert await with_hosts(f"*.example:{secure.rogue.port}") == (200, b"x")
    with pytest.raises(EgressRefused, match="not among the download_hosts"):
        await with_hosts("files.example", "*.other.example:443")


async def test_five_redirects_are_followed_and_no_sixth(rogue: Rogue, outside: Outside) -> None:
    for number in range(5):
        rogue.disturb(f"/{number}", redirect(f"/{number + 1}"))
    rogue.serve("/5", b"there")
    fetcher = outside.fetcher(upstream(rogue))
    assert await fetch(fetcher, ask(rogue.url("/0"))) == (200, b"there")
    rogue.forget()
    rogue.disturb("/5", redirect("/0"))
    with pytest.raises(UpstreamFailure, match="more than 5 redirects"):
        await fetcher.send(ask(rogue.url("/0")))
    assert rogue.count() == 6


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "gopher://127.0.0.1/", "https://me:pw@files.example/", "http://[::1", "https:///x"],
)
async def test_a_redirect_to_what_cannot_be_asked_is_refused(rogue: Rogue, outside: Outside, location: str) -> None:
    rogue.disturb("/a", redirect(location))
    with pytest.raises(EgressRefused) as caught:
        await outside.fetcher(upstream(rogue)).send(ask(rogue.url("/a")))
    assert "pw" not in str(caught.value)


async def test_a_redirect_with_raw_bytes_is_followed(rogue: Rogue, outside: Outside) -> None:
    rogue.disturb("/a", redirect("/caf\xe9 au lait"))
    await fetch(outside.fetcher(upstream(rogue)), ask(rogue.url("/a")))
    assert rogue.seen[-1].target == "/caf%E9%20au%20lait"


async def test_a_redirect_of_a_post_is_handed_back(rogue: Rogue, outside: Outside) -> None:
    rogue.disturb("/a", redirect("/b", status=307))
    status, _ = await fetch(outside.fetcher(upstream(rogue)), ask(rogue.url("/a"), method="POST", patient=False))
    assert (status, rogue.count()) == (307, 1)
