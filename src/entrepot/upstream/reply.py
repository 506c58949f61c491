"""An upstream's answer, streamed."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp

from entrepot.contracts.fetcher import UpstreamReply
from entrepot.errors import BodyCut, Unreachable, UpstreamFailure, UpstreamTimeout
from entrepot.model.headers import Headers
from entrepot.upstream.response import Response
from entrepot.upstream.target import Target

ERROR_BODY_BYTES = 64 << 10

_DROPPED = frozenset(
    {
        "set-cookie",
        # RFC 9110 §7.6.1: these speak of the connection, not of the answer.
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_BODILESS = frozenset({204, 304})


class AiohttpReply:
    def __init__(self, response: aiohttp.ClientResponse, target: Target, read_timeout: float) -> None:
        self._response = response
        self._target = target
        self._read_timeout = read_timeout
        self._received = 0
        self._overran = False
        self.status = response.status
        self.headers = _clean(response)
        self.url = target.text

    @property
    def delimited(self) -> bool:
        fields = self._response.headers
        empty = self._response.method == "HEAD" or self.status in _BODILESS
        told = "content-length" in fields or "chunked" in fields.get("transfer-encoding", "").lower()
        return empty or (told and not self._overran)

    async def chunks(self) -> AsyncIterator[bytes]:
        while data := await self._next():
            self._received += len(data)
            yield data
        # Length and bytes contradict each other: which of them is right, nobody can tell.
        self._overran = isinstance(self._response, Response) and self._response.overran

    async def close(self) -> None:
        self._response.release()

    async def _next(self) -> bytes:
        """What has arrived, at least one byte; nothing at the end."""
        content = self._response.content
        try:
            async with asyncio.timeout(self._read_timeout):
                return await content.readany()
        except TimeoutError as error:
            silence = f"silent for {self._read_timeout:g} s after {self._received} bytes of the body"
            raise UpstreamTimeout(f"{self._target.name}: {silence}") from error
        except (aiohttp.ClientError, OSError) as error:
            rest = _hidden_rest(content)
            if rest:
                return rest
            raise self._broken(error) from error

    def _broken(self, error: aiohttp.ClientError | OSError) -> UpstreamFailure:
        where = f"after {self._received} bytes of the body"
        # aiohttp names the system's error only in the text.
        if isinstance(error, aiohttp.ClientPayloadError) and "ConnectionResetError" not in str(error):
            return BodyCut(f"{self._target.name}: the body ended early, {where}")
        return Unreachable(f"{self._target.name}: the connection broke {where}")


async def drain(reply: UpstreamReply, limit: int = ERROR_BODY_BYTES) -> bytes:
    """The first bytes of a body that is only for people to read; the reply is closed. A body that breaks is simply
    shorter."""
    found = bytearray()
    try:
        async for data in reply.chunks():
            found += data
            if len(found) >= limit:
                break
    except UpstreamFailure:
        return bytes(found[:limit])
    finally:
        await reply.close()
    return bytes(found[:limit])


def _clean(response: aiohttp.ClientResponse) -> Headers:
    """The fields of the answer. Latin-1, as HTTP has it: aiohttp's own decoding can yield lone surrogates."""
    fields = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.raw_headers]
    return Headers(item for item in fields if item[0] not in _DROPPED)


def _hidden_rest(content: aiohttp.StreamReader) -> bytes:
    """What had arrived before the failure: aiohttp hides it behind the exception, but it was sent and it is right."""
    error = content.exception()
    if error is None:
        return b""
    content.set_exception(None)  # type: ignore[arg-type]
    try:
        return content.read_nowait()
    finally:
        content.set_exception(error)
