"""All spellings of addresses that are not public."""

import pytest

from entrepot.upstream.address import AddressPolicy, literal_address

NOT_PUBLIC = [
    *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "0.1.2.3"),
    *("100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "ff0e::1"),
    *("::ffff:127.0.0.1", "::ffff:a00:1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b:1::1"),
    *("2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "3fff::1", "100::1"),
]
ODD_SPELLINGS = [
    *("2130706433", "0x7f000001", "017700000001", "0177.0.0.1", "0x7f.0.0.1", "127.1", "127.0.1", "0x7f.1", "0"),
    *("3232235777", "0xa9fea9fe", "127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]", "10.1"),
]
LOCAL_NAMES = ["localhost", "localhost.", "a.localhost", "printer.local", "vault.internal", "nas.home.arpa", "intranet"]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_is_not_public(address: str) -> None:
    assert not AddressPolicy().is_public_address(address)


@pytest.mark.parametrize("host", [*NOT_PUBLIC, *ODD_SPELLINGS, *LOCAL_NAMES])
def test_a_host_is_not_public(host: str) -> None:
    assert not AddressPolicy().is_public_host(host)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_is_public(address: str) -> None:
    assert AddressPolicy().is_public_address(address)
    assert AddressPolicy().is_public_host(address)


@pytest.mark.parametrize("host", ["files.example", "134744072", "8.8.2056", "local.example", "1.example"])
def test_a_host_may_be_public(host: str) -> None:
    assert AddressPolicy().is_public_host(host)


@pytest.mark.parametrize("name", ["files.example", "", "1.2.3.4.5", "0xzz", "256.256.256.256", "cafe"])
def test_a_name_is_no_address(name: str) -> None:
    assert literal_address(name) is None
