"""What indexes say of files: learned in passing, remembered per document, derivable again at any time."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ParamSpec, TypeVar

import msgspec

from entrepot.cache.blobio import open_as_file
from entrepot.cache.derived import DerivedBlobs
from entrepot.cache.jobs import AWAY_BYTES, Paper, Unable, Written, paper_of, write
from entrepot.cache.scribe import Scribe
from entrepot.cache.turns import Turns
from entrepot.contracts.blobs import OpenBlob
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.errors import EntrepotError, StoreFailure, UnreadableIndex
from entrepot.model.digest import Digest
from entrepot.model.release import Document, Location, Release, ReleaseFile

IN_THREAD_BYTES = 64 << 10
"""Documents above this are parsed in a thread; below it, the hop costs more than the work."""
KEPT_BYTES = 256 << 10
"""Facts of documents above this are stored; below it they are computed again after a restart."""


class FileFact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file as its index describes it, or a version that has none."""

    origin: str
    path: str
    digests: tuple[tuple[str, str], ...] = ()
    """(algorithm, value), strongest first."""
    size_bytes: int | None = None
    published: datetime | None = None
    package: str = ""
    version: str = ""
    name: str = ""
    """Of the file; empty for a version without files."""

    @property
    def location(self) -> Location:
        return Location(self.origin, self.path)

    @property
    def strongest(self) -> Digest | None:
        return Digest(*self.digests[0]) if self.digests else None

    @property
    def sha256(self) -> str:
        return next((value for algorithm, value in self.digests if algorithm == "sha256"), "")


Facts = Mapping[str, FileFact]
"""By the key under which we serve the file; a version without files has one that is no key (`_BARE` and itself)."""

_BARE = " "

_log = logging.getLogger("entrepot")
_P = ParamSpec("_P")
_T = TypeVar("_T")
_decode_raw = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
_decode_one = msgspec.msgpack.Decoder(FileFact).decode
_encode = msgspec.msgpack.Encoder().encode


def guarded(call: Callable[_P, _T], subject: str, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """An adapter's answer, where anything unexpected it raises is an unreadable index."""
    try:
        return call(*args, **kwargs)
    except EntrepotError:
        raise
    except Exception as error:
        raise UnreadableIndex(f"{subject}: the index cannot be read: {type(error).__name__}: {error}") from error


def facts_of(ecosystem: Ecosystem, document: Document) -> dict[str, FileFact]:
    return dict(each_fact(ecosystem, document))


def each_fact(ecosystem: Ecosystem, document: Document) -> Iterator[tuple[str, FileFact]]:
    """The facts one by one, each with its key."""
    for release in ecosystem.releases(document):
        if not release.files:
            bare = FileFact("", "", published=release.published, package=release.package, version=release.version)
            yield f"{_BARE}{release.version}", bare
        for file in release.files:
            yield ecosystem.link(release.package, file), _fact_of(release, file)


def _fact_of(release: Release, file: ReleaseFile) -> FileFact:
    return FileFact(
        origin=file.location.origin,
        path=file.location.path,
        digests=tuple((digest.algorithm, digest.value) for digest in file.digests),
        size_bytes=file.size_bytes,
        published=file.published or release.published,
        package=release.package,
        version=release.version,
        name=file.name,
    )


class _StoredFacts(Mapping[str, FileFact]):
    """Decoded one by one when they are asked for: all at once would keep hits waiting."""

    def __init__(self, encoded: bytes) -> None:
        self._raw = _decode_raw(encoded)

    def __getitem__(self, key: str) -> FileFact:
        return _decode_one(self._raw[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


class FactBook:
    """The facts of the documents of all repositories: the latest in memory, those of big documents stored."""

    def __init__(self, derived: DerivedBlobs, budget_bytes: int = 16 << 20, scribe: Scribe | None = None) -> None:
        self.derived, self.scribe = derived, scribe
        self._budget, self._held = budget_bytes, 0
        self._known: OrderedDict[str, tuple[Facts, int]] = OrderedDict()
        self._turns = Turns()

    async def read(self, key: str, subject: str, ecosystem: Ecosystem, blob: OpenBlob, document: Document) -> Facts:
        """The facts under `key` (which must tell document and ecosystem). Raises UnreadableIndex."""
        known = await self.find(key)
        if known is not None:
            return known
        work = _Reading(subject, ecosystem, blob, document)
        if blob.size_bytes <= IN_THREAD_BYTES:
            facts = work()
            self._hold(key, facts)
            return facts
        # However many files of one index are asked for at once, it is read once.
        async with self._turns.of(key):
            held = self._held_facts(key)
            return held if held is not None else await self._read(key, work, blob.size_bytes)

    async def _read(self, key: str, work: "_Reading", size_bytes: int) -> Facts:
        if self.scribe is not None and size_bytes >= AWAY_BYTES:
            try:
                return await self._read_away(key, work, self.scribe)
            except (Unable, StoreFailure) as reason:
                _log.info("%s is read here: %s", work.subject, reason)
        facts = await asyncio.to_thread(work)
        self._hold(key, facts)
        if size_bytes > KEPT_BYTES and facts:
            await self.derived.put(key, await asyncio.to_thread(_encode, facts), b"")
        return facts

    async def _read_away(self, key: str, work: "_Reading", scribe: Scribe) -> Facts:
        """By the helper. Raises Unable and StoreFailure where it must be done here."""
        async with self.derived.room() as room:
            written = await scribe.run(work.job(room.path))
            if written is None:
                self._hold(key, {})
                return {}
            await self.derived.keep(key, room, written.sha256, b"")
        facts = await self.find(key)
        if facts is None:
            raise StoreFailure(f"{work.subject}: what was just written is gone")
        return facts

    async def find(self, key: str) -> Facts | None:
        if (held := self._held_facts(key)) is not None:
            return held
        stored = await self.derived.read(key)
        if stored is None:
            return None
        facts = _StoredFacts(stored)
        self._hold(key, facts)
        return facts

    def _held_facts(self, key: str) -> Facts | None:
        if key not in self._known:
            return None
        self._known.move_to_end(key)
        return self._known[key][0]

    def _hold(self, key: str, facts: Facts) -> None:
        # A file costs roughly half a kilobyte of objects, whatever its document weighs.
        weight = max(1024, 512 * len(facts))
        previous = self._known.pop(key, None)
        self._held += weight - (previous[1] if previous else 0)
        self._known[key] = facts, weight
        while self._held > self._budget and len(self._known) > 1:
            _, (_, dropped) = self._known.popitem(last=False)
            self._held -= dropped


class _Reading:
    def __init__(self, subject: str, ecosystem: Ecosystem, blob: OpenBlob, document: Document) -> None:
        self.subject, self._ecosystem, self._blob, self._document = subject, ecosystem, blob, document

    def job(self, path: str) -> "ReadJob":
        """The same for the helper. Raises Unable."""
        return ReadJob(
            subject=self.subject,
            kind=type(self._ecosystem),
            options=self._ecosystem.options,
            paper=paper_of(self._blob, self._document),
            path=path,
        )

    def __call__(self) -> dict[str, FileFact]:
        file = open_as_file(self._blob, self._blob.size_bytes)
        document = Document(
            body=file,
            content_type=self._document.content_type,
            url=self._document.url,
            upstream=self._document.upstream,
            key=self._document.key,
        )
        return guarded(facts_of, self.subject, self._ecosystem, document)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadJob:
    """Writes the facts of a document to `path`."""

    subject: str
    kind: type[Ecosystem]
    options: Mapping[str, object]
    paper: Paper
    path: str

    def run(self) -> Written | None:
        """None where there are none."""
        with self.paper.document() as document:
            facts = guarded(facts_of, self.subject, self.kind(self.options), document)
        return write(self.path, _encode(facts)) if facts else None
