"""Indexes as the engine needs them: the stored one, a current one, and what they say of a file."""

import asyncio
import hashlib
import logging
from dataclasses import replace
from datetime import datetime

from entrepot.cache.counters import Counters
from entrepot.cache.download import Download
from entrepot.cache.facts import FactBook, Facts, FileFact, guarded
from entrepot.cache.flight import Flight, FlightReader, Head
from entrepot.cache.flights import Flights
from entrepot.cache.freshness import RECENT_SECONDS, is_fresh, negative_lifetime
from entrepot.cache.lookup import Lookup, Named
from entrepot.cache.naming import is_foreign
from entrepot.cache.order import Kit, Order, all_identities
from entrepot.cache.plan import Keep
from entrepot.cache.repository import Repository
from entrepot.cache.sightings import Sightings
from entrepot.cache.solo import SoloClaim
from entrepot.cache.soundness import Soundness
from entrepot.cache.views import Source
from entrepot.contracts.blobs import OpenBlob
from entrepot.errors import Absent, NotCached, StoreFailure, UpstreamFailure, UpstreamStatus
from entrepot.model.entry import Entry, Fingerprint
from entrepot.model.headers import Headers
from entrepot.model.imported import imported_base, is_imported
from entrepot.model.release import Document, Location
from entrepot.model.resource import Kind, Resource

_log = logging.getLogger("entrepot")


class Documents:
    def __init__(self, kit: Kit, flights: Flights, book: FactBook, soundness: Soundness, counters: Counters) -> None:
        self._kit, self._flights, self._book = kit, flights, book
        self._soundness, self._counters = soundness, counters
        self._sightings = Sightings(kit)
        self.lookup = Lookup(kit.listings, book.derived, soundness, book.scribe)

    # --- what indexes say -------------------------------------------------------------------------------------------

    async def stored_fact(self, repository: Repository, resource: Resource) -> FileFact | None:
        """What the stored index says of a file, however old it is; no contact."""
        if resource.listed_anywhere:
            return await self._listed_fact(repository, resource.key)
        index = resource.listed_in
        entry = self.find_entry(repository, index) if index is not None else None
        if index is None or entry is None or entry.gone_at is not None:
            return None
        key = self._facts_key(repository, self.base_of(repository, entry), entry.url, entry.sha256)
        facts = await self._book.find(key)
        if facts is None:
            source = await self.stored_source(repository, index, entry)
            if source is None:
                return None
            try:
                facts = await self.facts_in(repository, index, source)
            finally:
                source.blob.close()
        return facts.get(resource.key)

    async def _listed_fact(self, repository: Repository, key: str) -> FileFact | None:
        # Until what just came is noted, an older listing would speak for it.
        await self._flights.settle_listings(repository.name)
        return await self.lookup.latest(repository, key)

    async def listed(self, repository: Repository, key: str) -> list[Named]:
        """What all stored listings say of the bytes that the latest means; that one first."""
        await self._flights.settle_listings(repository.name)
        return await self.lookup.all(repository, key)

    async def stored_facts(self, repository: Repository, index: Resource) -> Facts:
        """The files that the stored index names; none where there is none. No contact."""
        entry = self.find_entry(repository, index)
        source = None
        if entry is not None and entry.gone_at is None:
            source = await self.stored_source(repository, index, entry)
        if source is None:
            return {}
        try:
            facts = await self.facts_in(repository, index, source)
        finally:
            source.blob.close()
        return {key: fact for key, fact in facts.items() if fact.name}

    async def learn(self, repository: Repository, resource: Resource) -> FileFact | None:
        """What the index says after asking upstream, if the stored one does not list the file. Raises what made
        the index unreadable; None when it does not list the file, or there is no index at all."""
        assert resource.listed_in is not None
        try:
            source = await self.current(repository, resource.listed_in)
        except Absent:
            return None
        try:
            return (await self.facts_in(repository, resource.listed_in, source)).get(resource.key)
        finally:
            source.blob.close()

    async def locate(self, repository: Repository, resource: Resource, upstream: str) -> Location:
        """Where an upstream has a file, by the document that locates it, which is as good as the rules have it. Raises
        what made that unreadable, and what upstream answered."""
        assert resource.located_by is not None
        # What is stored for clients is the only one there is, or the first one that answered.
        only = len(repository.upstreams) == 1
        locator = resource.located_by if only else replace(resource.located_by, upstream=upstream)
        source = await self.bring(repository, locator)
        try:
            subject = f"{repository.name}/{locator.key}"
            return guarded(repository.ecosystem.locate, subject, resource, source.document())
        finally:
            source.blob.close()

    async def facts_in(self, repository: Repository, index: Resource, source: Source) -> Facts:
        """What a document says. Raises UnreadableIndex."""
        key = self._facts_key(repository, source.base, source.url, source.blob.sha256)
        subject = f"{repository.name}/{index.key}"
        return await self._book.read(key, subject, repository.ecosystem, source.blob, source.document())

    def _facts_key(self, repository: Repository, base: str, url: str, sha256: str) -> str:
        ecosystem = repository.ecosystem
        return f"facts2 {repository.name} {ecosystem.name}.{ecosystem.revision} {sha256} {url} {base}"

    async def examine(self, repository: Repository, index: Resource, blob: OpenBlob, document: Document) -> None:
        """Read a document that is about to be stored; what it says is remembered. Raises UnreadableIndex."""
        key = self._facts_key(repository, document.upstream, document.url, blob.sha256)
        facts = await self._book.read(key, f"{repository.name}/{index.key}", repository.ecosystem, blob, document)
        try:
            await self._sightings.note(repository, index, facts)
        except StoreFailure as failure:
            _log.warning("what %s/%s names could not be noted: %s", repository.name, index.key, failure)

    # --- bringing them ----------------------------------------------------------------------------------------------

    async def current(self, repository: Repository, index: Resource) -> Source:
        """The document, validated not longer ago than RECENT_SECONDS. Raises what upstream answered."""
        entry = self.find_entry(repository, index)
        if entry is not None and entry.gone_at is None and self.is_recent(entry):
            source = await self.stored_source(repository, index, entry)
            if source is not None:
                return source
        flight, _ = await self.launch(repository, index, entry)
        return await self.source_of(repository, index, flight)

    async def bring(self, repository: Repository, resource: Resource, *, stored_only: bool = False) -> Source:
        """The document as good as the rules have it: stored while it is fresh, and when upstream fails while it may be
        stale. Raises what upstream answered, and NotCached."""
        entry, now = self.find_entry(repository, resource), self._kit.clock.now()
        if entry is not None and entry.gone_at is not None:
            missing_for = (now - entry.gone_at).total_seconds()
            if stored_only or 0 <= missing_for < negative_lifetime(resource, repository.rules):
                raise Absent(f"{repository.name}/{resource.key}")
        elif entry is not None and (stored_only or is_fresh(entry, resource, repository.rules, now)):
            source = await self.stored_source(repository, resource, entry)
            if source is not None:
                return source
        if stored_only:
            raise NotCached(f"{repository.name}/{resource.key}: not stored")
        flight, _ = await self.launch(repository, resource, entry)
        try:
            return await self.source_of(repository, resource, flight)
        except UpstreamFailure:
            kept = flight.fallback.entry if isinstance(flight.fallback, Keep) else None
            source = await self.stored_source(repository, resource, kept) if kept is not None else None
            if source is None:
                raise
            return source

    async def probe(self, repository: Repository, resource: Resource) -> Headers:
        """Ask upstream whether it has this, and nothing more; what it says of it. Raises Absent, and what else makes
        it fail."""
        order = Order(
            repository=repository, resource=resource, counts=self._counters.of(repository.name), method="HEAD"
        )
        reply = await Download(self._kit, order, Flight(order.subject, window_limit=0), SoloClaim()).probe()
        if reply.status != 200:
            raise UpstreamStatus(order.subject, reply.status)
        return reply.headers

    def is_recent(self, entry: Entry) -> bool:
        now: datetime = self._kit.clock.now()
        return not entry.expired and abs((now - entry.validated_at).total_seconds()) < RECENT_SECONDS

    def is_fresh(self, repository: Repository, resource: Resource, entry: Entry) -> bool:
        """Whether upstream need not be asked whether it is still so."""
        return is_fresh(entry, resource, repository.rules, self._kit.clock.now())

    async def launch(self, repository: Repository, index: Resource, entry: Entry | None) -> tuple[Flight, bool]:
        """The flight that brings an index; conditional on a stored entry where its bytes are there."""
        sound = await self._soundness.sound(entry)

        async def examine(blob: OpenBlob, document: Document) -> None:
            await self.examine(repository, index, blob, document)

        order = Order(
            repository=repository,
            resource=index,
            counts=self._counters.of(repository.name),
            entry=sound,
            seen=entry.validated_at if entry is not None else None,
            examine=examine,
            conditional=repository.rules.conditional,
        )
        return self._flights.launch(order)

    async def source_of(self, repository: Repository, index: Resource, flight: Flight) -> Source:
        """The document a flight brings; where the disk did not take it, from memory. Raises what made it fail."""
        with flight.reader() as reader:
            try:
                entry = await asyncio.shield(flight.stored)
            except StoreFailure:
                head = await asyncio.shield(flight.head)
                if flight.error is not None or not isinstance(head, Head):
                    raise
                body = await _read_all(reader)
                base = self._kit.fetcher.base_url(flight.trace.upstream or repository.upstreams[0])
                kind = head.headers.get("content-type")
                return Source(
                    blob=MemoryBlob(body),
                    content_type=kind,
                    url=head.url,
                    base=base,
                    resource_key=index.key,
                    headers=head.headers,
                )
        source = await self.stored_source(repository, index, entry)
        if source is None:
            raise StoreFailure(f"{flight.subject}: the stored document disappeared")
        return source

    # --- stored ones ------------------------------------------------------------------------------------------------

    def find_entry(self, repository: Repository, resource: Resource) -> Entry | None:
        """The entry; None also while the catalog is out of order: then everything is a miss."""
        try:
            entry = self._kit.catalog.find_entry(repository.name, resource.stored_key)
            if repository.frozen is not None:
                copy = self._kit.catalog.find_entry(repository.name, repository.frozen.copy_of(resource.stored_key))
                entry = repository.frozen.chosen(resource, copy, entry)
        except StoreFailure:
            return None
        return self.of_today(repository, resource, entry) if entry is not None else None

    async def is_sound(self, entry: Entry) -> bool:
        """Whether its bytes are right."""
        return await self._soundness.is_sound(entry)

    async def find_sound(self, repository: Repository, resource: Resource) -> Entry | None:
        """The entry, if it has a body and that is right."""
        return await self._soundness.sound(self.find_entry(repository, resource))

    def of_today(self, repository: Repository, resource: Resource, entry: Entry) -> Entry | None:
        """After a change of address or credentials: what another upstream said must be said again by today's, and
        only bytes that a published digest vouches for need not. What a bundle brought was vouched for when it was
        taken over. Touches nothing: to be called from any thread."""
        if is_imported(entry.upstream):
            return entry
        if entry.is_absence:
            return entry if entry.upstream == all_identities(self._kit.fetcher, repository) else None
        if is_foreign(self._kit.fetcher, repository, resource, entry):
            return None if resource.kind is Kind.ARTIFACT else replace(entry, expired=True)
        if any(self._kit.fetcher.identity(name) == entry.upstream for name in repository.upstreams):
            return entry
        if resource.kind is Kind.ARTIFACT:
            return entry if entry.published else None
        return replace(entry, expired=True)

    async def stored_source(self, repository: Repository, resource: Resource, entry: Entry) -> Source | None:
        blob = await self._soundness.open(entry.sha256)
        if blob is None:
            return None
        kind = entry.headers.get("content-type")
        base = self.base_of(repository, entry)
        return Source(
            blob=blob,
            content_type=kind,
            url=entry.url,
            base=base,
            resource_key=resource.key,
            headers=entry.headers,
        )

    def base_of(self, repository: Repository, entry: Entry) -> str:
        """The base URL of the upstream that an entry came through; of the first one, if it is configured no more; of
        an entry from a bundle the one that it was written for."""
        base = imported_base(entry.upstream)
        if base:
            return base
        fetcher = self._kit.fetcher
        for name in repository.upstreams:
            if fetcher.identity(name) == entry.upstream:
                return fetcher.base_url(name)
        return fetcher.base_url(repository.upstreams[0])


async def _read_all(reader: FlightReader) -> bytes:
    pieces = []
    while piece := await reader.read(1 << 20, asyncio.to_thread):
        pieces.append(piece)
    return b"".join(pieces)


class MemoryBlob:
    """A document that could not be stored."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.sha256, self.size_bytes, self.path = hashlib.sha256(body).hexdigest(), len(body), ""

    def read_now(self, offset: int, size: int) -> bytes | None:
        return self._body[offset : offset + size]

    def read(self, offset: int, size: int) -> bytes:
        return self._body[offset : offset + size]

    def fingerprint(self) -> Fingerprint | None:
        return None

    def close(self) -> None:
        return
