"""Obeys the plan: brings a resource from the store, from a flight, or from upstream, and never decides by itself."""

import asyncio
from dataclasses import replace
from math import inf

from entrepot.cache.absences import Absences
from entrepot.cache.ageing import Ages
from entrepot.cache.answer import Answer, Growing, Representation, Trace, etag_of, respond
from entrepot.cache.ask import ClientAsk
from entrepot.cache.beginnings import Beginnings
from entrepot.cache.counters import Counters
from entrepot.cache.directories import Directories, is_folder, listing_of
from entrepot.cache.documents import Documents
from entrepot.cache.download import Download
from entrepot.cache.fields import MUTABLE, described, kept_fields
from entrepot.cache.flight import Flight, Head, Settled
from entrepot.cache.flights import Flights
from entrepot.cache.freshness import RECENT_SECONDS, negative_lifetime
from entrepot.cache.frozen import Frozen
from entrepot.cache.groups import Groups, vouch
from entrepot.cache.indexes import Indexes
from entrepot.cache.judging import (
    Case,
    Misses,
    check_listed,
    check_passing,
    direct,
    is_live,
)
from entrepot.cache.listings import Listings
from entrepot.cache.naming import check_leaving
from entrepot.cache.order import Kit, Order
from entrepot.cache.ordering import Orders
from entrepot.cache.passing import Passing
from entrepot.cache.patience import first_word
from entrepot.cache.plan import Gone, Keep, Membership, Miss, Serve, Step, next_step
from entrepot.cache.ranges import Conditions
from entrepot.cache.repository import Repository
from entrepot.cache.solo import SoloClaim
from entrepot.cache.soundness import Soundness
from entrepot.cache.standing import Standing, fallback_of
from entrepot.cache.supply import Supply
from entrepot.cache.validation import Validation
from entrepot.contracts.triggers import Triggers
from entrepot.errors import Absent, EntrepotError, StoreFailure, UpstreamFailure, UpstreamStatus
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
        triggers: Triggers,
        ages: Ages,
        validation: Validation,
        directories: Directories | None = None,
    ) -> None:
        """`range_wait` in seconds: how long a range ahead of a download waits for it."""
        self._directories = directories
        self._kit, self._flights, self._documents, self._indexes = kit, flights, documents, indexes
        self._soundness, self._counters, self._range_wait = soundness, counters, range_wait
        self._passing = Passing(kit)
        self._beginnings = Beginnings(documents, soundness)
        self._standing = Standing(kit, documents, soundness)
        orders = Orders(documents, flights, soundness, counters)
        self._groups = Groups(kit, flights, documents, self._standing, orders, ages.choosing)
        self._misses = Misses(triggers, kit.fetcher)
        self.supply = Supply(kit, flights, documents, self._groups, self._standing, ages, validation)
        self.absences = Absences(kit.clock)
        self.listings = Listings(kit.catalog)

    async def fetch(self, repository: Repository, resource: Resource, ask: ClientAsk) -> Answer:
        """The answer to one request. Raises what a client is to be told instead."""
        if repository.frozen is not None:
            resource = _of_session(repository, repository.frozen, resource)
        stored_only = resource.cached_only or ask.wish.stored_only or repository.rules.network == "offline"
        case = await self.supply.open(repository, resource, stored_only=stored_only)
        if case.direct:
            await check_listed(self._documents, case)
            check_leaving(self._kit.fetcher, case.repository, resource, case.direct)
            return direct(case)
        if resource.kind is Kind.PASS:
            check_passing(case)
            counts = self._counters.of(repository.name)
            return await self._passing.forward(case.repository, resource, ask.method, ask.headers, ask.body, counts)
        if stored_only:
            ask = replace(ask, wish=replace(ask.wish, stored_only=True))
        if case.resource.kind is Kind.INDEX:
            return await self._fetch_index(case, ask)
        former = await self._fetch_former(case, ask)
        return former if former is not None else await self._fetch_file(case, ask)

    async def _fetch_file(self, case: Case, ask: ClientAsk) -> Answer:
        valid_until = await self.supply.check(case, ask.as_of, stored_only=ask.wish.stored_only)
        if self._directories is not None and is_folder(case.repository, case.resource):
            page = await self._directories.page(case, ask, self._misses)
            if page is not None:
                return page
            # No listing. It passes, but where listings are expected nothing else is kept: it may be a login page.
            case = replace(case, repository=case.repository.under(None, keep=False))
        answer = await self._groups.chosen(case, await self._fetch_bytes(case, ask), ask)
        self._groups.note_reading(case, answer, ask)
        answer.valid_until = valid_until
        if case.resource.listed_anywhere:
            # A listing may come that says that this name means something else now.
            answer.fresh_until = min(answer.fresh_until, self._kit.clock.timestamp() + RECENT_SECONDS)
        if valid_until < inf:
            # Caches behind us are to ask again, too: what holds today may be refused tomorrow.
            fields = ((name, MUTABLE if name == "cache-control" else value) for name, value in answer.headers)
            answer.headers = [*fields]
        return answer

    async def _fetch_former(self, case: Case, ask: ClientAsk) -> Answer | None:
        """What a name meant before, where what it means now is too young."""
        found = await self.supply.former(case, ask.as_of, stored_only=ask.wish.stored_only)
        if found is None:
            return None
        resource, refusal = found
        answer = await self._fetch_bytes(replace(case, resource=resource), ask)
        answer.headers = [(name, MUTABLE if name == "cache-control" else value) for name, value in answer.headers]
        answer.trace.outcome, answer.trace.detail = "stale", refusal.kind
        # Not hot: who asks again a moment later may get another one.
        answer.fresh_until = 0.0
        return answer

    async def fill(self, repository: Repository, resource: Resource) -> None:
        """Have it stored, whatever a miss gets. Raises what makes that impossible."""
        await self.supply.fill(repository, resource)

    # --- from the store ---------------------------------------------------------------------------------------------

    async def _fetch_bytes(self, case: Case, ask: ClientAsk) -> Answer:
        repository = case.repository
        resource, membership = await self._groups.enter(case, ask)
        entry = self._documents.find_entry(repository, resource) if case.stored_counts else None
        step = next_step(entry, resource, ask.wish, repository.rules, self._kit.clock.now(), membership)
        if await self._is_replaced(repository, resource, step, ask):
            return await self._fetch_upstream(repository, resource, None, entry, ask)
        if isinstance(step, Serve) and (answer := await self._from_store(repository, resource, step, membership, ask)):
            return answer
        if beginning := await self._beginnings.find(repository, resource, ask.conditions):
            return beginning
        gone = isinstance(step, Gone) and not await self._standing.is_listed(repository, resource)
        if isinstance(step, Miss) or gone or ask.wish.stored_only:
            raise self._standing.missing(repository, resource, step)
        usable = entry if entry is not None and entry.gone_at is None else None
        if usable is None:
            if case.download.mode.redirects:
                await check_listed(self._documents, case)
            answer = self._misses.answer(case, ask)
            if answer is not None:
                return answer
            repository = self._live(case, ask)
        return await self._fetch_named(repository, resource, usable, entry, ask)

    async def _from_store(
        self, repository: Repository, resource: Resource, step: Serve, membership: Membership | None, ask: ClientAsk
    ) -> Answer | None:
        """None when its bytes are not there any more."""
        answer = await self._standing.from_entry(repository, resource, step.entry, ask, step.detail)
        if answer is None:
            return None
        if membership is not None:
            vouch(answer, membership)
        if step.refresh and not self._flights.stopping:
            # Behind an answer that was given already.
            self._flights.launch(await self._groups.order(repository, resource, step.entry, step.entry))
        return answer

    async def _is_replaced(self, repository: Repository, resource: Resource, step: Step, ask: ClientAsk) -> bool:
        """Whether other bytes have this name now, and upstream may be asked for them."""
        if not isinstance(step, Serve) or ask.wish.stored_only:
            return False
        return await self._standing.is_replaced(repository, resource, step.entry)

    def _live(self, case: Case, ask: ClientAsk) -> Repository:
        """The repository for a miss: where its store is filled behind, this answer is not stored."""
        if not is_live(case):
            return case.repository
        self._misses.trigger(case, ask)
        return case.repository.under(None, keep=False)

    # --- from upstream ----------------------------------------------------------------------------------------------

    async def _fetch_named(
        self, repository: Repository, resource: Resource, entry: Entry | None, seen: Entry | None, ask: ClientAsk
    ) -> Answer:
        subject = f"{repository.name}/{resource.stored_key}"
        if entry is None and resource.digest is not None:
            # What was absent a moment ago said all that it can of its root.
            self.absences.check(subject)
        try:
            return await self._fetch_upstream(repository, resource, entry, seen, ask)
        except Absent:
            if not await self._groups.overtaken(repository, resource):
                raise
        self.absences.forget(subject)
        return await self._fetch_upstream(repository, resource, entry, seen, ask)

    async def _fetch_upstream(
        self, repository: Repository, resource: Resource, entry: Entry | None, seen: Entry | None, ask: ClientAsk
    ) -> Answer:
        subject = f"{repository.name}/{resource.stored_key}"
        order = await self._groups.order(repository, resource, entry, seen)
        if entry is None and order.fact is None:
            self.absences.check(subject)
        try:
            # Who asks for the head of what is counted only when it is fetched will fetch it next, by its digest.
            probes = ask.method == "HEAD" and entry is None and not resource.probed
            if probes and self._flights.find(order) is None:
                return await self._probe(order)
            stand_in = await self._standing.stand_in(repository, resource, seen)
            flight, joined = self._flights.launch(order)
            if resource.is_root and order.put is not None:
                return await self._from_renewal(order, flight, joined, stand_in, ask)
            return await self._from_flight(order, flight, joined, stand_in, ask)
        except Absent as error:
            if not resource.snapshot:
                # A member's absence is of one generation: the catalog tells it.
                self.absences.add(subject, error, negative_lifetime(resource, repository.rules))
            raise
        except UpstreamFailure as error:
            await self._standing.check_absence(repository, resource, seen, error)
            raise

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
            return await self._after_failure(order, flight, fallback_of(flight, stand_in), error, ask)
        if isinstance(head, Settled) or flight.settled is not None:
            entry = head.entry if isinstance(head, Settled) else flight.stored.result()
            return await self._settled(order, entry, trace, ask)
        if order.resource.probed and not head.sha256:
            return await self._once_stored(order, flight, head, trace, ask)
        return await self._growing(order, flight, head, trace, ask)

    async def _once_stored(self, order: Order, flight: Flight, head: Head, trace: Trace, ask: ClientAsk) -> Answer:
        """Clients want its digest in the answer's fields, and upstream did not tell it."""
        try:
            answer = await self._settled(order, await asyncio.shield(flight.stored), trace, ask)
        except StoreFailure:
            return await self._growing(order, flight, head, trace, ask)
        answer.trace = replace(trace, outcome="miss")
        return answer

    async def _from_renewal(
        self, order: Order, flight: Flight, joined: bool, stand_in: Entry | None, ask: ClientAsk
    ) -> Answer:
        """A root: nothing of a new one leaves before its members are here."""
        trace = Trace(outcome="joined" if joined else "miss", key=order.resource.stored_key, flight=flight)
        try:
            landed = await self._groups.landed(order, flight, stand_in)
        except StoreFailure:
            head = flight.head.result()
            if order.entry is None and isinstance(head, Head) and flight.whole:
                return await self._growing(order, flight, head, trace, ask)
            raise
        answer = await self._settled(order, landed.entry, trace, ask)
        if landed.detail:
            answer.trace = replace(trace, outcome="stale", detail=landed.detail)
        elif flight.settled is None:
            answer.trace = replace(trace, outcome="joined" if joined else "miss")
        return answer

    async def _after_failure(
        self, order: Order, flight: Flight, fallback: Keep | None, error: EntrepotError, ask: ClientAsk
    ) -> Answer:
        if fallback is not None:
            answer = await self._standing.from_entry(
                order.repository, order.resource, fallback.entry, ask, fallback.detail
            )
            if answer is not None:
                answer.trace.flight = flight
                return answer
        raise error

    async def _settled(self, order: Order, entry: Entry, trace: Trace, ask: ClientAsk) -> Answer:
        answer = await self._standing.from_entry(order.repository, order.resource, entry, ask, "")
        if answer is None:
            raise StoreFailure(f"{order.subject}: the stored bytes disappeared")
        trace.outcome = "revalidated" if order.entry is not None else "hit"
        answer.trace = trace
        return answer

    async def _growing(self, order: Order, flight: Flight, head: Head, trace: Trace, ask: ClientAsk) -> Answer:
        representation = Representation(
            body=Growing(flight),
            size_bytes=head.total,
            headers=described(
                order.repository.ecosystem, order.resource, kept_fields(head.headers, decoded=False), head.sha256
            ),
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
                headers=described(
                    order.repository.ecosystem,
                    order.resource,
                    kept_fields(reply.headers, decoded=False),
                    download.sha256,
                ),
                etag=etag_of(download.sha256) if download.sha256 else "",
                modified=parse_http_date(reply.headers.get("last-modified")),
            ),
            Conditions(),
        )
        answer.trace = Trace(outcome="miss", detail="head", key=order.resource.stored_key, flight=flight)
        return answer

    # --- indexes ----------------------------------------------------------------------------------------------------

    async def _fetch_index(self, case: Case, ask: ClientAsk) -> Answer:
        repository, resource = case.repository, case.resource
        entry = self._documents.find_entry(repository, resource) if case.stored_counts else None
        step = next_step(entry, resource, ask.wish, repository.rules, self._kit.clock.now())
        if isinstance(step, Serve):
            answer = await self._stored_index(case, step, ask)
            if answer is not None:
                return answer
        if isinstance(step, Miss | Gone) or ask.wish.stored_only:
            raise self._standing.missing(repository, resource, step)
        if entry is None or entry.gone_at is not None:
            answer = self._misses.answer(case, ask)
            if answer is not None:
                return answer
            repository = self._live(case, ask)
        return await self._index_from_upstream(repository, resource, entry, ask)

    async def _stored_index(self, case: Case, step: Serve, ask: ClientAsk) -> Answer | None:
        repository, resource = case.repository, case.resource
        answer = await self._indexes.from_entry(repository, resource, step.entry, ask)
        if answer is None:
            return None
        if step.refresh and not self._flights.stopping:
            await self._documents.launch(repository, resource, step.entry)
        answer.trace = Trace(outcome="stale" if step.detail else "hit", detail=step.detail, key=resource.stored_key)
        return self._standing.dated(answer, repository, resource, step.entry)

    async def _index_from_upstream(
        self, repository: Repository, resource: Resource, entry: Entry | None, ask: ClientAsk
    ) -> Answer:
        subject = f"{repository.name}/{resource.stored_key}"
        if entry is None or entry.gone_at is not None:
            self.absences.check(subject)
        try:
            return await self._index_from_flight(repository, resource, entry, ask)
        except Absent as error:
            self.absences.add(subject, error, negative_lifetime(resource, repository.rules))
            raise
        except UpstreamFailure as error:
            await self._standing.check_absence(repository, resource, entry, error)
            raise

    async def _index_from_flight(
        self, repository: Repository, resource: Resource, entry: Entry | None, ask: ClientAsk
    ) -> Answer:
        stand_in = await self._standing.stand_in(repository, resource, entry)
        flight, joined = await self._documents.launch(repository, resource, entry)
        trace = Trace(outcome="joined" if joined else "miss", key=resource.stored_key, flight=flight)
        try:
            await first_word(flight, repository.rules.patience if stand_in else None)
            source = await self._documents.source_of(repository, resource, flight)
        except EntrepotError:
            fallback = fallback_of(flight, stand_in)
            if fallback is None:
                raise
            stale = await self._indexes.from_entry(repository, resource, fallback.entry, ask)
            if stale is None:
                raise
            stale.trace = replace(trace, outcome="stale", detail=fallback.detail)
            return self._standing.dated(stale, repository, resource, fallback.entry)
        answer = await self._indexes.from_source(repository, resource, source, ask)
        head = flight.head.result()
        if isinstance(head, Settled) and not joined:
            trace.outcome = "revalidated"
        answer.trace = trace
        stored = self._documents.find_entry(repository, resource)
        return self._standing.dated(answer, repository, resource, stored) if stored is not None else answer


def _of_session(repository: Repository, frozen: Frozen, resource: Resource) -> Resource:
    """What a frozen session serves is in no group: there is one edition of it. Raises PolicyRefused, Absent."""
    if not (is_folder(repository, resource) and frozen.has(listing_of(resource.key))):
        frozen.check(f"{repository.name}/{resource.key}", resource)
    return replace(resource, snapshot="")
