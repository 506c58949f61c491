"""Folders of upstreams: their listings, read before they are stored; and the directory pages made of them."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from entrepot.cache.answer import Answer, Representation, Trace, etag_of, respond
from entrepot.cache.ask import ClientAsk
from entrepot.cache.blobio import open_as_file
from entrepot.cache.counters import Counters
from entrepot.cache.documents import Documents
from entrepot.cache.fields import MUTABLE
from entrepot.cache.flight import Flight, Settled
from entrepot.cache.flights import Flights
from entrepot.cache.judging import Case, Misses, opened
from entrepot.cache.order import Kit, Order
from entrepot.cache.patience import first_word
from entrepot.cache.plan import Gone, Miss, Serve, next_step
from entrepot.cache.repository import Repository
from entrepot.cache.soundness import Soundness
from entrepot.cache.standing import Standing, fallback_of
from entrepot.cache.views import Source
from entrepot.contracts.blobs import OpenBlob
from entrepot.errors import EntrepotError, UnreadableIndex
from entrepot.model.entry import Entry
from entrepot.model.folder_forms import ACCEPT, read_folder
from entrepot.model.folder_pages import CONTENT_TYPES, form_of, page_of
from entrepot.model.folders import Caps, Folder
from entrepot.model.release import Document
from entrepot.model.resource import Kind, Resource
from entrepot.model.trees import tree_of
from entrepot.policy.verdict import Mode

KEPT_MEMBERS = 50_000
"""Names of listings that are kept in memory, of all folders together."""
IN_THREAD_BYTES = 64 << 10

Held = Callable[[str, Sequence[str]], set[str]]
"""Of a repository: under which of these keys something is stored. Called in a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A listing that upstream was just asked for."""

    folder: Folder
    url: str
    """Where it came from, after redirects."""
    size_bytes: int
    fetched: bool
    """Whether its bytes came now."""


def is_folder(repository: Repository, resource: Resource) -> bool:
    """Whether a request is for a directory page of ours: where a tree is mirrored, or the repository says so."""
    if resource.kind is not Kind.SIGNED or resource.query or resource.key not in ("", f"{resource.key.rstrip('/')}/"):
        return False
    return repository.listings or tree_of(repository.trees, resource.key) is not None


def listing_of(key: str) -> Resource:
    """The listing of a folder. Its stored key tells what was asked for, so no other page takes its place."""
    return Resource(key=key, path=key, kind=Kind.INDEX, form="folder", accept=ACCEPT, about=key)


class Directories:
    def __init__(
        self,
        kit: Kit,
        flights: Flights,
        documents: Documents,
        soundness: Soundness,
        counters: Counters,
        held: Held,
    ) -> None:
        self._kit, self._flights, self._documents = kit, flights, documents
        self._soundness, self._counters, self._held = soundness, counters, held
        self._standing = Standing(kit, documents, soundness)
        self._known: OrderedDict[str, Folder] = OrderedDict()
        self._weight = 0

    # --- listings ---------------------------------------------------------------------------------------------------

    async def bring(self, repository: Repository, key: str) -> Brought:
        """The listing, with upstream asked now. Raises what upstream answered, what makes it unreadable, and
        PolicyError."""
        case = opened(self._kit.fetcher, repository, listing_of(key))
        repository, resource = case.repository, case.resource
        flight, _ = await self._launch(repository, resource, self._documents.find_entry(repository, resource))
        source = await self._documents.source_of(repository, resource, flight)
        try:
            return Brought(
                folder=await self._read(repository, resource, source),
                url=source.url,
                size_bytes=source.blob.size_bytes,
                fetched=flight.settled is None,
            )
        finally:
            source.blob.close()

    async def _launch(self, repository: Repository, resource: Resource, entry: Entry | None) -> tuple[Flight, bool]:
        sound = await self._soundness.sound(entry)

        async def examine(blob: OpenBlob, document: Document) -> None:
            await self._folder_of(repository, resource, blob, document.content_type)

        return self._flights.launch(
            Order(
                repository=repository,
                resource=resource,
                counts=self._counters.of(repository.name),
                entry=sound,
                seen=entry.validated_at if entry is not None else None,
                examine=examine,
                conditional=repository.rules.conditional,
            )
        )

    async def _read(self, repository: Repository, resource: Resource, source: Source) -> Folder:
        return await self._folder_of(repository, resource, source.blob, source.content_type)

    async def _folder_of(self, repository: Repository, resource: Resource, blob: OpenBlob, content_type: str) -> Folder:
        """Raises UnreadableIndex."""
        caps = _caps_of(repository, resource.key)
        known = self._known.get(blob.sha256)
        if known is not None and len(known.members) <= caps.members and blob.size_bytes <= caps.size_bytes:
            self._known.move_to_end(blob.sha256)
            return known
        subject = f"{repository.name}/{resource.key}"
        if blob.size_bytes > caps.size_bytes:
            raise UnreadableIndex(f"{subject}: the listing is larger than {caps.size_bytes} bytes")
        work = partial(_parse, blob, content_type, subject, caps)
        folder = await asyncio.to_thread(work) if blob.size_bytes > IN_THREAD_BYTES else work()
        self._hold(blob.sha256, folder)
        return folder

    def _hold(self, sha256: str, folder: Folder) -> None:
        previous = self._known.pop(sha256, None)
        self._weight += len(folder.members) - (len(previous.members) if previous is not None else -1)
        self._known[sha256] = folder
        while self._weight > KEPT_MEMBERS and len(self._known) > 1:
            _, dropped = self._known.popitem(last=False)
            self._weight -= 1 + len(dropped.members)

    # --- pages ------------------------------------------------------------------------------------------------------

    async def page(self, case: Case, ask: ClientAsk, misses: Misses) -> Answer | None:
        """None where the folder's page is no listing, and never was one that we have. Raises what upstream answered,
        and what is said of what is not stored."""
        repository, resource = case.repository, listing_of(case.resource.key)
        entry = self._documents.find_entry(repository, resource) if case.stored_counts else None
        step = next_step(entry, resource, ask.wish, repository.rules, self._kit.clock.now())
        if isinstance(step, Serve):
            answer = await self._page_from(repository, resource, step.entry, ask)
            if answer is not None:
                if step.refresh and not self._flights.stopping:
                    await self._launch(repository, resource, step.entry)
                outcome = "stale" if step.detail else "hit"
                answer.trace = Trace(outcome=outcome, detail=step.detail, key=resource.stored_key)
                return answer
        if isinstance(step, Miss | Gone) or ask.wish.stored_only:
            raise self._standing.missing(repository, resource, step)
        if entry is None and (case.download.mode.redirects or case.download.mode is Mode.NONE):
            return misses.answer(case, ask)
        return await self._page_from_upstream(repository, resource, entry, ask)

    async def _page_from_upstream(
        self, repository: Repository, resource: Resource, entry: Entry | None, ask: ClientAsk
    ) -> Answer | None:
        stand_in = await self._standing.stand_in(repository, resource, entry)
        flight, joined = await self._launch(repository, resource, entry)
        trace = Trace(outcome="joined" if joined else "miss", key=resource.stored_key, flight=flight)
        try:
            await first_word(flight, repository.rules.patience if stand_in else None)
            source = await self._documents.source_of(repository, resource, flight)
        except EntrepotError as error:
            fallback = fallback_of(flight, stand_in)
            answer = await self._page_from(repository, resource, fallback.entry, ask) if fallback else None
            if answer is None:
                if isinstance(error, UnreadableIndex):
                    return None
                raise
            answer.trace = replace(trace, outcome="stale", detail=fallback.detail if fallback else "")
            return answer
        answer = await self._page_of(repository, resource, source, ask)
        if isinstance(flight.head.result(), Settled) and not joined:
            trace.outcome = "revalidated"
        answer.trace = trace
        return self._dated(answer, repository, resource, self._documents.find_entry(repository, resource))

    async def _page_from(
        self, repository: Repository, resource: Resource, entry: Entry, ask: ClientAsk
    ) -> Answer | None:
        """None where the bytes are gone, or are no listing under today's limits."""
        source = await self._documents.stored_source(repository, resource, entry)
        if source is None:
            return None
        self._kit.catalog.note_use(entry.sha256, self._kit.clock.timestamp())
        try:
            answer = await self._page_of(repository, resource, source, ask)
        except UnreadableIndex:
            return None
        return self._dated(answer, repository, resource, entry)

    def _dated(self, answer: Answer, repository: Repository, resource: Resource, entry: Entry | None) -> Answer:
        if entry is not None:
            self._standing.dated(answer, repository, resource, entry)
        # What is held changes with every file that comes, so no page is given twice without looking.
        answer.valid_until = 0.0
        return answer

    async def _page_of(self, repository: Repository, resource: Resource, source: Source, ask: ClientAsk) -> Answer:
        try:
            folder = await self._read(repository, resource, source)
        finally:
            source.blob.close()
        form = form_of(ask.headers.get("accept"))
        frozen = repository.frozen
        if frozen is not None:
            members = (one for one in folder.members if frozen.names(f"{resource.key}{one.segment}"))
            folder = replace(folder, members=tuple(members))
        body = await asyncio.to_thread(self._render, repository.name, resource.key, folder, form)
        headers = (("content-type", CONTENT_TYPES[form]), ("cache-control", MUTABLE), ("vary", "Accept"))
        representation = Representation(
            body=body, size_bytes=len(body), headers=headers, etag=etag_of(hashlib.sha256(body).hexdigest())
        )
        return respond(representation, ask.conditions)

    def _render(self, repository: str, key: str, folder: Folder, form: str) -> bytes:
        segments = [member.segment for member in folder.members]
        held = self._held(repository, [key + segment for segment in segments])
        return page_of(key, folder, {one.removeprefix(key) for one in held}, "json" if form == "json" else "html")


def _caps_of(repository: Repository, key: str) -> Caps:
    tree = tree_of(repository.trees, key)
    return tree.caps if tree is not None else Caps()


def _parse(blob: OpenBlob, content_type: str, subject: str, caps: Caps) -> Folder:
    with open_as_file(blob, blob.size_bytes) as file:
        return read_folder(file.read(), content_type, subject, caps)
