"""The ASGI application: every route on one screen, and the short way for what is asked for again and again."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from entrepot.contracts.board import Generation
from entrepot.contracts.clock import Clock
from entrepot.errors import EntrepotError
from entrepot.web.access import AccessLog
from entrepot.web.door import Door
from entrepot.web.hot import Hot, HotAnswers, Key
from entrepot.web.keeping import Keeper
from entrepot.web.proxy import Proxy
from entrepot.web.sending import Send, Sender
from entrepot.web.status import Status

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]

_OWN = {b"/health", b"/ready", b"/metrics", b"/", b"/api"}
_SPECIAL = frozenset(
    (b"range", b"if-none-match", b"if-modified-since", b"if-match", b"if-unmodified-since", b"if-range", b"via")
)

_log = logging.getLogger("entrepot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """What happens when the server starts and stops, within its event loop."""

    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]


class App:
    """/health /ready /metrics /api · everything else: /[~session/]repository/…"""

    def __init__(
        self,
        *,
        proxy: Proxy,
        keeper: Keeper,
        status: Status,
        door: Door,
        hot: HotAnswers,
        sender: Sender,
        log: AccessLog,
        generation: Generation,
        clock: Clock,
        lifetime: Lifetime,
    ) -> None:
        self._proxy, self._status, self._door, self._hot = proxy, status, door, hot
        self._sender, self._log, self._generation, self._clock = sender, log, generation, clock
        self._lifetime, self._keeper = lifetime, keeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._live(scope, receive, send)
            return
        began = perf_counter()
        host = accept = coding = b""
        special = scope["method"] != "GET"
        for name, value in scope["headers"]:
            if name == b"host":
                # Two of them (RFC 9112 §3.2) are no name of ours.
                host = value if not host else host + b", " + value
            elif name == b"accept":
                accept = value if not accept else accept + b", " + value
            elif name == b"accept-encoding":
                coding = value if not coding else coding + b", " + value
            elif name in _SPECIAL or name.startswith((b"x-forwarded", b"forwarded")):
                special = True
        path: bytes = scope["raw_path"]
        key = (path, scope["query_string"], host, accept, coding)
        hot = self._hot.find(key)
        if hot is not None and not special:
            now = self._clock.timestamp()
            if now < hot.fresh_until and (
                hot.generation == self._generation.value() or self._keeper.still_current(hot)
            ):
                if await self._send_hot(scope, send, key, hot, now, began):
                    return
            else:
                self._hot.drop(key)
        await self._serve(scope, receive, send, key, began)

    # --- the short way ----------------------------------------------------------------------------------------------

    async def _send_hot(self, scope: Scope, send: Send, key: Key, hot: Hot, now: float, began: float) -> bool:
        """Whether the answer was sent; False when the stored file is not what it was."""
        if hot.body is not None:
            await send(hot.message(now))
            await send(hot.body)
        else:
            if hot.blob is None or hot.blob.fingerprint() != hot.fingerprint:
                self._hot.drop(key)
                return False
            hot.users += 1
            try:
                await send(hot.message(now))
                await self._send_file(send, hot)
            finally:
                hot.release()
        self._hot.used(key)
        for counts in (hot.counts, hot.session_counts):
            if counts is not None:
                counts.requests += 1
                counts.hits += 1
                counts.bytes_sent += hot.size_bytes
                counts.bytes_saved += hot.size_bytes
        self._keeper.used(hot.sha256, now)
        if self._log.enabled:
            client = scope["client"]
            self._log.add(
                f'{{"time":"{self._log.stamp()}","client":"{client[0] if client else ""}",{hot.log_head},'
                f'"ms":{(perf_counter() - began) * 1000:.2f}}}'
            )
        return True

    async def _send_file(self, send: Send, hot: Hot) -> None:
        assert hot.blob is not None
        self._sender.active += 1
        try:
            await self._sender.send_blob(send, hot.blob, 0, hot.size_bytes)
        finally:
            self._sender.active -= 1

    # --- every other request ----------------------------------------------------------------------------------------

    async def _serve(self, scope: Scope, receive: Receive, send: Send, key: Key, began: float) -> None:
        path = key[0]
        if path in _OWN or path.startswith(b"/api/"):
            await self._status.serve(scope, send, key[2])
            return
        await self._proxy.serve(scope, receive, send, key, began)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            raise NotImplementedError(f"{scope['type']} is not spoken here")
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self._lifetime.start()
                except EntrepotError as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._lifetime.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return
