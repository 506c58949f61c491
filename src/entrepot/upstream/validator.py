"""The validator hook as Athens calls it: one POST for each version."""

import asyncio
import re

import aiohttp
import msgspec

from entrepot.contracts.validator import Inquiry, Ruling
from entrepot.upstream.failures import fact_of

_READ_BYTES = 4096
_SHOWN_CHARACTERS = 300
_NOT_SHOWN = re.compile(r"[^\w !-~]+|\s+")
_CONNECTIONS = 32


class HttpValidator:
    """200 allows, 403 refuses with its first line; anything else is no ruling."""

    def __init__(self, url: str, timeout: float, user_agent: str) -> None:
        """`timeout` in seconds, for all of one question. No proxy and no redirect stands between."""
        self._url, self._timeout, self._user_agent = url, timeout, user_agent
        self._session: aiohttp.ClientSession | None = None

    async def rule(self, inquiry: Inquiry) -> Ruling:
        question = {
            "Module": inquiry.module,
            "Version": inquiry.version,
            "Ecosystem": inquiry.ecosystem,
            "Repository": inquiry.repository,
        }
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._opened().post(self._url, data=msgspec.json.encode(question), allow_redirects=False) as answer,
            ):
                return await _read(answer)
        except TimeoutError:
            return Ruling(None, f"no answer within {self._timeout:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return Ruling(None, _line(fact_of(error)))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """Made in the event loop that uses it. A connection that was kept could end just when the next question is
        sent, and that would be taken for a validator that does not rule."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                headers={
                    "content-type": "application/json",
                    "accept-encoding": "identity",
                    "user-agent": self._user_agent,
                },
            )
        return self._session


async def _read(answer: aiohttp.ClientResponse) -> Ruling:
    if answer.status == 200:
        return Ruling(True)
    if answer.status != 403:
        return Ruling(None, f"it answered {answer.status}")
    body = b""
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) >= _READ_BYTES:
            break
    return Ruling(False, _line(body[:_READ_BYTES].decode(errors="replace")))


def _line(text: str) -> str:
    """The first line that says anything, as it may stand in an answer."""
    lines = (_NOT_SHOWN.sub(" ", line).strip() for line in text.splitlines())
    return next((line[:_SHOWN_CHARACTERS] for line in lines if line), "")
