"""The outbound proxy between Entrepot and the world: a CONNECT proxy that counts, and can be switched off."""

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self


class World(Enum):
    """What lies behind the recorder."""

    OPEN = "open"
    REFUSES = "refuses"
    """Connections are broken at once."""
    SILENT = "silent"
    """Connections are kept, and nothing comes back: what a firewall that drops packets looks like."""


HEADER_LIMIT = 64 << 10
CHUNK = 64 << 10


@dataclass(slots=True)
class Tunnel:
    """One connection. Bytes are those inside the tunnel: TLS records, as HTTPS stays end to end."""

    host: str
    port: int
    refused: bool
    """Whether it came while the world was not open."""
    up: int = 0
    down: int = 0


@dataclass(slots=True)
class Tally:
    """What happened between two looks."""

    tunnels: list[Tunnel] = field(default_factory=list)
    up: int = 0
    down: int = 0

    @property
    def refused(self) -> int:
        return sum(tunnel.refused for tunnel in self.tunnels)

    @property
    def hosts(self) -> int:
        return len({tunnel.host for tunnel in self.tunnels})


class Recorder:
    """Runs in a thread of its own between `with` and its end. While the world is not open, tunnels are only noted."""

    def __init__(self) -> None:
        self.world = World.OPEN
        self._tunnels: list[Tunnel] = []
        self._seen = (0, 0, 0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="recorder", daemon=True)
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def look(self) -> Tally:
        """What happened since the last look."""
        count, up, down = self._seen
        tunnels = list(self._tunnels)
        now = len(tunnels), sum(each.up for each in tunnels), sum(each.down for each in tunnels)
        self._seen = now
        return Tally(tunnels[count:], now[1] - up, now[2] - down)

    def __enter__(self) -> Self:
        self._thread.start()
        self._port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=HEADER_LIMIT)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._tunnel(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, _, rest = head.partition(" ")
        host, _, port = rest.partition(" ")[0].rpartition(":")
        if method != "CONNECT" or not port.isdecimal():
            writer.write(b"HTTP/1.1 405 Only CONNECT\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        tunnel = Tunnel(host.strip("[]"), int(port), refused=self.world is not World.OPEN)
        self._tunnels.append(tunnel)
        if self.world is World.SILENT:
            await reader.read()
            return
        if self.world is World.REFUSES:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(tunnel.host, tunnel.port)
        try:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            async with asyncio.TaskGroup() as both:
                both.create_task(_pour(reader, far_writer, tunnel, "up"))
                both.create_task(_pour(far_reader, writer, tunnel, "down"))
        except* OSError:
            writer.transport.abort()
        finally:
            far_writer.close()


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter, tunnel: Tunnel, direction: str) -> None:
    while data := await source.read(CHUNK):
        setattr(tunnel, direction, getattr(tunnel, direction) + len(data))
        target.write(data)
        await target.drain()
    with suppress(OSError, RuntimeError):
        target.write_eof()
