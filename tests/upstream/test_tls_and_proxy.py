"""TLS is always verified; a proxy is used where one is configured, and hides no address."""

from dataclasses import replace

import pytest

from entrepot.errors import ConfigError, EgressRefused, Unreachable
from entrepot.upstream.settings import Auth, AuthKind, Secret
from tests.rogue import Rogue, pattern, refused_port
from tests.upstream.conftest import Secure
from tests.upstream.support import QUICK, Outside, ask, fetch, running_proxy, upstream

pytestmark = pytest.mark.anyio

TOKEN = Auth(kind=AuthKind.BEARER, secret=Secret("tok"))


async def test_an_unknown_authority_is_refused_before_anything_is_sent(secure: Secure, outside: Outside) -> None:
    url = secure.url("127.0.0.1", "/")
    with pytest.raises(Unreachable, match=r"its certificate is refused: .*unable to get local issuer"):
        await outside.fetcher(upstream(url, auth=TOKEN)).send(ask(url))
    assert secure.rogue.count() == 0
    assert secure.rogue.connections <= 1


async def test_a_certificate_for_another_name_is_refused(secure: Secure, outside: Outside) -> None:
    url = secure.url("localhost", "/")
    with pytest.raises(Unreachable, match="certificate is refused"):
        await outside.fetcher(upstream(url, ca_file=secure.ca_file)).send(ask(url))
    assert secure.rogue.count() == 0


async def test_an_authority_of_ones_own_is_trusted(secure: Secure, outside: Outside) -> None:
    url = secure.url("127.0.0.1", "/")
    secure.rogue.serve("/a", pattern(500_000))
    fetcher = outside.fetcher(upstream(url, ca_file=secure.ca_file, auth=TOKEN))
    assert await fetch(fetcher, ask(url + "a")) == (200, pattern(500_000))
    assert secure.rogue.seen[0].headers["authorization"] == "Bearer tok"


async def test_an_authority_is_trusted_for_its_own_upstream_only(secure: Secure, outside: Outside) -> None:
    url = secure.url("127.0.0.1", "/")
    fetcher = outside.fetcher(upstream(url), upstream(url, "second", ca_file=secure.ca_file))
    with pytest.raises(Unreachable, match="certificate"):
        await fetcher.send(ask(url))


async def test_plain_http_where_tls_was_expected_is_an_error(rogue: Rogue, outside: Outside) -> None:
    url = rogue.url("/").replace("http:", "https:")
    with pytest.raises(Unreachable, match="TLS failed"):
        await outside.fetcher(upstream(url)).send(ask(url))


async def test_an_unreadable_ca_file_stops_the_start(
    outside: Outside, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = tmp_path_factory.mktemp("ca") / "empty.pem"
    empty.write_text("nothing")
    for path in (str(empty), str(empty) + ".missing"):
        with pytest.raises(ConfigError, match=r"upstream main: ca_file .*empty\.pem"):
            outside.fetcher(upstream("https://registry.example/", ca_file=path))


async def test_http_goes_through_the_proxy_with_its_credentials(rogue: Rogue, outside: Outside) -> None:
    url = rogue.serve("/a%2Fb?x=%41", b"x")
    async with running_proxy() as proxy:
        settings = upstream(rogue, http_proxy=proxy.url.replace("//", "//me:pw@"), auth=TOKEN)
        assert await fetch(outside.fetcher(settings), ask(url)) == (200, b"x")
    assert proxy.heads[0].startswith(f"GET {url} HTTP/1.1\r\n")
    assert "proxy-authorization: basic bwu6chc=" in proxy.heads[0].lower()
    assert rogue.seen[0].target == "/a%2Fb?x=%41"


async def test_https_goes_through_a_tunnel_that_is_told_nothing(secure: Secure, outside: Outside) -> None:
    url = secure.url("files.example", "/")
    secure.rogue.serve("/a?token=secret", pattern(300_000))
    async with running_proxy() as proxy:
        fetcher = outside.fetcher(upstream(url, http_proxy=proxy.url, ca_file=secure.ca_file, auth=TOKEN))
        assert await fetch(fetcher, ask(url + "a?token=secret")) == (200, pattern(300_000))
        await fetcher.close()
    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith(f"CONNECT files.example:{secure.rogue.port} ")
    assert "tok" not in proxy.heads[0].replace("token", "")
    assert "secret" not in proxy.heads[0]
    assert secure.rogue.seen[0].headers["authorization"] == "Bearer tok"


async def test_a_learned_host_goes_through_the_proxy_though_the_proxy_is_private(
    rogue: Rogue, secure: Secure, outside: Outside
) -> None:
    secure.rogue.serve("/a", b"x")
    async with running_proxy() as proxy:
        fetcher = outside.fetcher(upstream(rogue, http_proxy=proxy.url, ca_file=secure.ca_file))
        assert await fetch(fetcher, ask(secure.url("files.example", "/a"), learned=True)) == (200, b"x")
        await fetcher.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "localhost", "[::ffff:127.0.0.1]", "127.1", "intranet"])
async def test_a_proxy_is_not_asked_for_a_private_host(
    rogue: Rogue, secure: Secure, outside: Outside, host: str
) -> None:
    async with running_proxy() as proxy:
        fetcher = outside.fetcher(upstream(rogue, http_proxy=proxy.url, ca_file=secure.ca_file))
        with pytest.raises(EgressRefused, match="not a public host"):
            await fetcher.send(ask(secure.url(host, "/a"), learned=True))
        assert proxy.heads == []


async def test_a_proxy_that_is_not_there_is_named_as_the_culprit(rogue: Rogue, outside: Outside) -> None:
    with refused_port() as port:
        settings = upstream(rogue, http_proxy=f"http://me:hunter2@127.0.0.1:{port}")
        with pytest.raises(Unreachable, match="the proxy cannot be reached: connection refused") as caught:
            await outside.fetcher(settings).send(ask(rogue.url("/a")))
    assert "hunter2" not in str(caught.value)
    assert rogue.connections == 0


async def test_the_environments_proxy_counts_only_where_that_is_configured(
    rogue: Rogue, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = rogue.serve("/a", b"x")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with running_proxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        await fetch(outside.fetcher(upstream(rogue)), ask(url))
        assert proxy.heads == []
        trusting = replace(QUICK, trust_env=True)
        await fetch(outside.fetcher(upstream(rogue), settings=trusting), ask(url))
        assert len(proxy.heads) == 1
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        await fetch(outside.fetcher(upstream(rogue), settings=trusting), ask(url))
        assert len(proxy.heads) == 1
