"""What may be contacted at all: learned hosts, ourselves, and what is no URL."""

from dataclasses import replace

import pytest

from entrepot.errors import EgressRefused
from entrepot.upstream.target import parse_target
from tests.rogue import Rogue, pattern
from tests.upstream.conftest import Secure
from tests.upstream.support import QUICK, EverythingIsPublic, FixedResolver, Outside, ask, fetch, upstream

pytestmark = pytest.mark.anyio


async def test_a_configured_origin_may_have_any_address(rogue: Rogue, outside: Outside) -> None:
    assert await fetch(outside.fetcher(upstream(rogue)), ask(rogue.serve("/a", b"x"))) == (200, b"x")


async def test_a_learned_host_is_asked_by_https_without_credentials(
    rogue: Rogue, secure: Secure, outside: Outside
) -> None:
    secure.rogue.serve("/f.whl", pattern(100_000))
    fetcher = outside.fetcher(
        upstream(rogue, ca_file=secure.ca_file), policy=EverythingIsPublic(), resolver=FixedResolver()
    )
    learned = ask(secure.url("files.example", "/f.whl"), learned=True)
    assert await fetch(fetcher, learned) == (200, pattern(100_000))
    assert "authorization" not in secure.rogue.seen[0].headers


async def test_a_learned_host_is_not_asked_by_http(rogue: Rogue, other: Rogue, outside: Outside) -> None:
    fetcher = outside.fetcher(upstream(rogue), policy=EverythingIsPublic())
    with pytest.raises(EgressRefused, match="not by https"):
        await fetcher.send(ask(other.serve("/a", b"x"), learned=True))
    assert other.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "017700000001", "files.example"])
async def test_a_learned_host_at_a_private_address_gets_no_connection(
    rogue: Rogue, secure: Secure, outside: Outside, host: str
) -> None:
    fetcher = outside.fetcher(upstream(rogue, ca_file=secure.ca_file), resolver=FixedResolver())
    with pytest.raises(EgressRefused, match="public"):
        await fetcher.send(ask(secure.url(host, "/a"), learned=True))
    assert secure.rogue.connections == 0


async def test_a_private_address_does_not_count_against_the_origins_health(
    rogue: Rogue, secure: Secure, outside: Outside
) -> None:
    fetcher = outside.fetcher(upstream(rogue, ca_file=secure.ca_file), resolver=FixedResolver())
    for _ in range(4):
        with pytest.raises(EgressRefused, match="not public"):
            await fetcher.send(ask(secure.url("files.example", "/a"), learned=True))


async def test_a_host_that_the_configuration_names_may_be_private(
    rogue: Rogue, secure: Secure, outside: Outside
) -> None:
    secure.rogue.serve("/a", b"x")
    fetcher = outside.fetcher(
        upstream(rogue, ca_file=secure.ca_file), settings=replace(QUICK, allow_private=frozenset({"127.0.0.1"}))
    )
    assert await fetch(fetcher, ask(secure.url("127.0.0.1", "/a"), learned=True)) == (200, b"x")


@pytest.mark.parametrize(
    ("own", "spelling"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("localhost", "127.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "127.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
        ("127.0.0.1", "[::ffff:127.0.0.1]"),
        ("packages.example", "packages.example"),
    ],
)
async def test_our_own_address_is_never_an_upstream(rogue: Rogue, outside: Outside, own: str, spelling: str) -> None:
    url = f"http://{spelling}:{rogue.port}/"
    settings = replace(QUICK, own_addresses=frozenset({(own, rogue.port)}))
    with pytest.raises(EgressRefused, match="this is Entrepot itself"):
        await outside.fetcher(upstream(url), settings=settings).send(ask(url + "a"))
    assert rogue.connections == 0


async def test_a_name_that_resolves_to_our_own_address_is_never_an_upstream(rogue: Rogue, outside: Outside) -> None:
    url = f"http://mirror.example:{rogue.port}/"
    settings = replace(QUICK, own_addresses=frozenset({("127.0.0.1", rogue.port)}))
    fetcher = outside.fetcher(upstream(url), settings=settings, resolver=FixedResolver())
    with pytest.raises(EgressRefused, match=r"mirror\.example"):
        await fetcher.send(ask(url + "a"))
    assert rogue.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/x\r\nX-Evil: 1",
        "https://a.example/x y",
        "https://a.example/\u00e9",
        "https://a.example\\@127.0.0.1/",
        "https://%31%32%37.0.0.1/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://[fe80::1%25eth0]/",
        "https://me@a.example/",
        "https://:pw@a.example/",
        "https://a.example:99999/",
        "https:///a",
        "//a.example/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "",
    ],
)
def test_what_is_no_plain_http_url_is_refused(url: str) -> None:
    with pytest.raises(EgressRefused):
        parse_target(url)


def test_default_ports_are_made_explicit_and_fragments_are_cut() -> None:
    target = parse_target("HTTPS://Files.Example/a%2fb?x#y")
    assert target.origin == ("https", "files.example", 443)
    assert target.name == "files.example:443"
    assert target.text.endswith("/a%2fb?x")
