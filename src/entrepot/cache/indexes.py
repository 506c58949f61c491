"""Indexes as clients get them: rendered, in the coding they take, or untouched where nothing is to be rewritten."""

from collections.abc import Iterable
from dataclasses import replace

from entrepot.cache.ageing import Ages
from entrepot.cache.answer import Answer, Representation, Stored, etag_of, respond
from entrepot.cache.ask import ClientAsk
from entrepot.cache.counters import Counters
from entrepot.cache.documents import Documents
from entrepot.cache.fields import MUTABLE
from entrepot.cache.hiding import Hidden
from entrepot.cache.judging import refused
from entrepot.cache.repository import Repository
from entrepot.cache.views import Rendition, Source, Variant, Views
from entrepot.contracts.ecosystem import View
from entrepot.errors import Absent, PolicyError, StoreFailure
from entrepot.model.entry import Entry
from entrepot.model.resource import Resource


class Indexes:
    def __init__(self, documents: Documents, views: Views, counters: Counters, ages: Ages) -> None:
        self._documents, self._views, self._counters, self._ages = documents, views, counters, ages

    async def from_entry(
        self, repository: Repository, resource: Resource, entry: Entry, ask: ClientAsk
    ) -> Answer | None:
        """The answer from a stored document; None when its bytes are not there any more."""
        source = await self._documents.stored_source(repository, resource, entry)
        if source is None:
            return None
        try:
            return await self.from_source(repository, resource, source, ask)
        except Absent:
            if ask.wish.stored_only:
                raise
            # What it does not name may have been published since it was read.
            source = await self._documents.current(repository, resource)
            return await self.from_source(repository, resource, source, ask)

    async def from_source(self, repository: Repository, resource: Resource, source: Source, ask: ClientAsk) -> Answer:
        """Takes the source's blob over: it is closed, or goes out with the answer. Raises PolicyError where nothing is
        left that this client may see."""
        try:
            hidden = await self._hidden(repository, resource, source, ask)
            listed = repository.ecosystem.others_than(resource) if hidden.whole is not None else None
            if hidden.whole is not None and listed is not None:
                refusal = refused(f"{repository.name}/{resource.key}", replace(hidden.whole, status=404))
                other, until = await self._other_than(repository, listed, refusal, ask)
                source.blob.close()
                return _held(_untouched(resource, other, ask), min(until, hidden.until))
            rendition = await self._rendition(repository, resource, source, hidden, ask)
        except BaseException:
            source.blob.close()
            raise
        shown = repository.ecosystem.shown(resource, source.headers, source.blob.sha256)
        if rendition is None:
            return _held(_untouched(resource, source, ask, shown), hidden.until)
        source.blob.close()
        return _held(self._rendered(resource, rendition, ask, shown), hidden.until)

    async def _hidden(self, repository: Repository, resource: Resource, source: Source, ask: ClientAsk) -> Hidden:
        return await self._ages.hidden(repository, resource, source, ask.as_of, stored_only=ask.wish.stored_only)

    async def _rendition(
        self, repository: Repository, resource: Resource, source: Source, hidden: Hidden, ask: ClientAsk
    ) -> Rendition | None:
        # Links of a dated view lead to undated files, and so cannot be relative.
        names_us = repository.ecosystem.names_our_address(resource.form) or ask.as_of is not None
        view = View(
            form=resource.form,
            base=ask.base if names_us else "",
            hidden=hidden.names,
            revision=repository.gate.revision if hidden.refusals else "",
            reasons=hidden.reasons,
        )
        try:
            return await self._views.view(repository, resource, source, view, self._counters.of(repository.name))
        except Absent:
            refusal = hidden.refusal_of(resource.version)
            if refusal is None:
                raise
            raise refused(f"{repository.name}/{resource.key}", refusal) from None

    async def _other_than(
        self, repository: Repository, listed: Resource, refusal: PolicyError, ask: ClientAsk
    ) -> tuple[Source, float]:
        """What describes the newest version of a list that may be seen, and until when that is so. Raises the refusal
        where there is none."""
        stored_only, ecosystem = ask.wish.stored_only, repository.ecosystem
        try:
            source = await self._documents.bring(repository, listed, stored_only=stored_only)
        except Absent:
            raise refusal from None
        try:
            facts = await self._documents.facts_in(repository, listed, source)
            hidden = await self._hidden(repository, listed, source, ask)
        finally:
            source.blob.close()
        newest = ecosystem.newest_of({fact.version for fact in facts.values()} - hidden.names)
        description = ecosystem.dated_by(listed.about, newest) if newest is not None else None
        if description is None:
            raise refusal
        return await self._documents.bring(repository, description, stored_only=stored_only), hidden.until

    def _rendered(
        self, resource: Resource, rendition: Rendition, ask: ClientAsk, shown: Iterable[tuple[str, str]]
    ) -> Answer:
        packed = rendition.gzip if ask.gzip else None
        variant = packed or rendition.plain
        headers = [
            ("content-type", rendition.content_type),
            ("cache-control", MUTABLE),
            ("vary", "Accept, Accept-Encoding"),
            *shown,
        ]
        if packed is not None:
            headers.append(("content-encoding", "gzip"))
        representation = Representation(
            body=self._body(resource, variant),
            size_bytes=variant.size_bytes,
            headers=tuple(headers),
            etag=etag_of(rendition.plain.sha256, "gzip" if packed else ""),
        )
        return respond(representation, ask.conditions)

    def _body(self, resource: Resource, variant: Variant) -> bytes | Stored:
        if variant.body is not None:
            return variant.body
        blob = self._views.open(variant)
        if blob is None:
            raise StoreFailure(
                f"{resource.key}: the rendered document disappeared; it is made again on the next request"
            )
        return Stored(blob)


def _held(answer: Answer, until: float) -> Answer:
    answer.valid_until = until
    return answer


def _untouched(resource: Resource, source: Source, ask: ClientAsk, shown: Iterable[tuple[str, str]] = ()) -> Answer:
    representation = Representation(
        body=Stored(source.blob),
        size_bytes=source.blob.size_bytes,
        headers=(
            ("content-type", resource.content_type or source.content_type or "application/octet-stream"),
            ("cache-control", MUTABLE),
            ("vary", "Accept"),
            *shown,
        ),
        etag=etag_of(source.blob.sha256),
    )
    return respond(representation, ask.conditions)
