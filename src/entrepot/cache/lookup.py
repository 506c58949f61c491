"""What stored listings say of files to whose index no path leads: looked up in files, without keeping any of it."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from entrepot.cache.blobio import open_as_file
from entrepot.cache.derived import DerivedBlobs
from entrepot.cache.factfile import encode_facts, facts_in, find_fact
from entrepot.cache.facts import FileFact, each_fact, guarded
from entrepot.cache.jobs import AWAY_BYTES, Paper, Unable, Written, paper_of, write
from entrepot.cache.repository import Repository
from entrepot.cache.scribe import Scribe
from entrepot.cache.soundness import Soundness
from entrepot.cache.turns import Turns
from entrepot.contracts.blobs import OpenBlob
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.contracts.listings import Listed, Listings
from entrepot.errors import EntrepotError, StoreFailure, UnreadableIndex
from entrepot.model.release import Document

_log = logging.getLogger("entrepot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A file as a stored listing describes it."""

    listed: Listed
    fact: FileFact


def name_of(repository: Repository, listed: Listed) -> str:
    """Under which its facts are kept."""
    ecosystem = repository.ecosystem
    return f"listed {repository.name} {ecosystem.name}.{ecosystem.revision} {listed.sha256} {listed.key}"


class Lookup:
    def __init__(
        self, listings: Listings, derived: DerivedBlobs, soundness: Soundness, scribe: Scribe | None = None
    ) -> None:
        self._listings, self._derived, self._soundness, self._scribe = listings, derived, soundness, scribe
        self._turns = Turns()

    async def latest(self, repository: Repository, key: str) -> FileFact | None:
        """What the latest listing says that names the file; those that count are asked first, and of these the nearest:
        another repository below the same upstream must not have a say in what is not its own."""
        for listed in self._near(repository, key):
            fact = await self._fact(repository, listed, key)
            if fact is not None:
                return fact
        return None

    async def all(self, repository: Repository, key: str) -> list[Named]:
        """What all of them say of the bytes that the latest means; that one first."""
        found = [
            Named(listed=listed, fact=fact)
            for listed in self._near(repository, key)
            if (fact := await self._fact(repository, listed, key)) is not None
        ]
        return [one for one in found if one.fact.digests == found[0].fact.digests]

    async def of_package(self, repository: Repository, package: str) -> dict[str, FileFact]:
        """The files of a package that the listings name which count, by key. Reads all that they name."""
        found: dict[str, FileFact] = {}
        for listed in self._of(repository):
            file = await self._file(repository, listed) if listed.aside_at is None else None
            if file is None:
                continue
            try:
                found |= await asyncio.to_thread(_facts_of, file, package)
            except StoreFailure as failure:
                _log.warning("%s/%s: %s", repository.name, listed.key, failure)
            finally:
                file.close()
        return found

    async def prepare(self, repository: Repository, listed: Listed) -> None:
        """Read a listing before somebody asks for what it names."""
        file = await self._file(repository, listed)
        if file is not None:
            file.close()

    def _near(self, repository: Repository, key: str) -> list[Listed]:
        """Of those as near, first what a root names: anybody may ask for a list that is not current any more."""

        def rank(listed: Listed) -> tuple[bool, int, bool]:
            return listed.aside_at is not None, -_shared_folders(listed.key, key), not listed.root

        return sorted(self._of(repository), key=rank)

    def _of(self, repository: Repository) -> list[Listed]:
        try:
            return self._listings.of(repository.name)
        except StoreFailure:
            return []

    async def _fact(self, repository: Repository, listed: Listed, key: str) -> FileFact | None:
        file = await self._file(repository, listed)
        if file is None:
            return None
        try:
            return await asyncio.to_thread(find_fact, file, key)
        except StoreFailure as failure:
            _log.warning("%s/%s: %s", repository.name, listed.key, failure)
            return None
        finally:
            file.close()

    async def _file(self, repository: Repository, listed: Listed) -> OpenBlob | None:
        """The facts of a listing; None where its bytes are gone, or cannot be read."""
        name = name_of(repository, listed)
        async with self._turns.of(name):
            file = self._find(name)
            if file is None and await self._make(name, repository, listed):
                file = self._find(name)
        return file

    def _find(self, name: str) -> OpenBlob | None:
        derived = self._derived.find(name)
        return self._derived.open(derived.sha256) if derived is not None else None

    async def _make(self, name: str, repository: Repository, listed: Listed) -> bool:
        blob = await self._soundness.open(listed.sha256)
        if blob is None:
            return False
        try:
            await self._write(name, _Reading(repository, listed, blob))
        except EntrepotError as error:
            _log.warning("%s/%s tells of no file: %s", repository.name, listed.key, error)
            return False
        finally:
            blob.close()
        return True

    async def _write(self, name: str, reading: "_Reading") -> None:
        async with self._derived.room() as room:
            written = None
            if self._scribe is not None and reading.size_bytes >= AWAY_BYTES:
                try:
                    written = await self._scribe.run(reading.job(room.path))
                except Unable as reason:
                    _log.info("%s is read here: %s", reading.subject, reason)
            if written is None:
                written = await asyncio.to_thread(reading.write, room.path)
            await self._derived.keep(name, room, written.sha256, b"")


def _shared_folders(one: str, other: str) -> int:
    """How many folders two keys have in common."""
    pairs = zip(one.split("/")[:-1], other.split("/")[:-1], strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _facts_of(file: OpenBlob, package: str) -> dict[str, FileFact]:
    return {key: fact for key, fact in facts_in(file) if fact.package == package}


class _Reading:
    def __init__(self, repository: Repository, listed: Listed, blob: OpenBlob) -> None:
        self.subject, self.size_bytes = f"{repository.name}/{listed.key}", blob.size_bytes
        self._ecosystem, self._blob = repository.ecosystem, blob
        self._document = Document(
            body=open_as_file(blob, blob.size_bytes),
            content_type=listed.content_type,
            url=listed.url,
            upstream=listed.base,
            key=listed.key,
        )

    def job(self, path: str) -> "ListJob":
        """The same for the helper. Raises Unable."""
        return ListJob(
            subject=self.subject,
            kind=type(self._ecosystem),
            options=self._ecosystem.options,
            paper=paper_of(self._blob, self._document),
            path=path,
        )

    def write(self, path: str) -> Written:
        return _write(path, self.subject, self._ecosystem, self._document)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListJob:
    """Writes the facts of a listing to `path`, to be looked up in."""

    subject: str
    kind: type[Ecosystem]
    options: Mapping[str, object]
    paper: Paper
    path: str

    def run(self) -> Written:
        with self.paper.document() as document:
            return _write(self.path, self.subject, self.kind(self.options), document)


def _write(path: str, subject: str, ecosystem: Ecosystem, document: Document) -> Written:
    try:
        return write(path, guarded(_encoded, subject, ecosystem, document))
    except UnreadableIndex as error:
        # It would not be another time: whoever asks for a file must not wait for it again.
        _log.warning("%s names nothing: %s", subject, error)
        return write(path, encode_facts(()))


def _encoded(ecosystem: Ecosystem, document: Document) -> bytes:
    return encode_facts(_files(ecosystem, document))


def _files(ecosystem: Ecosystem, document: Document) -> Iterator[tuple[str, FileFact]]:
    return ((key, fact) for key, fact in each_fact(ecosystem, document) if fact.name)
