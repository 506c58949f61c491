"""The leader's work: ask upstream, pass the growing body on, verify it, make it durable."""

import asyncio
from dataclasses import replace

from entrepot.cache.arrival import Arrival
from entrepot.cache.decoding import ACCEPTED
from entrepot.cache.facts import FileFact
from entrepot.cache.flight import Flight
from entrepot.cache.freshness import storable
from entrepot.cache.order import Kit, Order, url_of
from entrepot.cache.soundness import hash_of
from entrepot.contracts.board import Claim
from entrepot.contracts.fetcher import Ask, UpstreamReply
from entrepot.errors import (
    Absent,
    BadContent,
    BodyCut,
    EntrepotError,
    StoreFailure,
    Unreachable,
    UpstreamStatus,
    UpstreamTimeout,
)
from entrepot.model.entry import Blob, Entry, Remembered
from entrepot.model.headers import Headers
from entrepot.model.release import Location
from entrepot.model.resource import BASE, Kind

KEPT_FIELDS = frozenset(
    (
        *("content-type", "content-encoding", "content-language", "content-disposition"),
        *("etag", "last-modified", "cache-control", "expires", "date", "age", "vary"),
    )
)
_ABOUT_THE_BODY = frozenset(("content-type", "content-encoding", "content-language", "content-disposition"))


class Download:
    """One leader's flight. `run` raises what made it fail; telling the readers is its caller's part."""

    def __init__(self, kit: Kit, order: Order, flight: Flight, claim: Claim) -> None:
        self._kit, self._order, self._flight, self._claim = kit, order, flight, claim
        self._fact = order.fact
        self._upstream = ""

    async def run(self) -> bool:
        """True when a stored body was replaced by another one."""
        if await self._adopt():
            return False
        reply = await self._open(no_cache=self._order.store_first)
        if reply.status == 304 and self._order.entry is not None:
            await reply.close()
            await self._freshen(self._order.entry, reply.headers)
            return False
        try:
            return await self._receive(reply, store_first=self._order.store_first)
        except BadContent:
            if self._flight.released or self._order.store_first:
                raise
        # Nothing left the house yet: a cache on the way may have been at fault, so it is asked around, once.
        reply = await self._open(no_cache=True)
        return await self._receive(reply, store_first=True)

    async def probe(self) -> UpstreamReply:
        """The fields of the answer only (for a HEAD of what is not stored); closed."""
        reply = await self._open(no_cache=False)
        await reply.close()
        return reply

    # --- bytes that are here already --------------------------------------------------------------------------------

    async def _adopt(self) -> bool:
        """Whether the wanted bytes were in the store already (architecture §6.2)."""
        sha256 = self._known_sha256()
        order = self._order
        if not sha256 or order.entry is not None or order.resource.kind is not Kind.ARTIFACT:
            return False
        remembered = self._remembered()
        if remembered is not None and remembered.sha256 != sha256:
            return False
        try:
            blob = await self._verified_blob(sha256)
        except StoreFailure:
            return False
        if blob is None:
            return False
        fact_url = self._url_at(self._location(), order.repository.upstreams[0])
        entry = self._entry_of(blob, Headers(), fact_url, order.repository.upstreams[0])
        await self._kit.catalog.put_stored(entry, blob, remember=True)
        self._flight.settle(entry)
        return True

    async def _verified_blob(self, sha256: str) -> Blob | None:
        opened = self._kit.blobs.open(sha256)
        if opened is None:
            return None
        try:
            known = self._kit.catalog.find_blob(sha256)
            fingerprint = opened.fingerprint()
            if fingerprint is None:
                return None
            if known is not None and known.fingerprint == fingerprint:
                return known
            if await asyncio.to_thread(hash_of, opened) != sha256:
                self._kit.blobs.quarantine(sha256)
                return None
            return Blob(sha256=sha256, size_bytes=opened.size_bytes, fingerprint=fingerprint)
        finally:
            opened.close()

    def _known_sha256(self) -> str:
        digest = self._order.resource.digest
        if digest is not None and digest.algorithm == "sha256":
            return digest.value
        if self._fact is not None and self._fact.sha256:
            return self._fact.sha256
        if self._fact is not None and self._fact.digests:
            remembered = self._remembered()
            return remembered.sha256 if remembered else ""
        return ""

    def _remembered(self) -> Remembered | None:
        """What this name was before. With the catalog gone nothing but a published digest can judge the bytes."""
        if self._order.resource.kind is not Kind.ARTIFACT:
            return None
        try:
            return self._kit.catalog.find_remembered(self._order.repository.name, self._order.resource.stored_key)
        except StoreFailure:
            if self._order.resource.digest or (self._fact and self._fact.digests):
                return None
            raise

    # --- asking -----------------------------------------------------------------------------------------------------

    async def _open(self, *, no_cache: bool) -> UpstreamReply:
        """The upstream answer with the body to come (or 304), from where the index says the file is."""
        order = self._order
        if order.learn is None or self._fact is not None:
            return await self._ask(self._location(), no_cache)
        if order.resource.origin != BASE:
            self._take_fact(await order.learn())
            return await self._ask(self._location(), no_cache)
        guess = self._location()
        answer, fact = await asyncio.gather(self._ask(guess, no_cache), order.learn(), return_exceptions=True)
        try:
            self._take_fact(fact)
        except BaseException:
            if not isinstance(answer, BaseException):
                await answer.close()
            raise
        if self._asked_elsewhere(guess):
            if not isinstance(answer, BaseException):
                await answer.close()
            return await self._ask(self._location(), no_cache)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _take_fact(self, fact: FileFact | BaseException | None) -> None:
        if isinstance(fact, BaseException):
            relaxed = not self._order.repository.verify_always and isinstance(fact, EntrepotError)
            if relaxed and self._order.resource.origin == BASE:
                return
            raise fact
        if fact is None and self._order.resource.must_be_listed:
            raise Absent(f"{self._order.subject} (not listed in its index)")
        self._fact = fact

    def _asked_elsewhere(self, guess: Location | None) -> bool:
        if self._fact is None or not self._fact.path:
            return False
        upstream = self._order.repository.upstreams[0]
        return self._url_at(guess, upstream) != self._url_at(self._fact.location, upstream)

    def _location(self) -> Location | None:
        return self._fact.location if self._fact is not None and self._fact.path else None

    def _url_at(self, location: Location | None, upstream: str) -> str:
        return url_of(self._order.resource, location, self._kit.fetcher.base_url(upstream))

    async def _ask(self, location: Location | None, no_cache: bool) -> UpstreamReply:
        """The first upstream's answer that is not 404. Raises Absent when none has it."""
        absent: Absent | None = None
        for upstream in self._candidates():
            try:
                reply = await self._ask_one(upstream, location, no_cache)
            except Absent as error:
                absent = absent or error
                continue
            self._upstream = upstream
            await self._own(upstream)
            return reply
        raise absent or Absent(self._order.subject)

    def _candidates(self) -> tuple[str, ...]:
        order = self._order
        package = order.resource.about
        if order.resource.upstream:
            return (order.resource.upstream,)
        reserved = tuple(name for name in order.repository.upstreams if self._kit.fetcher.owns(name, package))
        if reserved or len(order.repository.upstreams) == 1:
            return reserved or order.repository.upstreams
        owner = self._kit.catalog.find_owner(order.repository.name, package) if package else None
        return (owner,) if owner in order.repository.upstreams else order.repository.upstreams

    async def _own(self, upstream: str) -> None:
        order = self._order
        if order.resource.about and len(order.repository.upstreams) > 1:
            await self._kit.catalog.put_owner(order.repository.name, order.resource.about, upstream)

    async def _ask_one(self, upstream: str, location: Location | None, no_cache: bool) -> UpstreamReply:
        order = self._order
        ask = Ask(
            upstream=upstream,
            url=self._url_at(location, upstream),
            method=order.method,
            headers=Headers(self._request_fields(upstream, no_cache)),
            learned=(location.origin if location else order.resource.origin) != BASE,
        )
        reply = await self._send(ask)
        self._flight.trace.status, self._flight.trace.upstream = reply.status, upstream
        if reply.status == 200 or (reply.status == 304 and order.entry is not None):
            return reply
        await reply.close()
        if reply.status in (404, 410):
            raise Absent(order.subject, gone=reply.status == 410)
        raise UpstreamStatus(order.subject, reply.status)

    async def _send(self, ask: Ask) -> UpstreamReply:
        self._order.counts.upstream_requests += 1
        self._flight.asked = ask
        self._flight.trace.requests += 1
        try:
            return await self._kit.fetcher.send(ask)
        except EntrepotError:
            self._order.counts.upstream_errors += 1
            raise

    def _request_fields(self, upstream: str, no_cache: bool) -> list[tuple[str, str]]:
        order = self._order
        resource, entry = order.resource, order.entry
        fields = [("accept-encoding", ACCEPTED if resource.kind is Kind.INDEX else "identity")]
        if resource.accept:
            fields.append(("accept", resource.accept))
        if no_cache:
            fields += [("cache-control", "no-cache"), ("pragma", "no-cache")]
        elif entry is not None and order.conditional and entry.upstream == self._kit.fetcher.identity(upstream):
            if "etag" in entry.headers:
                fields.append(("if-none-match", entry.headers.get("etag")))
            if "last-modified" in entry.headers:
                fields.append(("if-modified-since", entry.headers.get("last-modified")))
        return fields

    async def _freshen(self, entry: Entry, headers: Headers) -> None:
        """A 304: its fields replace the stored ones, except those that describe the body (RFC 9111 §3.2)."""
        news = [(name, value) for name, value in headers if name in KEPT_FIELDS and name not in _ABOUT_THE_BODY]
        stored = Headers(field for field in entry.headers if field[0] != "age")
        entry = replace(
            entry,
            headers=stored.replaced(news),
            validated_at=self._kit.clock.now(),
            next_check_at=None,
            failures=0,
            expired=False,
            gone_at=None,
        )
        await self._kit.catalog.put_entry(entry)
        self._flight.settle(entry)

    # --- receiving --------------------------------------------------------------------------------------------------

    async def _receive(self, reply: UpstreamReply, *, store_first: bool) -> bool:
        arrival = Arrival(
            self._kit,
            self._order,
            self._flight,
            self._claim,
            fact=self._fact,
            remembered=self._remembered(),
            store_first=store_first,
        )
        try:
            reply = await self._pump(arrival, reply)
            await arrival.verify(reply)
            return await self._commit(arrival, reply)
        finally:
            await arrival.discard()

    async def _pump(self, arrival: Arrival, reply: UpstreamReply) -> UpstreamReply:
        """Take the body in, resuming where it breaks; the last reply, closed."""
        first, resumes = reply, 0
        try:
            await arrival.begin(reply)
        except BaseException:
            await reply.close()
            raise
        while (cut := await self._drain(arrival, reply)) is not None:
            resumes += 1
            if resumes > self._kit.limits.resumes:
                raise cut
            reply = await self._resume(arrival, first, cut)
        return reply

    async def _drain(self, arrival: Arrival, reply: UpstreamReply) -> EntrepotError | None:
        """Everything this reply brings; what cut it short, or None at its end."""
        try:
            async for chunk in reply.chunks():
                self._order.counts.upstream_bytes += len(chunk)
                self._flight.trace.bytes += len(chunk)
                await arrival.take(chunk)
        except (BodyCut, UpstreamTimeout, Unreachable) as cut:
            return cut
        finally:
            await reply.close()
        return None

    async def _resume(self, arrival: Arrival, first: UpstreamReply, cut: EntrepotError) -> UpstreamReply:
        fields = arrival.resume_fields(first.headers)
        if fields is None:
            await arrival.discard()
            reply = await self._ask_one(self._upstream, self._location(), no_cache=False)
            if reply.status != 200:
                await reply.close()
                raise cut
            await arrival.begin(reply)
            return reply
        ask = Ask(
            upstream=self._upstream,
            url=self._url_at(self._location(), self._upstream),
            headers=Headers([("accept-encoding", "identity"), *fields]),
            learned=(self._fact.origin if self._location() and self._fact else self._order.resource.origin) != BASE,
        )
        reply = await self._send(ask)
        if not arrival.continues_with(reply):
            await reply.close()
            raise cut
        return reply

    # --- keeping ----------------------------------------------------------------------------------------------------

    async def _commit(self, arrival: Arrival, reply: UpstreamReply) -> bool:
        """Durable first, then known: blob, then entry. Failing here costs the store, not the readers."""
        order = self._order
        if not storable(200, reply.headers, order.resource, order.repository.rules):
            self._flight.store_failed(StoreFailure(f"{order.subject}: upstream forbids storing it"))
            return False
        try:
            blob = await arrival.commit()
            entry = self._entry_of(blob, reply.headers, reply.url, self._upstream)
            await self._kit.catalog.put_stored(entry, blob, remember=order.resource.kind is Kind.ARTIFACT)
        except StoreFailure as error:
            self._flight.store_failed(error)
            return False
        self._flight.stored.set_result(entry)
        return order.entry is not None and order.entry.sha256 != entry.sha256

    def _entry_of(self, blob: Blob, headers: Headers, url: str, upstream: str) -> Entry:
        order, now = self._order, self._kit.clock.now()
        digests = bool(order.resource.digest or (self._fact and self._fact.digests))
        return Entry(
            repository=order.repository.name,
            key=order.resource.stored_key,
            sha256=blob.sha256,
            size_bytes=blob.size_bytes,
            headers=kept_fields(headers, decoded=order.resource.kind is Kind.INDEX),
            url=url,
            upstream=self._kit.fetcher.identity(upstream),
            stored_at=now,
            validated_at=now,
            published=digests,
        )


def kept_fields(headers: Headers, *, decoded: bool) -> Headers:
    dropped = "content-encoding" if decoded else ""
    return Headers(field for field in headers if field[0] in KEPT_FIELDS and field[0] != dropped)
