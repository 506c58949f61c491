"""Answers that were made here."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import BinaryIO

from entrepot.model.headers import Headers

_PIECE_BYTES = 256 << 10


class LocalReply:
    """Implements contracts.fetcher.UpstreamReply: a complete body, in memory or in a file that has no name any more."""

    def __init__(self, url: str, status: int, content_type: str, body: BinaryIO, *, headless: bool = False) -> None:
        """`headless`: only the fields are sent, as HEAD has it."""
        self.status, self.url = status, url
        self._body, self._headless = body, headless
        size = body.seek(0, io.SEEK_END)
        body.seek(0)
        self.headers = Headers([("content-type", content_type), ("content-length", str(size))])

    @property
    def delimited(self) -> bool:
        return True

    async def chunks(self) -> AsyncIterator[bytes]:
        while not self._headless and (piece := await asyncio.to_thread(self._body.read, _PIECE_BYTES)):
            yield piece

    async def close(self) -> None:
        self._body.close()
