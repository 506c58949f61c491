import asyncio
import socket
from base64 import b64encode
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from entrepot.errors import EgressRefused, Unreachable
from entrepot.upstream.address import AddressPolicy
from entrepot.upstream.guard import Guard
from entrepot.upstream.vcs_relay import Relay
from tests.rogue import refused_port

pytestmark = pytest.mark.anyio


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """The port of a server that sends back what it gets."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def relay(*private: str, own: tuple[tuple[str, int], ...] = ()) -> Relay:
    return Relay(Guard(AddressPolicy(), (), own, ()), lambda host: host in private, 2.0)


async def ask(one: Relay, target: str, *, password: str | None = None, body: bytes = b"") -> bytes:
    """Everything that comes back."""
    url = urlsplit(one.url)
    reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
    basic = b64encode(f"go:{password or url.password}".encode()).decode()
    writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic {basic}\r\n\r\n".encode())
    writer.write(body)
    writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_a_host_that_the_operator_named_is_reached_at_its_private_address(echo: int) -> None:
    async with relay("127.0.0.1") as one:
        assert (await ask(one, f"127.0.0.1:{echo}", body=b"hello")).endswith(b"\r\n\r\nhello")
        assert one.failure is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.255.255.255", "169.254.169.254"])
async def test_no_other_private_address_is_connected_to(echo: int, host: str) -> None:
    async with relay() as one:
        assert b" 502 " in await ask(one, f"{host}:{echo}", body=b"hello")
        assert isinstance(one.failure, EgressRefused)
        assert "not public" in str(one.failure)


async def test_entrepot_itself_is_not_reached(echo: int) -> None:
    async with relay("127.0.0.1", own=(("127.0.0.1", echo),)) as one:
        assert b" 502 " in await ask(one, f"127.0.0.1:{echo}")
        assert isinstance(one.failure, EgressRefused)


async def test_nobody_else_on_this_machine_can_use_it(echo: int) -> None:
    async with relay("127.0.0.1") as one:
        assert b" 407 " in await ask(one, f"127.0.0.1:{echo}", password="guess", body=b"hello")


async def test_why_there_is_no_connection_is_known_afterwards() -> None:
    with refused_port() as port:
        async with relay("127.0.0.1") as one:
            assert b" 502 " in await ask(one, f"127.0.0.1:{port}")
            assert isinstance(one.failure, Unreachable)
            assert str(one.failure) == f"127.0.0.1:{port}: connection refused"


async def test_a_name_that_cannot_be_one_is_an_outage() -> None:
    async with relay() as one:
        assert b" 502 " in await ask(one, f"{'x' * 64}.example:443")
        assert isinstance(one.failure, Unreachable)


async def test_it_ends_with_connections_still_open(echo: int) -> None:
    async with relay("127.0.0.1") as one:
        url = urlsplit(one.url)
        reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
        basic = b64encode(f"go:{url.password}".encode()).decode()
        target = f"127.0.0.1:{echo}"
        writer.write(f"CONNECT {target} HTTP/1.1\r\nProxy-Authorization: Basic {basic}\r\n\r\n".encode())
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", url.port or 0), 1):
        pass
