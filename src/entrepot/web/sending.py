"""Bodies on their way out, in chunks that shrink as readers become many."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from entrepot.cache.answer import Body, Growing, Stored, Streamed
from entrepot.cache.ranges import Span
from entrepot.contracts.blobs import OpenBlob
from entrepot.errors import BodyCut, StoreFailure

Message = Mapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

SHARED_BYTES = 8 << 20
SMALLEST, LARGEST = 16 << 10, 256 << 10


class Sender:
    """Counts who is being sent to, so that all of them together stay within a budget of memory."""

    def __init__(self, shared_bytes: int = SHARED_BYTES) -> None:
        """`shared_bytes`: this process's part of the budget."""
        self.active = 0
        self._shared_bytes = shared_bytes

    def _chunk_size(self) -> int:
        return max(SMALLEST, min(LARGEST, self._shared_bytes // max(1, self.active)))

    async def send_body(self, send: Send, body: Body, span: Span | None, length: int | None) -> int:
        """Everything behind the response's start; the bytes sent. Raises what breaks the body: the transfer is then
        ended without its end."""
        self.active += 1
        try:
            match body:
                case bytes():
                    data = body[span.start : span.end] if span else body
                    await send({"type": "http.response.body", "body": data})
                    return len(data)
                case Stored(blob):
                    start, end = (span.start, span.end) if span else (0, blob.size_bytes)
                    return await self.send_blob(send, blob, start, end)
                case Growing(flight):
                    start, stop = (span.start, span.end) if span else (0, length)
                    with flight.reader(start, stop) as reader:
                        # The head must not wait for the first byte.
                        await send({"type": "http.response.body", "body": b"", "more_body": True})
                        sent = 0
                        while data := await reader.read(self._chunk_size(), asyncio.to_thread):
                            sent += len(data)
                            await send({"type": "http.response.body", "body": data, "more_body": True})
                        return await _end(send, sent, (stop - start) if stop is not None else None)
                case Streamed(chunks, _):
                    sent = 0
                    async for data in chunks:
                        sent += len(data)
                        await send({"type": "http.response.body", "body": data, "more_body": True})
                    return await _end(send, sent, length)
        finally:
            self.active -= 1

    async def send_blob(self, send: Send, blob: OpenBlob, start: int, end: int) -> int:
        position = start
        while position < end:
            size = min(self._chunk_size(), end - position)
            data = blob.read_now(position, size)
            if data is None:
                data = await asyncio.to_thread(blob.read, position, size)
            if not data:
                raise StoreFailure(f"{blob.sha256}: the stored file ends at {position}, not at {end}")
            position += len(data)
            await send({"type": "http.response.body", "body": data, "more_body": position < end})
        if start >= end:
            await send({"type": "http.response.body", "body": b""})
        return end - start


async def _end(send: Send, sent: int, expected: int | None) -> int:
    if expected is not None and sent != expected:
        raise BodyCut(f"{sent} bytes of {expected} were there to send")
    await send({"type": "http.response.body", "body": b""})
    return sent
