"""What the tests of the upstream layer share: a clock, a store of origins, a resolver, a proxy, a builder."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from aiohttp.abc import AbstractResolver, ResolveResult

from entrepot.contracts.catalog import OriginState
from entrepot.contracts.fetcher import Ask, UpstreamReply
from entrepot.model.headers import Headers
from entrepot.upstream.address import AddressPolicy
from entrepot.upstream.client import AiohttpFetcher
from entrepot.upstream.health import Health
from entrepot.upstream.settings import ClientSettings, UpstreamSettings
from tests.rogue import Rogue

QUICK = ClientSettings(
    instance="abc", retry_delay=0.0, connect_timeout=2.0, first_byte_timeout=2.0, read_timeout=1.0, queue_timeout=0.3
)


class FakeClock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def timestamp(self) -> float:
        return self.moment.timestamp()

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class FakeOrigins:
    """The two methods of the Catalog that concern origins."""

    def __init__(self) -> None:
        self.states: dict[str, OriginState] = {}

    def find_origin(self, origin: str) -> OriginState | None:
        return self.states.get(origin)

    async def put_origin(self, state: OriginState) -> None:
        self.states[state.origin] = state


class EverythingIsPublic(AddressPolicy):
    """So that loopback can play the public Internet."""

    def is_public_address(self, address: str) -> bool:
        return True


class FixedResolver(AbstractResolver):
    """Every name is at one address."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=self._address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing to close."""


class Outside:
    """Makes fetchers that share a clock and a store, and closes them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.origins = FakeOrigins()
        self._made: list[AiohttpFetcher] = []

    def fetcher(
        self,
        *upstreams: UpstreamSettings,
        settings: ClientSettings = QUICK,
        policy: AddressPolicy | None = None,
        resolver: AbstractResolver | None = None,
    ) -> AiohttpFetcher:
        fetcher = AiohttpFetcher(
            {upstream.name: upstream for upstream in upstreams},
            settings,
            Health(self.origins, self.clock),
            self.clock,
            policy=policy,
            resolver=resolver,
        )
        self._made.append(fetcher)
        return fetcher

    async def close(self) -> None:
        for fetcher in self._made:
            await fetcher.close()


def upstream(rogue: Rogue | str, name: str = "main", **changes: object) -> UpstreamSettings:
    url = rogue if isinstance(rogue, str) else rogue.url("/")
    return replace(UpstreamSettings(name=name, url=url), **changes)  # type: ignore[arg-type]


def ask(url: str, *fields: tuple[str, str], learned: bool = False, patient: bool = True, method: str = "GET") -> Ask:
    return Ask(upstream="main", url=url, headers=Headers(fields), learned=learned, patient=patient, method=method)


async def read(reply: UpstreamReply) -> bytes:
    try:
        return b"".join([chunk async for chunk in reply.chunks()])
    finally:
        await reply.close()


async def fetch(fetcher: AiohttpFetcher, request: Ask) -> tuple[int, bytes]:
    reply = await fetcher.send(request)
    return reply.status, await read(reply)


class Proxy:
    """A plain HTTP proxy: CONNECT, and absolute URLs. Every name is on loopback."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.heads.append(head)
            method, target, _ = head.split(" ", 2)
            place = target if method == "CONNECT" else target.split("/")[2]
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", int(place.rpartition(":")[2]))
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                path = target.removeprefix(f"http://{place}")
                there_writer.write(head.replace(target, path, 1).encode("latin-1"))
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def running_proxy() -> AsyncIterator[Proxy]:
    proxy = Proxy()
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
