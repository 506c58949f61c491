"""Indexes as clients get them: rendered, in the coding they take, or untouched where nothing is to be rewritten."""

from entrepot.cache.answer import Answer, Representation, Stored, etag_of, respond
from entrepot.cache.ask import ClientAsk
from entrepot.cache.counters import Counters
from entrepot.cache.documents import Documents
from entrepot.cache.fields import MUTABLE
from entrepot.cache.repository import Repository
from entrepot.cache.views import Rendition, Source, Variant, Views
from entrepot.contracts.ecosystem import View
from entrepot.errors import Absent, StoreFailure
from entrepot.model.entry import Entry
from entrepot.model.resource import Resource


class Indexes:
    def __init__(self, documents: Documents, views: Views, counters: Counters) -> None:
        self._documents, self._views, self._counters = documents, views, counters

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
        """Takes the source's blob over: it is closed, or goes out with the answer."""
        try:
            rendition = await self._rendition(repository, resource, source, ask.base)
        except BaseException:
            source.blob.close()
            raise
        if rendition is None:
            return _untouched(resource, source, ask)
        source.blob.close()
        return self._rendered(resource, rendition, ask)

    async def _rendition(
        self, repository: Repository, resource: Resource, source: Source, base: str
    ) -> Rendition | None:
        view = View(form=resource.form, base=base if repository.ecosystem.names_our_address(resource.form) else "")
        return await self._views.view(repository, resource, source, view, self._counters.of(repository.name))

    def _rendered(self, resource: Resource, rendition: Rendition, ask: ClientAsk) -> Answer:
        packed = rendition.gzip if ask.gzip else None
        variant = packed or rendition.plain
        headers = [
            ("content-type", rendition.content_type),
            ("cache-control", MUTABLE),
            ("vary", "Accept, Accept-Encoding"),
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


def _untouched(resource: Resource, source: Source, ask: ClientAsk) -> Answer:
    representation = Representation(
        body=Stored(source.blob),
        size_bytes=source.blob.size_bytes,
        headers=(
            ("content-type", resource.content_type or source.content_type or "application/octet-stream"),
            ("cache-control", MUTABLE),
            ("vary", "Accept"),
        ),
        etag=etag_of(source.blob.sha256),
    )
    return respond(representation, ask.conditions)
