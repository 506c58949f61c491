"""Has things stored that nobody waits for, and reads them: what fills, mirror jobs and their rehearsals are made of."""

import asyncio
import io
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from entrepot.cache.absences import absence_of
from entrepot.cache.ageing import Ages
from entrepot.cache.ask import ClientAsk
from entrepot.cache.blobio import open_as_file
from entrepot.cache.choosing import cooldown_of
from entrepot.cache.decoding import decoder_of
from entrepot.cache.documents import Documents
from entrepot.cache.flight import Flight
from entrepot.cache.flights import Flights
from entrepot.cache.groups import Groups
from entrepot.cache.judging import Case, opened, refused, versioned
from entrepot.cache.order import Kit
from entrepot.cache.plan import Gone, Serve, Step, Wish, next_step
from entrepot.cache.repository import Repository
from entrepot.cache.standing import Standing
from entrepot.cache.validation import Validation
from entrepot.contracts.blobs import OpenBlob
from entrepot.contracts.closure import Reading
from entrepot.errors import Absent, EntrepotError, NotStorable, StoreFailure
from entrepot.model.entry import Entry
from entrepot.model.release import Document
from entrepot.model.resource import Kind, Resource
from entrepot.policy.verdict import Refusal

IN_MEMORY_BYTES = 1 << 20
"""Documents up to this size are read at once: a closure may keep as many as it likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplied:
    """What is stored now."""

    entry: Entry
    fetched: bool
    """Whether its body came from upstream for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What would become of something."""

    held: bool
    size_bytes: int | None
    """None: not known before it is here."""


@dataclass(slots=True, kw_only=True)
class Brought:
    """A stored document, to be closed by whoever asked for it."""

    reading: Reading
    supplied: Supplied
    _blob: OpenBlob | None

    def close(self) -> None:
        if self._blob is not None:
            self._blob.close()


class Supply:
    def __init__(
        self,
        kit: Kit,
        flights: Flights,
        documents: Documents,
        groups: Groups,
        standing: Standing,
        ages: Ages,
        validation: Validation,
    ) -> None:
        self._kit, self._flights, self._documents = kit, flights, documents
        self._groups, self._standing = groups, standing
        self._ages, self._validation = ages, validation

    # --- policy -----------------------------------------------------------------------------------------------------

    async def open(self, repository: Repository, resource: Resource, *, stored_only: bool = False) -> Case:
        """Raises PolicyError."""
        resource = await versioned(self._documents, repository, resource, stored_only=stored_only)
        return opened(self._kit.fetcher, repository, resource)

    async def former(self, case: Case, as_of: datetime | None, *, stored_only: bool) -> tuple[Resource, Refusal] | None:
        """As in `Ages`."""
        return await self._ages.former(case.repository, case.resource, as_of, stored_only=stored_only)

    async def check(self, case: Case, as_of: datetime | None, *, stored_only: bool) -> float:
        """Until when (seconds since the epoch) a file may be had. Raises PolicyError where it may not, and what keeps
        that from being told."""
        repository, resource = case.repository, case.resource
        if not stored_only and cooldown_of(repository, as_of) is not None:
            await self._bring_listing(repository, resource)
        refusal = self._ages.barred(repository, resource)
        refusal = refusal or await self._ages.refusal(repository, resource, as_of, stored_only=stored_only)
        judgement = await self._validation.judge(repository, resource)
        refusal = refusal or judgement.refusal
        if refusal is not None:
            raise refused(f"{repository.name}/{resource.key}", refusal)
        return min(self._ages.valid_until(repository), judgement.valid_until)

    async def _bring_listing(self, repository: Repository, resource: Resource) -> None:
        """What a file's age is told by, where nothing that is stored lists it and a path leads to what does."""
        root = resource.listed_in if resource.listed_anywhere else None
        if root is not None and await self._documents.stored_fact(repository, resource) is None:
            # Whoever has the file stored does not need it; whoever fetches it is told what is wrong.
            with suppress(EntrepotError):
                await self._groups.renew(repository.plain, root)
                await self._documents.stored_fact(repository, resource)  # Once that is noted.

    # --- storing ----------------------------------------------------------------------------------------------------

    async def fill(self, repository: Repository, resource: Resource, *, current: bool = False) -> Supplied:
        """Have it stored, whatever a miss gets. Raises what makes that impossible.

        `current`: what is stored must be as fresh as a client would get it that waits for upstream, and may be had by
        clients; an outage is not covered up by what is stale.
        """
        case = await self.open(repository, resource)
        repository, resource = case.repository, case.resource
        if not repository.rules.keep:
            raise NotStorable(f"{repository.name}/{resource.key}: configuration has nothing of this kind stored")
        if current and resource.kind is not Kind.INDEX:
            await self.check(case, None, stored_only=repository.rules.network == "offline")
        resource, entry, step = await self._next(case, current=current)
        if isinstance(step, Serve) and not (current and not await self._standing.is_sound(step.entry)):
            return Supplied(entry=step.entry, fetched=False)
        if isinstance(step, Gone) and not await self._standing.is_listed(repository, resource):
            raise Absent(f"{repository.name}/{resource.key}")
        flight = await self._launch(case, resource, entry, checked=current)
        return Supplied(entry=await asyncio.shield(flight.stored), fetched=flight.settled is None)

    async def renew(self, repository: Repository, resource: Resource) -> Supplied:
        """Have it stored as upstream has it now: what can change is asked about, however fresh it is. Raises as `fill`
        does."""
        case = await self.open(repository, resource)
        repository = case.repository
        if not repository.rules.keep:
            raise NotStorable(f"{repository.name}/{resource.key}: configuration has nothing of this kind stored")
        resource, entry, step = await self._next(case, current=True)
        lasts = resource.kind is Kind.ARTIFACT or (resource.snapshot and not resource.is_root)
        if lasts and isinstance(step, Serve) and await self._standing.is_sound(step.entry):
            return Supplied(entry=step.entry, fetched=False)
        flight = await self._launch(case, resource, entry, checked=False)
        return Supplied(entry=await asyncio.shield(flight.stored), fetched=flight.settled is None)

    async def _next(self, case: Case, *, current: bool) -> tuple[Resource, Entry | None, Step]:
        resource, membership = await self._groups.enter(case, ClientAsk())
        entry, now, rules = (
            self._documents.find_entry(case.repository, resource),
            self._kit.clock.now(),
            case.repository.rules,
        )
        if entry is not None and current:
            # Whoever asked for it on purpose is told that upstream fails, and tries again when he sees fit.
            entry = replace(entry, next_check_at=None)
        step = next_step(entry, resource, Wish(), rules, now, membership)
        if current and isinstance(step, Serve) and step.refresh:
            step = next_step(entry, resource, Wish(), replace(rules, while_revalidate=0.0), now, membership)
        return resource, entry, step

    async def _launch(self, case: Case, resource: Resource, entry: Entry | None, *, checked: bool) -> Flight:
        repository = case.repository
        if resource.kind is Kind.INDEX:
            flight, _ = await self._documents.launch(repository, resource, entry)
            return flight
        if not checked:
            await self.check(case, None, stored_only=False)
        usable = entry if entry is not None and entry.gone_at is None else None
        flight, _ = self._flights.launch(await self._groups.order(repository, resource, usable, entry))
        return flight

    def held(self, repository: Repository, prefix: str) -> list[str]:
        """The keys of what is stored, of those that begin so. May take long: call it in a thread."""
        entries = self._kit.catalog.entries(repository.name, prefix)
        return [entry.key for entry in entries if not entry.is_absence]

    async def keep_absence(self, repository: Repository, resource: Resource) -> None:
        """Remember that upstream has no such thing, for the day when it cannot be asked. What is stored stays."""
        case = await self.open(repository, resource)
        known = self._documents.find_entry(case.repository, case.resource)
        if known is None or known.is_absence:
            now = self._kit.clock.now()
            await self._kit.catalog.put_entry(absence_of(self._kit.fetcher, case.repository, case.resource, now))

    async def look(self, repository: Repository, resource: Resource) -> Outlook:
        """What `fill` would do for something that has to be current. Raises PolicyError and Absent as it would."""
        case = await self.open(repository, resource)
        repository, resource = case.repository, case.resource
        if resource.kind is not Kind.INDEX:
            await self.check(case, None, stored_only=repository.rules.network == "offline")
        resource, _, step = await self._next(case, current=True)
        if isinstance(step, Gone) and not await self._standing.is_listed(repository, resource):
            raise Absent(f"{repository.name}/{resource.key}")
        if isinstance(step, Serve) and await self._standing.is_sound(step.entry):
            return Outlook(held=True, size_bytes=step.entry.size_bytes)
        fact = await self._documents.stored_fact(repository, resource)
        return Outlook(held=False, size_bytes=fact.size_bytes if fact is not None else resource.size_bytes)

    # --- reading ----------------------------------------------------------------------------------------------------

    async def read(self, repository: Repository, resource: Resource) -> Brought:
        """A document as it is stored, once it is, and what policy hides in it now. Raises as `fill` does."""
        supplied = await self.fill(repository, resource, current=True)
        case = await self.open(repository, resource)
        entry = await self._groups.chosen_entry(case, supplied.entry)
        source = await self._documents.stored_source(case.repository, case.resource, entry)
        if source is None:
            raise StoreFailure(f"{repository.name}/{resource.key}: the stored document disappeared")
        try:
            hidden = frozenset[str]()
            if case.resource.kind is Kind.INDEX:
                offline = case.repository.rules.network == "offline"
                found = await self._ages.hidden(case.repository, case.resource, source, stored_only=offline)
                hidden = found.names
            document, blob = await self._document(case, entry, source.blob, source.document())
        except BaseException:
            source.blob.close()
            raise
        return Brought(reading=Reading(document=document, hidden=hidden), supplied=supplied, _blob=blob)

    async def _document(
        self, case: Case, entry: Entry, blob: OpenBlob, document: Document
    ) -> tuple[Document, OpenBlob | None]:
        """The document decoded, and what must stay open for it."""
        coding = "" if case.resource.kind is Kind.INDEX else entry.headers.get("content-encoding")
        if blob.size_bytes > IN_MEMORY_BYTES and not coding:
            return replace(document, body=open_as_file(blob, blob.size_bytes)), blob
        cap = case.repository.limits.parsed_index_bytes
        body = await asyncio.to_thread(_decoded, blob, coding, f"{case.repository.name}/{case.resource.key}", cap)
        blob.close()
        return replace(document, body=body), None


def _decoded(blob: OpenBlob, coding: str, subject: str, cap: int) -> io.BytesIO:
    decoder, offset, body = decoder_of(coding, subject, cap), 0, io.BytesIO()
    while chunk := blob.read(offset, 1 << 20):
        offset += len(chunk)
        for piece in decoder.decode(chunk):
            body.write(piece)
    decoder.finish()
    body.seek(0)
    return body
