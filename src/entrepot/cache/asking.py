"""What is asked of upstream for a download: where, in which order, with which fields."""

import asyncio

from entrepot.cache.contact import check_contact
from entrepot.cache.decoding import ACCEPTED
from entrepot.cache.facts import FileFact
from entrepot.cache.fields import is_stray_page
from entrepot.cache.flight import Flight
from entrepot.cache.naming import candidates
from entrepot.cache.noting import note_down
from entrepot.cache.order import Kit, Order, url_of
from entrepot.contracts.fetcher import Ask, UpstreamReply
from entrepot.errors import Absent, EntrepotError, UpstreamStatus
from entrepot.model.headers import Headers
from entrepot.model.release import Location
from entrepot.model.resource import BASE, Kind


class Asking:
    """For one order. `fact`: what the index says of the file, once that is known; `upstream`: the one that answered."""

    def __init__(self, kit: Kit, order: Order, flight: Flight) -> None:
        self._kit, self._order, self._flight = kit, order, flight
        self.fact: FileFact | None = order.fact
        self.upstream = ""
        self._made_owner = False

    async def open(self, *, no_cache: bool) -> UpstreamReply:
        """The upstream answer with the body to come (or 304), from where the index says the file is."""
        order = self._order
        if order.learn is None or self.fact is not None:
            return await self._ask(self.location(), no_cache)
        if self._is_led or self._leaves_base():
            # A client's word alone leads nowhere but below the upstream's base URL: elsewhere an index must.
            self._take_fact(await order.learn())
            return await self._ask(self.location(), no_cache)
        guess = self.location()
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
            return await self._ask(self.location(), no_cache)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @property
    def _is_led(self) -> bool:
        """Whether documents of upstream say where the file is, which may be on another host."""
        return self._order.resource.origin != BASE or self._order.locate is not None

    def _leaves_base(self) -> bool:
        """Whether the file's name leads beside the base URL of an upstream, to what else its host may have."""
        return not all(
            self.url_at(None, upstream).startswith(self._kit.fetcher.base_url(upstream))
            for upstream in self._order.repository.upstreams
        )

    def _take_fact(self, fact: FileFact | BaseException | None) -> None:
        if isinstance(fact, BaseException):
            relaxed = not self._order.repository.verify_always and isinstance(fact, EntrepotError)
            if relaxed and not self._is_led:
                return
            raise fact
        if fact is None and self._order.resource.must_be_listed:
            raise Absent(f"{self._order.subject} (not listed in its index)")
        self.fact = fact

    def _asked_elsewhere(self, guess: Location | None) -> bool:
        if self.fact is None or not self.fact.path:
            return False
        upstream = self._order.repository.upstreams[0]
        return self.url_at(guess, upstream) != self.url_at(self.fact.location, upstream)

    async def _placed(self, location: Location | None, upstream: str) -> Location | None:
        return await self._order.locate(upstream) if self._order.locate is not None else location

    def location(self) -> Location | None:
        return self.fact.location if self.fact is not None and self.fact.path else None

    def url_at(self, location: Location | None, upstream: str) -> str:
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
            # A login page in place of a file tells of nothing that this upstream has.
            stray = is_stray_page(self._order.resource, reply.headers)
            owner = upstream if stray else await self._own(upstream, reply)
            if owner != upstream:
                await reply.close()
                reply = await self._ask_one(owner, location, no_cache)
            self.upstream = owner
            return reply
        raise absent or Absent(self._order.subject)

    def _candidates(self) -> tuple[str, ...]:
        return candidates(self._kit, self._order.repository, self._order.resource)

    async def _own(self, upstream: str, reply: UpstreamReply) -> str:
        """The upstream that owns the package now: this one, unless another answered a request beside this one first."""
        order = self._order
        if not order.resource.about or len(order.repository.upstreams) == 1:
            return upstream
        try:
            self._made_owner |= self._kit.catalog.find_owner(order.repository.name, order.resource.about) is None
            put = self._kit.catalog.put_owner(order.repository.name, order.resource.about, upstream)
            await note_down(put, order.subject)
            left = self._candidates()
        except BaseException:
            await reply.close()
            raise
        return left[0] if len(left) == 1 else upstream

    async def disown(self) -> None:
        """What made its upstream the owner of the package was nothing of the kind."""
        if self._made_owner:
            package = self._order.resource.about
            await note_down(self._kit.catalog.forget(self._order.repository.name, package, ()), self._order.subject)

    async def _ask_one(self, upstream: str, location: Location | None, no_cache: bool) -> UpstreamReply:
        order = self._order
        location = await self._placed(location, upstream)
        ask = Ask(
            upstream=upstream,
            url=self.url_at(location, upstream),
            method=order.method,
            headers=Headers(self._request_fields(upstream, no_cache)),
            learned=self._is_learned(location),
            subject=order.resource.about,
        )
        reply = await self._send(ask)
        self._flight.trace.status, self._flight.trace.upstream = reply.status, upstream
        # A 304 that nobody asked for says nothing about what is stored here.
        conditional = any(name.startswith("if-") for name, _ in ask.headers)
        if reply.status == 200 or (reply.status == 304 and conditional):
            return reply
        await reply.close()
        if reply.status in (404, 410):
            raise Absent(order.subject, gone=reply.status == 410)
        raise UpstreamStatus(order.subject, reply.status)

    async def prepare(self) -> None:
        """Know what `open` would have found out: for `rest`, where another process began."""
        if self.fact is None and self._order.learn is not None:
            self._take_fact(await self._order.learn())
        self.upstream = self._flight.trace.upstream = self._candidates()[0]

    async def again(self) -> UpstreamReply:
        """All of the body once more, from where it came."""
        return await self._ask_one(self.upstream, self.location(), no_cache=False)

    async def rest(self, fields: list[tuple[str, str]]) -> UpstreamReply:
        """What `fields` ask for, from where the first part came; whatever its status."""
        location = await self._placed(self.location(), self.upstream)
        ask = Ask(
            upstream=self.upstream,
            url=self.url_at(location, self.upstream),
            headers=Headers([("accept-encoding", "identity"), *fields]),
            learned=self._is_learned(location),
            subject=self._order.resource.about,
        )
        return await self._send(ask)

    def _is_learned(self, location: Location | None) -> bool:
        return (location.origin if location else self._order.resource.origin) != BASE

    async def _send(self, ask: Ask) -> UpstreamReply:
        check_contact(self._order.repository, self._order.resource)
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
        if resource.accept or resource.accepts:
            fields.append(("accept", resource.accept or resource.accepts))
        if no_cache:
            fields += [("cache-control", "no-cache"), ("pragma", "no-cache")]
        elif entry is not None and order.conditional and entry.upstream == self._kit.fetcher.identity(upstream):
            if "etag" in entry.headers:
                fields.append(("if-none-match", entry.headers.get("etag")))
            if "last-modified" in entry.headers:
                fields.append(("if-modified-since", entry.headers.get("last-modified")))
        return fields
