"""Rendered indexes: one rendering per document, form and base for all workers, kept until policy or time changes it."""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

import msgspec

from entrepot.cache.blobio import open_as_file
from entrepot.cache.counters import Counts
from entrepot.cache.derived import DerivedBlobs
from entrepot.cache.facts import IN_THREAD_BYTES, KEPT_BYTES
from entrepot.cache.jobs import AWAY_BYTES, Unable, paper_of
from entrepot.cache.rendering import Rendering, RenderJob, compressed
from entrepot.cache.repository import Repository
from entrepot.cache.scribe import Scribe
from entrepot.cache.solo import SoloClaim
from entrepot.contracts.blobs import OpenBlob
from entrepot.contracts.board import Board, Claim, Stage, Watch
from entrepot.contracts.ecosystem import View
from entrepot.errors import StoreFailure
from entrepot.model.headers import Headers
from entrepot.model.release import Document, Rendered
from entrepot.model.resource import Resource

POLL_SECONDS = 0.01
MOST_DIGESTS = 64

_T = TypeVar("_T")
_log = logging.getLogger("entrepot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document's bytes, wherever they are, and where they came from."""

    blob: OpenBlob
    content_type: str
    url: str
    base: str
    """The base URL of the upstream that it came through."""
    resource_key: str
    headers: Headers = field(default_factory=Headers)
    """What is kept of upstream's fields."""

    @property
    def key(self) -> str:
        origin = hashlib.sha256(
            f"{self.url}\n{self.base}\n{self.content_type}\n{self.resource_key}".encode()
        ).hexdigest()[:16]
        return f"{self.blob.sha256} {origin}"

    def document(self) -> Document:
        file = open_as_file(self.blob, self.blob.size_bytes)
        return Document(
            body=file, content_type=self.content_type, url=self.url, upstream=self.base, key=self.resource_key
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One coding of a view: in memory, or a stored blob."""

    sha256: str
    size_bytes: int
    body: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """A view as clients get it."""

    content_type: str
    plain: Variant
    gzip: Variant | None


class _Note(msgspec.Struct, array_like=True):
    content_type: str
    gzip_sha256: str = ""
    gzip_size_bytes: int = 0


_read_note = msgspec.msgpack.Decoder(_Note).decode


class Views:
    def __init__(
        self, derived: DerivedBlobs, board: Board, budget_bytes: int = 32 << 20, scribe: Scribe | None = None
    ) -> None:
        self._derived, self._board, self._scribe = derived, board, scribe
        self._budget, self._held = budget_bytes, 0
        self._small: OrderedDict[str, Rendition | None] = OrderedDict()
        self._rendering: dict[str, asyncio.Task[Rendition | None]] = {}

    async def view(
        self, repository: Repository, resource: Resource, source: Source, view: View, counts: Counts
    ) -> Rendition | None:
        """The rendition, or None where the ecosystem sends the document untouched. Raises UnreadableIndex, Absent,
        TooBig. However many ask, and in however many processes, one renders."""
        key = _key_of(repository, resource, source, view)
        if key in self._small:
            self._small.move_to_end(key)
            return self._small[key]
        if (stored := self._find(key)) is not None:
            return stored
        task = self._rendering.get(key)
        if task is None:
            task = asyncio.create_task(self._render_once(key, repository, resource, source, view, counts))
            self._rendering[key] = task
            task.add_done_callback(lambda _: self._rendering.pop(key, None))
        return await asyncio.shield(task)

    def _find(self, key: str) -> Rendition | None:
        derived = self._derived.find(key)
        if derived is None:
            return None
        note = _read_note(derived.note)
        if not self._derived.intact(derived.sha256, note.gzip_sha256):
            return None
        gzip = None
        if note.gzip_sha256:
            gzip = Variant(sha256=note.gzip_sha256, size_bytes=note.gzip_size_bytes, body=None)
        plain = Variant(sha256=derived.sha256, size_bytes=derived.size_bytes, body=None)
        return Rendition(content_type=note.content_type, plain=plain, gzip=gzip)

    def open(self, variant: Variant) -> OpenBlob | None:
        """A stored variant's blob; None when it is gone or changed."""
        return self._derived.open(variant.sha256)

    async def _render_once(
        self, key: str, repository: Repository, resource: Resource, source: Source, view: View, counts: Counts
    ) -> Rendition | None:
        if source.blob.size_bytes <= KEPT_BYTES:
            # Small ones are cheaper to render in each process than to store.
            return await self._render(key, repository, resource, source, view, counts)
        while not isinstance(claim := self._claim(key), Claim):
            # What another process does can only be polled.
            while claim.look().stage is not Stage.DONE and not claim.abandoned():  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
            claim.close()
            if (stored := self._find(key)) is not None:
                return stored
        try:
            return self._find(key) or await self._render(key, repository, resource, source, view, counts)
        finally:
            claim.end()

    def _claim(self, key: str) -> Claim | Watch:
        try:
            return self._board.claim(f"view {key}")
        except StoreFailure:
            # Better rendered twice than not at all.
            return SoloClaim()

    async def _render(
        self, key: str, repository: Repository, resource: Resource, source: Source, view: View, counts: Counts
    ) -> Rendition | None:
        rendition = await self._rendition(key, _rendering_of(repository, resource, view), source)
        counts.rendered += 1
        return rendition

    async def _rendition(self, key: str, rendering: Rendering, source: Source) -> Rendition | None:
        size = source.blob.size_bytes
        if self._scribe is not None and size >= AWAY_BYTES:
            try:
                return await self._render_away(key, rendering, source, self._scribe)
            except (Unable, StoreFailure) as reason:
                _log.info("%s is rendered here: %s", rendering.subject, reason)
        rendered = await _soon(size, lambda: rendering.of(source.document()))
        if rendered is None:
            self._hold(key, None)
            return None
        packed = await _soon(len(rendered.body), lambda: compressed(rendered.body))
        rendition = _in_memory(rendered, packed)
        if size > KEPT_BYTES and await self._store(key, rendition):
            return self._find(key) or rendition
        self._hold(key, rendition)
        return rendition

    async def _render_away(self, key: str, rendering: Rendering, source: Source, scribe: Scribe) -> Rendition | None:
        """By the helper. Raises Unable and StoreFailure where it must be done here."""
        async with self._derived.room() as plain, self._derived.room() as packed:
            paper = paper_of(source.blob, source.document())
            pages = await scribe.run(RenderJob(rendering=rendering, paper=paper, plain=plain.path, packed=packed.path))
            if pages is None:
                self._hold(key, None)
                return None
            note = _Note(pages.content_type)
            if pages.packed is not None:
                note = _Note(pages.content_type, pages.packed.sha256, pages.packed.size_bytes)
                await self._derived.keep(f"{key} gzip", packed, pages.packed.sha256, b"")
            await self._derived.keep(key, plain, pages.plain.sha256, msgspec.msgpack.encode(note))
        rendition = self._find(key)
        if rendition is None:
            raise StoreFailure(f"{rendering.subject}: what was just rendered is gone")
        return rendition

    async def _store(self, key: str, rendition: Rendition) -> bool:
        note = _Note(rendition.content_type)
        if rendition.gzip is not None:
            note = _Note(rendition.content_type, rendition.gzip.sha256, rendition.gzip.size_bytes)
            if not await self._derived.put(f"{key} gzip", rendition.gzip.body or b"", b""):
                return False
        return await self._derived.put(key, rendition.plain.body or b"", msgspec.msgpack.encode(note))

    def _hold(self, key: str, rendition: Rendition | None) -> None:
        self._small[key] = rendition
        self._held += _weight(rendition)
        while self._held > self._budget and len(self._small) > 1:
            _, dropped = self._small.popitem(last=False)
            self._held -= _weight(dropped)


def _rendering_of(repository: Repository, resource: Resource, view: View) -> Rendering:
    return Rendering(
        subject=f"{repository.name}/{resource.key}",
        kind=type(repository.ecosystem),
        options=repository.ecosystem.options,
        resource=resource,
        view=view,
        cap=repository.limits.rendered_index_bytes,
    )


def _key_of(repository: Repository, resource: Resource, source: Source, view: View) -> str:
    ecosystem = repository.ecosystem
    shown = _digest_of(view.hidden, view.reasons) if view.hidden else "all"
    return (
        f"view {repository.name} {ecosystem.name}.{ecosystem.revision} {source.key} "
        f"{resource.key} {resource.form} {view.base} {view.revision} {shown}"
    )


@lru_cache(maxsize=MOST_DIGESTS)
def _digest_of(hidden: frozenset[str], reasons: tuple[tuple[str, str], ...]) -> str:
    """Of thousands of names, in every request for an index: found again by what they are, as long as it is the same."""
    return hashlib.sha256(msgspec.json.encode([sorted(hidden), reasons])).hexdigest()[:16]


async def _soon(size_bytes: int, work: Callable[[], _T]) -> _T:
    """Here, or in a thread where there is much to do."""
    return work() if size_bytes <= IN_THREAD_BYTES else await asyncio.to_thread(work)


def _in_memory(rendered: Rendered, packed: bytes | None) -> Rendition:
    return Rendition(
        content_type=rendered.content_type,
        plain=_variant(rendered.body),
        gzip=_variant(packed) if packed is not None else None,
    )


def _variant(body: bytes) -> Variant:
    return Variant(sha256=hashlib.sha256(body).hexdigest(), size_bytes=len(body), body=body)


def _weight(rendition: Rendition | None) -> int:
    if rendition is None:
        return 256
    return 512 + rendition.plain.size_bytes + (rendition.gzip.size_bytes if rendition.gzip else 0)
