"""A gateway that stands for many hosts: its own address is allowed, no other private one is."""

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from entrepot.upstream.address import AddressPolicy
from entrepot.upstream.guard import AddressRefused, Guard
from entrepot.upstream.homes import Homes
from entrepot.upstream.target import parse_target
from tests.upstream.support import FakeClock

pytestmark = pytest.mark.anyio

GATEWAY = "10.1.2.3"


class Names(AbstractResolver):
    """Resolves everything to the addresses it holds; none: nothing is known."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if not self.addresses:
            raise OSError("no such host")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        return


def guard() -> Guard:
    return Guard(AddressPolicy(), [], [], [])


def connect(guarded: Guard, address: str) -> None:
    guarded.public_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))).close()


async def test_a_learned_host_may_have_its_upstreams_own_address_and_no_other_private_one() -> None:
    guarded = guard()
    with pytest.raises(AddressRefused):
        connect(guarded, GATEWAY)
    await Homes(guarded, FakeClock(), Names(GATEWAY), 5).learn(parse_target("https://registry.example/simple/"))
    connect(guarded, GATEWAY)
    with pytest.raises(AddressRefused):
        connect(guarded, "10.1.2.4")


async def test_loopback_is_never_a_home() -> None:
    guarded = guard()
    await Homes(guarded, FakeClock(), Names("127.0.0.1"), 5).learn(parse_target("https://registry.example/"))
    with pytest.raises(AddressRefused):
        connect(guarded, "127.0.0.1")


async def test_an_address_is_a_home_only_while_the_name_leads_there() -> None:
    guarded, clock, names = guard(), FakeClock(), Names(GATEWAY)
    homes = Homes(guarded, clock, names, 5)
    await homes.learn(parse_target("https://registry.example/"))
    names.addresses = ()
    clock.advance(301)
    await homes.learn(parse_target("https://registry.example/"))
    with pytest.raises(AddressRefused):
        connect(guarded, GATEWAY)
