"""Who we are to a request: behind a reverse proxy, and when somebody only says that there is one."""

from ipaddress import ip_network

import pytest

from entrepot.errors import BadRequest, Misdirected, Refused
from entrepot.web.door import Door, Identity

NEAR, FAR = "10.0.0.7", "192.0.2.9"
HOST = b"127.0.0.1:8080"
OWN = "http://127.0.0.1:8080"


@pytest.fixture
def door() -> Door:
    return Door(Identity(listen=("127.0.0.1", 8080), trusted_proxies=(ip_network("10.0.0.0/8"),)))


@pytest.mark.parametrize(
    "fields",
    [
        [(b"x-forwarded-host", b"pkg.example"), (b"x-forwarded-proto", b"https")],
        [(b"forwarded", b"for=192.0.2.1; Proto=https; host=pkg.example")],
        [(b"forwarded", b'host="pkg.example";proto="https", for=10.0.0.8;host=inner.example')],
        [(b"forwarded", b"host=pkg.example;proto=https"), (b"x-forwarded-host", b"older.example")],
    ],
)
def test_a_trusted_proxy_tells_what_the_client_called_us(door: Door, fields: list[tuple[bytes, bytes]]) -> None:
    assert door.forwarded_base(HOST, NEAR, fields) == "https://pkg.example"


def test_a_proxy_that_tells_nothing_changes_nothing(door: Door) -> None:
    assert door.forwarded_base(HOST, NEAR, [(b"forwarded", b"for=192.0.2.1")]) == OWN


def test_whoever_is_no_trusted_proxy_cannot_rename_us(door: Door) -> None:
    assert door.forwarded_base(HOST, FAR, [(b"forwarded", b"host=evil.example")]) == OWN
    assert door.forwarded_base(HOST, FAR, [(b"x-forwarded-host", b"evil.example")]) == OWN


@pytest.mark.parametrize("value", [b"host=a.example/evil", b"host=a b", b"proto=ftp", b'host="a.example:99999999"'])
def test_what_could_not_stand_in_a_link_is_refused(door: Door, value: bytes) -> None:
    with pytest.raises(BadRequest):
        door.forwarded_base(HOST, NEAR, [(b"forwarded", value)])


def test_a_trusted_proxy_too_must_come_under_a_host_of_ours(door: Door) -> None:
    with pytest.raises(Misdirected):
        door.forwarded_base(b"evil.example", NEAR, [(b"forwarded", b"host=pkg.example")])


@pytest.mark.parametrize("client", ["", "unix", "fe80::1%eth0"])
def test_a_client_without_a_plain_address_is_no_trusted_proxy(door: Door, client: str) -> None:
    assert door.forwarded_base(HOST, client, [(b"forwarded", b"host=evil.example")]) == OWN


def test_a_public_url_is_ours_whatever_a_proxy_tells() -> None:
    door = Door(Identity(listen=("::", 80), public_url="https://pkg.example/", trusted_proxies=(ip_network("::/0"),)))
    assert door.trusts_proxies
    assert door.forwarded_base(b"pkg.example", "::1", [(b"forwarded", b"host=a.example")]) == "https://pkg.example"


@pytest.mark.parametrize(
    ("host", "base"),
    [
        (b"localhost", "https://localhost"),
        (b"LocalHost:8443", "https://localhost:8443"),
        (b"[::1]:8443", "https://[::1]:8443"),
        (b"Pkg.Example", "https://pkg.example"),
    ],
)
def test_links_name_us_as_we_were_called(host: bytes, base: str) -> None:
    door = Door(Identity(listen=("pkg.example", 8443), tls=True))
    assert not door.trusts_proxies
    assert [door.base(host), door.base(host)] == [base, base]


def test_names_are_remembered_up_to_a_number(door: Door) -> None:
    for number in range(1100):
        assert door.base(b"a%d.localhost" % number) == f"http://a{number}.localhost"


def test_reading_is_never_a_matter_of_sites(door: Door) -> None:
    for method in ("GET", "HEAD"):
        door.check_site(method, OWN, "https://evil.example", "cross-site")
    with pytest.raises(Refused):
        door.check_site("POST", OWN, "https://evil.example", "")
