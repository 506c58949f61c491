"""Who we are to a request: behind a reverse proxy, and when somebody only says that there is one."""

from ipaddress import ip_network

import pytest

from entrepot.errors import BadRequest, Misdirected
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
