"""Obeys the plan: brings a resource from the store, from a flight, or from upstream, and never decides by itself."""

import asyncio
from dataclasses import replace

from entrepot.cache.absences import Absences
from entrepot.cache.answer import Answer, Growing, Representation, Stored, Trace, etag_of, respond
from entrepot.cache.ask import ClientAsk
from entrepot.cache.beginnings import Beginnings
from entrepot.cache.counters import Counters
from entrepot.cache.documents import Documents
from entrepot.cache.download import Download
from entrepot.cache.fields import kept_fields, shown_fields
from entrepot.cache.flight import Flight, Head, Settled
from entrepot.cache.flights import Flights
from entrepot.cache.freshness import fresh_until, is_fresh, negative_lifetime, stale_for
from entrepot.cache.indexes import Indexes
from entrepot.cache.order import Kit, Order
from entrepot.cache.passing import Passing
from entrepot.cache.patience import first_word
from entrepot.cache.plan import Gone, Keep, Miss, Serve, Step, absence_stands, may_stand_in, next_step
from entrepot.cache.ranges import Conditions
from entrepot.cache.repository import Repository
from entrepot.cache.solo import SoloClaim
from entrepot.cache.soundness import Soundness
from entrepot.errors import Absent, EntrepotError, NotCached, StoreFailure, UpstreamFailure, UpstreamStatus
from entrepot.model.entry import Entry
from entrepot.model.headers import parse_http_date
from entrepot.model.resource import Kind, Resource


class Engine:
    def __init__(
        self,
        kit: Kit,
        flights: Flights,
        documents: Documents,
        indexes: Indexes,
        soundness: Soundness,
        counters: Counters,
        range_wait: float,
    ) -> None:
        """`range_wait` in seconds: how long a range ahead of a download waits for it."""
        self._kit, self._flights, self._documents, self._indexes = kit, flights, documents, indexes
        self._soundness, self._counters, self._range_wait = soundness, counters, range_wait
        self._passing = Passing(kit)
        self._beginnings = Beginnings(documents, soundness)
        self.absences = Absences(kit.clock)

    async def fetch(self, repository: Repository, resource: Resource, ask: ClientAsk) -> Answer:
        """The answer to one request. Raises what a client is to be told instead."""
        counts = self._counters.of(repository.name)
        if resource.kind is Kind.PASS:
            return await self._passing.forward(repository, resource, ask.method, ask.headers, ask.body, counts)
        if resource.cached_only:
            ask = replace(ask, wish=replace(ask.wish, stored_only=True))
        if resource.kind is Kind.INDEX:
            return await self._fetch_index(repository, resource, ask)
        return await self._fetch_bytes(repository, resource, ask)

    # --- from the store ---------------------------------------------------------------------------------------------

    async def _fetch_bytes(self, repository: Repository, resource: Resource, ask: ClientAsk) -> Answer:
        entry = self._documents.find_entry(repository, resource)
        step = next_step(entry, resource, ask.wish, repository.rules, self._kit.clock.now())
        if isinstance(step, Serve):
            answer = await self._from_entry(repository, resource, step.entry, ask, step.detail)
            if answer is not None:
                if step.refresh:
                    self._launch(repository, resource, step.entry, step.entry)
                return answer
        if beginning := await self._beginnings.find(repository, resource, ask.conditions):
            return beginning
        gone = isinstance(step, Gone) and not await self._is_listed(repository, resource)
        if isinstance(step, Miss) or gone or ask.wish.stored_only:
            raise self._missing(repository, resource, step)
        usable = entry if entry is not None and entry.gone_at is None else None
        return await self._fetch_upstream(repository, resource, usable, entry, ask)

    async def _from_entry(
        self, repository: Repository, resource: Resource, entry: Entry, ask: ClientAsk, detail: str
    ) -> Answer | None:
        blob = await self._soundness.open(entry.sha256)
        if blob is None:
            return None
        self._kit.catalog.note_use(entry.sha256, self._kit.clock.timestamp())
        representation = Representation(
            body=Stored(blob),
            size_bytes=entry.size_bytes,
            headers=shown_fields(resource, entry.headers),
            etag=etag_of(entry.sha256),
            modified=parse_http_date(entry.headers.get("last-modified")),
        )
        answer = respond(representation, ask.conditions)
        answer.trace = Trace(outcome="stale" if detail else "hit", detail=detail, key=resource.stored_key)
        return self._dated(answer, repository, resource, entry)

    def _dated(self, answer: Answer, repository: Repository, resource: Resource, entry: Entry) -> Answer:
        answer.entry = entry
        now = self._kit.clock.now()
        rules = repository.rules
        if is_fresh(entry, resource, rules, now):
            answer.fresh_until = fresh_until(entry, resource, rules)
        else:
            answer.fresh_until = now.timestamp() - stale_for(entry, resource, rules, now)
        return answer

    def _missing(self, repository: Repository, resource: Resource, step: Step) -> EntrepotError:
        subject = f"{repository.name}/{resource.key}"
        if isinstance(step, Gone):
            return Absent(subject)
        return Absent(subject, asked=False) if resource.cached_only else NotCached(f"{subject}: not stored")

    async def _check_absence(
        self, repository: Repository, resource: Resource, entry: Entry | None, error: UpstreamFailure
    ) -> None:
        """Upstream failed. Raises Absent where it said 404 before and no index says otherwise."""
        now = self._kit.clock.now()
        if entry is None or not absence_stands(entry, error, repository.rules, now):
            return
        if await self._is_listed(repository, resource):
            return
        assert entry.gone_at is not None
        minutes = (now - entry.gone_at).total_seconds() / 60
        said = f"{repository.name}/{resource.key} (asked {minutes:.0f} min ago; not to be reached now)"
        raise Absent(said) from error

    async def _stand_in(self, repository: Repository, resource: Resource, entry: Entry | None) -> Entry | None:
        """What is told if upstream says nothing for a while: the expired answer, or its 404."""
        if entry is None or not may_stand_in(entry, resource, repository.rules, self._kit.clock.now()):
            return None
        if entry.gone_at is not None:
            return None if await self._is_listed(repository, resource) else entry
        return entry if self._soundness.is_there(entry) else None

    async def _is_listed(self, repository: Repository, resource: Resource) -> bool:
        """Whether a stored index names it: then an older 404 says nothing."""
        return resource.listed_in is not None and await self._documents.stored_fact(repository, resource) is not None

    # --- from upstream ----------------------------------------------------------------------------------------------

    async def _fetch_upstream(
        self, repository: Repository, resource: Resource, entry: Entry | None, seen: Entry | None, ask: ClientAsk
    ) -> Answer:
        subject = f"{repository.name}/{resource.stored_key}"
        order = await self._order(repository, resource, entry, seen)
        if entry is None and order.fact is None:
            self.absences.check(subject)
        try:
            if ask.method == "HEAD" and entry is None and self._flights.find(order) is None:
                return await self._probe(order)
            stand_in = await self._stand_in(repository, resource, seen)
            flight, joined = self._flights.launch(order)
            return await self._from_flight(order, flight, joined, stand_in, ask)
        except Absent as error:
            self.absences.add(subject, error, negative_lifetime(resource, repository.rules))
            raise
        except UpstreamFailure as error:
            await self._check_absence(repository, resource, seen, error)
            raise

    async def _order(
        self, repository: Repository, resource: Resource, entry: Entry | None, seen: Entry | None
    ) -> Order:
        fact = await self._documents.stored_fact(repository, resource) if resource.listed_in else None

        return Order(
            repository=repository,
            resource=resource,
            counts=self._counters.of(repository.name),
            entry=entry if entry is not None and self._soundness.is_there(entry) else None,
            fact=fact,
            learn=(lambda: self._documents.learn(repository, resource)) if resource.listed_in else None,
            seen=seen.validated_at if seen is not None else None,
            conditional=repository.rules.conditional,
            store_first=self._flights.is_suspect(f"{repository.name}/{resource.key}"),
        )

    def _launch(self, repository: Repository, resource: Resource, entry: Entry, seen: Entry) -> None:
        """Behind an answer that was given already."""
        if self._flights.stopping:
            return
        order = Order(
            repository=repository,
            resource=resource,
            counts=self._counters.of(repository.name),
            entry=entry if self._soundness.is_there(entry) else None,
            learn=(lambda: self._documents.learn(repository, resource)) if resource.listed_in else None,
            seen=seen.validated_at,
            conditional=repository.rules.conditional,
            store_first=self._flights.is_suspect(f"{repository.name}/{resource.key}"),
        )
        self._flights.launch(order)

    async def _from_flight(
        self, order: Order, flight: Flight, joined: bool, stand_in: Entry | None, ask: ClientAsk
    ) -> Answer:
        trace = Trace(outcome="joined" if joined else "miss", key=order.resource.stored_key, flight=flight)
        try:
            await first_word(flight, order.repository.rules.patience if stand_in else None)
            head = await asyncio.shield(flight.head)
            if isinstance(head, Head) and head.held:
                # Nothing leaves before all is verified, so what goes wrong can still be said with a status.
                await flight.wait_released(0)
        except EntrepotError as error:
            return await self._after_failure(order, flight, _fallback(flight, stand_in), error, ask)
        if isinstance(head, Settled) or flight.settled is not None:
            entry = head.entry if isinstance(head, Settled) else flight.stored.result()
            return await self._settled(order, entry, trace, ask)
        return await self._growing(order, flight, head, trace, ask)

    async def _after_failure(
        self, order: Order, flight: Flight, fallback: Keep | None, error: EntrepotError, ask: ClientAsk
    ) -> Answer:
        if fallback is not None:
            answer = await self._from_entry(order.repository, order.resource, fallback.entry, ask, fallback.detail)
            if answer is not None:
                answer.trace.flight = flight
                return answer
        raise error

    async def _settled(self, order: Order, entry: Entry, trace: Trace, ask: ClientAsk) -> Answer:
        answer = await self._from_entry(order.repository, order.resource, entry, ask, "")
        if answer is None:
            raise StoreFailure(f"{order.subject}: the stored bytes disappeared")
        trace.outcome = "revalidated" if order.entry is not None else "hit"
        answer.trace = trace
        return answer

    async def _growing(self, order: Order, flight: Flight, head: Head, trace: Trace, ask: ClientAsk) -> Answer:
        representation = Representation(
            body=Growing(flight),
            size_bytes=head.total,
            headers=shown_fields(order.resource, kept_fields(head.headers, decoded=False)),
            etag=etag_of(head.sha256) if head.sha256 else "",
            modified=parse_http_date(head.headers.get("last-modified")),
        )
        answer = respond(representation, ask.conditions)
        answer.trace = trace
        if answer.span is not None and answer.span.start and not await self._arrives(flight, answer.span.start):
            passed = await self._passing.span(order, flight, head, answer.span)
            if passed is not None:
                answer.body, answer.span = passed, None
                answer.trace = Trace(outcome="pass", detail="range", key=trace.key, upstream_status=206)
        return answer

    async def _arrives(self, flight: Flight, start: int) -> bool:
        """Whether a range that lies ahead will be here soon, or only waits for the digest."""
        try:
            await asyncio.wait_for(flight.wait_released(start), self._range_wait)
        except TimeoutError:
            return flight.received > start
        return True

    async def _probe(self, order: Order) -> Answer:
        """A HEAD of what is not stored: asked upstream, and nothing kept."""
        flight = Flight(order.subject, window_limit=0)
        download = Download(self._kit, replace(order, method="HEAD"), flight, SoloClaim())
        reply = await download.probe()
        if reply.status != 200:
            raise UpstreamStatus(order.subject, reply.status)
        length = reply.headers.get("content-length")
        answer = respond(
            Representation(
                body=b"",
                size_bytes=int(length) if length.isascii() and length.isdigit() else None,
                headers=shown_fields(order.resource, kept_fields(reply.headers, decoded=False)),
                etag=etag_of(download.sha256) if download.sha256 else "",
                modified=parse_http_date(reply.headers.get("last-modified")),
            ),
            Conditions(),
        )
        answer.trace = Trace(outcome="miss", detail="head", key=order.resource.stored_key, flight=flight)
        return answer

    # --- indexes ----------------------------------------------------------------------------------------------------

    async def _fetch_index(self, repository: Repository, resource: Resource, ask: ClientAsk) -> Answer:
        entry = self._documents.find_entry(repository, resource)
        step = next_step(entry, resource, ask.wish, repository.rules, self._kit.clock.now())
        subject = f"{repository.name}/{resource.stored_key}"
        if isinstance(step, Serve):
            answer = await self._indexes.from_entry(repository, resource, step.entry, ask)
            if answer is not None:
                if step.refresh and not self._flights.stopping:
                    self._documents.launch(repository, resource, step.entry)
                answer.trace = Trace(
                    outcome="stale" if step.detail else "hit", detail=step.detail, key=resource.stored_key
                )
                return self._dated(answer, repository, resource, step.entry)
        if isinstance(step, Miss | Gone) or ask.wish.stored_only:
            raise self._missing(repository, resource, step)
        if entry is None or entry.gone_at is not None:
            self.absences.check(subject)
        try:
            return await self._index_from_flight(repository, resource, entry, ask)
        except Absent as error:
            self.absences.add(subject, error, negative_lifetime(resource, repository.rules))
            raise
        except UpstreamFailure as error:
            await self._check_absence(repository, resource, entry, error)
            raise

    async def _index_from_flight(
        self, repository: Repository, resource: Resource, entry: Entry | None, ask: ClientAsk
    ) -> Answer:
        stand_in = await self._stand_in(repository, resource, entry)
        flight, joined = self._documents.launch(repository, resource, entry)
        trace = Trace(outcome="joined" if joined else "miss", key=resource.stored_key, flight=flight)
        try:
            await first_word(flight, repository.rules.patience if stand_in else None)
            source = await self._documents.source_of(repository, resource, flight)
        except EntrepotError:
            fallback = _fallback(flight, stand_in)
            if fallback is None:
                raise
            stale = await self._indexes.from_entry(repository, resource, fallback.entry, ask)
            if stale is None:
                raise
            stale.trace = replace(trace, outcome="stale", detail=fallback.detail)
            return self._dated(stale, repository, resource, fallback.entry)
        answer = await self._indexes.from_source(repository, resource, source, ask)
        head = flight.head.result()
        if isinstance(head, Settled) and not joined:
            trace.outcome = "revalidated"
        answer.trace = trace
        stored = self._documents.find_entry(repository, resource)
        return self._dated(answer, repository, resource, stored) if stored is not None else answer


def _fallback(flight: Flight, stand_in: Entry | None) -> Keep | None:
    """What goes out instead of a flight's answer; of one that is still silent, what stands in."""
    if flight.head.done():
        return flight.fallback if isinstance(flight.fallback, Keep) else None
    return Keep(stand_in, "upstream-silent") if stand_in is not None and stand_in.gone_at is None else None
