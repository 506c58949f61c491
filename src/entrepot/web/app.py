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
from entrepot.web.api import Api
from entrepot.web.build_caches import BuildCaches
from entrepot.web.hot import Hot, HotAnswers, Key
from entrepot.web.keeping import Keeper
from entrepot.web.proxy import Proxy
from entrepot.web.sending import Send, Sender
from entrepot.web.status import Status
from entrepot.web.tokens import Guard, Principal

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]

_OWN = {b"/health", b"/ready", b"/metrics", b"/openapi.json", b"/"}
_SPECIAL = frozenset(
    (
        b"range",
        b"if-none-match",
        b"if-modified-since",
        b"if-match",
        b"if-unmodified-since",
        b"if-range",
        b"via",
        b"proxy-authorization",
    )
)

_log = logging.getLogger("entrepot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """What happens when the server starts and stops, within its event loop."""

    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]


class App:
    """/health /ready /metrics /openapi.json /api · build caches · everything else: /[~session/]repository/…"""

    def __init__(
        self,
        *,
        proxy: Proxy,
        keeper: Keeper,
        status: Status,
        api: Api,
        hot: HotAnswers,
        sender: Sender,
        log: AccessLog,
        generation: Generation,
        clock: Clock,
        lifetime: Lifetime,
        guard: Guard | None = None,
        build_caches: BuildCaches | None = None,
    ) -> None:
        """`guard`: None where no token is configured."""
        self._proxy, self._status, self._api, self._hot, self._guard = proxy, status, api, hot, guard
        self._sender, self._log, self._generation, self._clock = sender, log, generation, clock
        self._lifetime, self._keeper, self._build_caches = lifetime, keeper, build_caches

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._live(scope, receive, send)
            return
        began = perf_counter()
        host = accept = coding = authorization = b""
        special = scope["method"] != "GET"
        for name, value in scope["headers"]:
            if name == b"host":
                # Two of them (RFC 9112 §3.2) are no name of ours.
                host = value if not host else host + b", " + value
            elif name == b"accept":
                accept = value if not accept else accept + b", " + value
            elif name == b"accept-encoding":
                coding = value if not coding else coding + b", " + value
            elif name == b"authorization":
                # Two of them are no credentials.
                authorization = value if not authorization else authorization + b", " + value
            elif name in _SPECIAL or name.startswith((b"x-forwarded", b"forwarded")):
                special = True
        path: bytes = scope["raw_path"]
        key = (path, scope["query_string"], host, accept, coding)
        now = self._clock.timestamp()
        principal = self._guard.principal_of(authorization, now) if self._guard is not None else None
        hot = self._find_hot(key, principal, now) if not special else None
        if hot is None or not await self._send_hot(scope, send, key, hot, principal, now, began):
            await self._serve(scope, receive, send, key, began, principal)

    # --- the short way ----------------------------------------------------------------------------------------------

    def _find_hot(self, key: Key, principal: Principal | None, now: float) -> Hot | None:
        """What may still be given, and to whoever asks."""
        hot = self._hot.find(key)
        if hot is None or (principal is not None and hot.repository not in principal.reads):
            return None
        if now < hot.fresh_until and (hot.generation == self._generation.value() or self._keeper.still_current(hot)):
            return hot
        self._hot.drop(key)
        return None

    async def _send_hot(
        self, scope: Scope, send: Send, key: Key, hot: Hot, principal: Principal | None, now: float, began: float
    ) -> bool:
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
        if hot.touch is not None:
            hot.touch.touched = True
        for counts in (hot.counts, hot.session_counts):
            if counts is not None:
                counts.requests += 1
                counts.hits += 1
                counts.bytes_sent += hot.size_bytes
                counts.bytes_saved += hot.size_bytes
        self._keeper.used(hot.sha256, now)
        if self._log.enabled:
            client = scope["client"]
            token = principal.logged if principal is not None else ""
            self._log.add(
                f'{{"time":"{self._log.stamp()}","client":"{client[0] if client else ""}"{token},{hot.log_head},'
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

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, key: Key, began: float, principal: Principal | None
    ) -> None:
        path = key[0]
        if path == b"/api" or path.startswith(b"/api/"):
            await self._api.serve(scope, receive, send, key, began, principal)
        elif path in _OWN:
            await self._status.serve(scope, send, key[2], principal)
        elif self._build_caches is not None and self._build_caches.owns(path):
            await self._build_caches.serve(scope, receive, send, key, began, principal)
        else:
            await self._proxy.serve(scope, receive, send, key, began, principal)

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
