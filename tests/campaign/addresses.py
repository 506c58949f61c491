"""Clients with an address each on one machine: what they send goes through a relay that takes it for them."""

import asyncio
import threading
from types import TracebackType
from typing import Self

CHUNK = 64 << 10


class Addresses:
    """A context manager: what is sent to one of its `ports` reaches the server from an address of its own."""

    def __init__(self, port: int, count: int) -> None:
        """`port`: the server's, on 127.0.0.1."""
        self._port, self._count = port, count
        self.ports: list[int] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="addresses", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _listen(self) -> None:
        for number in range(self._count):
            relay = _Relay(f"127.0.1.{number + 1}", self._port)
            server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
            self.ports.append(server.sockets[0].getsockname()[1])


class _Relay:
    def __init__(self, address: str, port: int) -> None:
        self._address, self._port = address, port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(self._address, 0))
        await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer), return_exceptions=True)


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    finally:
        target.close()
