"""Gradle build caches: GET, HEAD and PUT of entries nobody can verify, so who may put is asked first.

Source: https://docs.gradle.org/current/userguide/build_cache.html (HTTP build cache), and HttpBuildCacheService.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Final, Protocol

from entrepot.cache.answer import Stored, Trace
from entrepot.contracts.blobs import OpenBlob
from entrepot.errors import (
    BadRequest,
    EntrepotError,
    MethodRefused,
    NotServed,
    Refused,
    TokenNeeded,
    TooLarge,
)
from entrepot.web.door import SAFE, SHIELD, Door
from entrepot.web.edge import attend, own_address, told_fields
from entrepot.web.hot import Key
from entrepot.web.ledger import Ledger
from entrepot.web.sending import Send, Sender
from entrepot.web.tokens import HINT, Principal
from entrepot.web.visit import Receive, Visit, headers_of

CONTENT_TYPE: Final = "application/vnd.gradle.build-cache-artifact.v2"
_KEY: Final = re.compile(r"[0-9a-f]{16,128}\Z")
_HANDED_ON: Final = frozenset(("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"))
"""Fields of what a proxy on this machine hands on, for whoever is behind it."""
_WRITE_BYTES: Final = 256 << 10
_Fields = tuple[tuple[str, str], ...]


class Incoming(Protocol):
    """An entry on its way in; its methods may wait for the disk."""

    size_bytes: int

    def append(self, data: bytes) -> None: ...

    def commit(self) -> None: ...

    def discard(self) -> None: ...


class Store(Protocol):
    """Methods may wait for the disk. All raise StoreFailure."""

    def find(self, key: str) -> OpenBlob | None: ...

    def has(self, key: str) -> bool: ...

    def create(self, key: str) -> Incoming: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildCache:
    name: str
    store: Store
    max_entry: int
    """Bytes."""


class BuildCaches:
    def __init__(
        self,
        caches: Mapping[str, BuildCache],
        *,
        door: Door,
        sender: Sender,
        ledger: Ledger,
        open_to_read: bool,
        open_to_write: bool,
    ) -> None:
        """`open_to_read`, `open_to_write`: for whoever has no token."""
        self._caches, self._door, self._sender, self._ledger = caches, door, sender, ledger
        self._open_to_read, self._open_to_write = open_to_read, open_to_write

    def owns(self, raw_path: bytes) -> bool:
        """Whether a path leads to one of the caches."""
        return bool(self._caches) and raw_path[1:].partition(b"/")[0].decode("latin-1") in self._caches

    async def serve(
        self,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        key: Key,
        began: float,
        principal: Principal | None,
    ) -> None:
        trace = Trace(outcome="pass", detail="build cache")
        visit = Visit(scope=scope, key=key, began=began, headers=headers_of(scope), principal=principal, trace=trace)
        await attend(visit, self._ledger, self._answer(visit, receive, send), partial(self._refuse, visit, send))

    async def _answer(self, visit: Visit, receive: Receive, send: Send) -> None:
        base = own_address(self._door, visit)
        self._door.check_site(visit.method, base, visit.headers.get("origin"), visit.headers.get("sec-fetch-site"))
        name, _, entry = visit.scope["raw_path"][1:].decode("latin-1").partition("/")
        cache = self._caches[name]
        visit.counted_as = name
        if visit.method in SAFE:
            self._check_read(visit, cache)
            await self._give(visit, send, cache, _checked(cache, entry))
        elif visit.method == "PUT":
            self._check_write(visit, cache)
            await self._take(visit, receive, cache, _checked(cache, entry))
            await self._reply(visit, send, 201)
        else:
            raise MethodRefused(visit.method, "GET, HEAD, PUT")

    # --- who may ------------------------------------------------------------------------------------------------------

    def _check_read(self, visit: Visit, cache: BuildCache) -> None:
        who = visit.principal
        if who is None or self._open_to_read or cache.name in who.reads:
            return
        if who.problem:
            raise TokenNeeded(f"{who.problem}; {HINT}")
        raise Refused(f"the token {who.name!r} has no right to read the build cache {cache.name!r}")

    def _check_write(self, visit: Visit, cache: BuildCache) -> None:
        """Whoever puts an entry decides what others' builds are made of."""
        who = visit.principal
        if who is None:
            if not self._open_to_write or not _HANDED_ON.isdisjoint(field for field, _ in visit.headers):
                raise Refused("without a token nobody but this machine may put what others build with (docs/tokens.md)")
            return
        if cache.name in who.writes:
            return
        if who.problem:
            raise TokenNeeded(f"{who.problem}; {HINT}")
        raise Refused(f"the token {who.name!r} has not the right 'write' for the build cache {cache.name!r}")

    # --- entries ------------------------------------------------------------------------------------------------------

    async def _give(self, visit: Visit, send: Send, cache: BuildCache, entry: str) -> None:
        blob = await asyncio.to_thread(cache.store.find, entry)
        if blob is None:
            visit.trace = Trace(outcome="miss", detail="build cache")
            await self._reply(visit, send, 404, f"{cache.name}/{entry}: no such entry\n".encode())
            return
        try:
            visit.trace = Trace(outcome="hit", detail="build cache")
            await self._start(visit, send, 200, blob.size_bytes, (("content-type", CONTENT_TYPE),))
            if visit.method == "HEAD":
                await send({"type": "http.response.body", "body": b""})
            else:
                visit.sent = await self._sender.send_body(send, Stored(blob), None, blob.size_bytes)
        finally:
            blob.close()

    async def _take(self, visit: Visit, receive: Receive, cache: BuildCache, entry: str) -> None:
        length = visit.headers.get("content-length")
        if length.isdigit() and int(length) > cache.max_entry:
            if "expect" not in visit.headers:
                await _pass_over(receive, cache, int(length))
            raise _too_large(cache)
        if await asyncio.to_thread(cache.store.has, entry):
            await _pass_over(receive, cache, cache.max_entry)
            return
        incoming = await asyncio.to_thread(cache.store.create, entry)
        try:
            await _receive(receive, incoming, cache)
            if length.isdigit() and incoming.size_bytes != int(length):
                raise BadRequest(f"{incoming.size_bytes} bytes of {length} came")
            await asyncio.to_thread(incoming.commit)
        finally:
            await asyncio.shield(asyncio.to_thread(incoming.discard))

    # --- the wire -----------------------------------------------------------------------------------------------------

    async def _refuse(self, visit: Visit, send: Send, error: EntrepotError) -> None:
        absent = isinstance(error, NotServed)
        visit.trace = Trace(
            outcome="absent" if absent else "refused" if error.status < 500 else "error",
            detail=error.code,
            error="" if absent else str(error),
        )
        if visit.started:
            # Too late for a status: the transfer breaks, and nobody takes half an entry for a whole one.
            raise error
        await self._reply(visit, send, error.status, f"{error}\n".encode(), told_fields(error))

    async def _reply(self, visit: Visit, send: Send, status: int, body: bytes = b"", extra: _Fields = ()) -> None:
        fields = (("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store"), *extra)
        await self._start(visit, send, status, len(body), fields)
        await send({"type": "http.response.body", "body": b"" if visit.method == "HEAD" else body})

    async def _start(self, visit: Visit, send: Send, status: int, length: int, fields: _Fields) -> None:
        headers = [(name.encode(), value.encode("latin-1")) for name, value in fields]
        headers += [(b"content-length", b"%d" % length), *SHIELD]
        visit.started, visit.status = perf_counter(), status
        await send({"type": "http.response.start", "status": status, "headers": headers})


def _checked(cache: BuildCache, entry: str) -> str:
    """Raises NotServed for what is no key."""
    if not _KEY.match(entry):
        raise NotServed(
            f"{cache.name}/{entry[:200]}: the key of an entry is 16 to 128 hexadecimal digits in small letters"
        )
    return entry


def _too_large(cache: BuildCache) -> TooLarge:
    return TooLarge(f"an entry of the build cache {cache.name!r} may have {cache.max_entry} bytes")


async def _receive(receive: Receive, incoming: Incoming, cache: BuildCache) -> None:
    """The body, to the disk. Raises TooLarge, BadRequest, StoreFailure."""
    waiting: list[bytes] = []
    size = 0

    async def keep(part: bytes) -> None:
        nonlocal size
        waiting.append(part)
        size += len(part)
        if size > cache.max_entry:
            raise _too_large(cache)
        if sum(map(len, waiting)) >= _WRITE_BYTES:
            await asyncio.to_thread(incoming.append, b"".join(waiting))
            waiting.clear()

    await _read(receive, keep)
    await asyncio.to_thread(incoming.append, b"".join(waiting))


async def _pass_over(receive: Receive, cache: BuildCache, most: int) -> None:
    """A body that nobody needs: a client that is still sending would take an early answer for a broken connection."""
    size = 0

    async def count(part: bytes) -> None:
        nonlocal size
        size += len(part)
        if size > most:
            raise _too_large(cache)

    await _read(receive, count)


async def _read(receive: Receive, take: Callable[[bytes], Awaitable[None]]) -> None:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("the entry's body ended early")
        await take(message.get("body", b""))
        more = message.get("more_body", False)
