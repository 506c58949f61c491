"""What was checked is taken over, in batches that each leave a consistent store: an import that is broken off in the
middle is finished by the next one."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import islice
from typing import TypeVar

from entrepot.cache.documents import Documents
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.cache.soundness import hash_of
from entrepot.cache.targets import resource_of
from entrepot.contracts.catalog import Published
from entrepot.errors import StoreFailure
from entrepot.mirror.bundles.agreeing import Agreement
from entrepot.mirror.bundles.records import EntryRecord, GenerationRecord, RememberedRecord
from entrepot.mirror.bundles.staging import Staged
from entrepot.model.entry import Blob, Entry, Remembered
from entrepot.model.headers import Headers
from entrepot.model.imported import imported_identity
from entrepot.model.resource import Kind, Resource, edition_key

BATCH = 200
MOST_TOLD = 1000

_T = TypeVar("_T")


class Fate(Enum):
    NEW = "new"
    HELD = "held"
    """It was here already."""
    NEWER_HERE = "newer here"
    """What is here is not older; or the bundle is unsigned, and there is something here."""
    REFUSED = "refused"
    """The name is remembered, or published, to stand for other bytes."""
    UNKNOWN = "unknown"
    """The repository is configured in another way, and nothing has such a name."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of a bundle's entries."""

    fates: dict[str, Counter[Fate]] = field(default_factory=dict)
    """By repository of this store."""
    told: list[str] = field(default_factory=list)
    """What people should know, at most MOST_TOLD."""

    def count(self, repository: str, fate: Fate, text: str = "") -> None:
        self.fates.setdefault(repository, Counter())[fate] += 1
        if text and len(self.told) < MOST_TOLD:
            self.told.append(text)

    def total(self, fate: Fate) -> int:
        return sum(one[fate] for one in self.fates.values())


class Taker:
    """One bundle, going into the store."""

    def __init__(
        self,
        kit: Kit,
        documents: Documents,
        staged: Staged,
        repositories: Mapping[str, Repository],
        *,
        signed: bool,
        dry: bool,
    ) -> None:
        """`repositories`: by their names in the bundle; entries of others are passed over. `signed`: by a key that is
        trusted. `dry`: nothing is changed."""
        self._kit, self._documents, self._staged, self._repositories = kit, documents, staged, repositories
        self._signed, self._dry, self._now = signed, dry, kit.clock.now()
        self._agreement = Agreement(kit, documents, staged, signed=signed)
        self._published: dict[tuple[str, str], bool] = {}
        """Groups of which a newer generation is here (False), or the same one (True)."""
        self.tally = Tally()

    async def take(self) -> Tally:
        """Raises StoreFailure; what was taken over until then stays."""
        for generation in self._staged.records("generations", GenerationRecord):
            if generation.repository in self._repositories:
                await self._take_group(self._repositories[generation.repository], generation)
        for page in pages(self._staged.records("entries", EntryRecord)):
            await asyncio.gather(*(self._take_entry(record) for record in page))
        if self._signed and not self._dry:
            for batch in pages(self._staged.records("remembered", RememberedRecord)):
                await asyncio.gather(*(self._remember(record) for record in batch))
        return self.tally

    # --- entries ----------------------------------------------------------------------------------------------------

    async def _take_entry(self, record: EntryRecord) -> None:
        repository = self._repositories.get(record.repository)
        if repository is None:
            return
        if record.snapshot and not self._published.get((repository.name, record.snapshot), False):
            return
        resource = _resource_of(repository, record)
        fate = self._fate_of(repository, resource, record)
        told = _told(repository, record, fate)
        if fate is Fate.NEW and resource is not None and not await self._agreement.holds(repository, resource, record):
            fate, told = Fate.REFUSED, f"{repository.name}/{record.key}: refused: it is published with another digest"
        self.tally.count(repository.name, fate, told)
        if fate is Fate.NEW and resource is not None and not self._dry:
            await self._put(repository, resource, record)

    def _fate_of(self, repository: Repository, resource: Resource | None, record: EntryRecord) -> Fate:
        if resource is None:
            return Fate.UNKNOWN
        if resource.kind is Kind.ARTIFACT and record.sha256:
            remembered = self._kit.catalog.find_remembered(repository.name, record.key)
            if remembered is not None and remembered.sha256 != record.sha256:
                return Fate.REFUSED
        here = self._kit.catalog.find_entry(repository.name, record.key)
        here = self._documents.of_today(repository, resource, here) if here is not None else None
        if here is None:
            return Fate.NEW
        if here.gone_at is None and here.sha256 == record.sha256 and self._is_there(here):
            return Fate.HELD
        if not self._signed or not self._is_older(here, record):
            return Fate.NEWER_HERE
        return Fate.NEW

    def _is_there(self, entry: Entry) -> bool:
        blob = self._kit.blobs.open(entry.sha256)
        if blob is not None:
            blob.close()
        return blob is not None

    def _is_older(self, here: Entry, record: EntryRecord) -> bool:
        """Whether the bundle knows something later. A stored body does not give way to a 404: an offline store has it
        and can serve it."""
        if record.gone_at is not None:
            return here.is_absence and here.gone_at is not None and here.gone_at < record.gone_at
        return (here.gone_at or here.validated_at) < record.validated_at or not (
            here.is_absence or self._is_there(here)
        )

    async def _put(self, repository: Repository, resource: Resource, record: EntryRecord) -> None:
        entry = self._entry_of(repository, record)
        if entry.is_absence:
            await self._kit.catalog.put_entry(entry)
        else:
            remember = resource.kind is Kind.ARTIFACT and not self._signed
            await self._kit.catalog.put_stored(entry, await self._bring_blob(record), remember)

    def _entry_of(self, repository: Repository, record: EntryRecord) -> Entry:
        """A time in the future is one of a wrong clock. Unsigned, what was stored was stored now, and of which version
        it is must be learned from its name and its index: rules go by that."""
        stored_at = min(record.stored_at, self._now) if self._signed else self._now
        return Entry(
            repository=repository.name,
            key=record.key,
            sha256=record.sha256,
            size_bytes=record.size_bytes,
            headers=Headers(record.headers),
            url=record.url,
            upstream=imported_identity(self._staged.manifest.store, record.base),
            stored_at=stored_at,
            validated_at=min(record.validated_at, self._now),
            published=record.published and self._signed,
            gone_at=min(record.gone_at, self._now) if record.gone_at is not None else None,
            package=record.package if self._signed else "",
            version=record.version if self._signed else "",
            snapshot=record.snapshot,
        )

    async def _bring_blob(self, record: EntryRecord) -> Blob:
        path = self._staged.blob_path(record.sha256)
        if await asyncio.to_thread(path.exists):
            try:
                return await asyncio.to_thread(self._kit.blobs.adopt, str(path), record.sha256)
            except StoreFailure:
                # Another entry of the same bytes may have taken it in this moment.
                if await asyncio.to_thread(path.exists):
                    raise
        return await self._held_blob(record)

    async def _held_blob(self, record: EntryRecord) -> Blob:
        """What the store holds already. A file that is not the one that was verified is read first."""
        known, blob = self._kit.catalog.find_blob(record.sha256), self._kit.blobs.open(record.sha256)
        gone = StoreFailure(f"blob {record.sha256} went while the bundle was taken over; import it again")
        if blob is None:
            raise gone
        try:
            mark = blob.fingerprint()
            if known is not None and known.fingerprint == mark:
                return known
            if mark is None or await asyncio.to_thread(hash_of, blob) != record.sha256:
                raise gone
            return Blob(sha256=record.sha256, size_bytes=record.size_bytes, fingerprint=mark)
        finally:
            blob.close()

    async def _remember(self, record: RememberedRecord) -> None:
        """What a name stood for there, and since when; what is remembered here stays."""
        repository = self._repositories.get(record.repository)
        if repository is None or self._kit.catalog.find_remembered(repository.name, record.key) is not None:
            return
        seen = Remembered(
            sha256=record.sha256, size_bytes=record.size_bytes, first_seen=min(record.first_seen, self._now)
        )
        await self._kit.catalog.accept(repository.name, record.key, seen)

    # --- groups -----------------------------------------------------------------------------------------------------

    async def _take_group(self, repository: Repository, generation: GenerationRecord) -> None:
        """A generation goes in as a whole or not at all; what is the same here only gets the members that it lacks."""
        members = [one for one in self._staged.members(generation) if _resource_of(repository, one) is not None]
        root = next((one for one in members if one.key == generation.root), None)
        current = self._kit.catalog.generation_of(repository.name, generation.root)
        here = self._kit.catalog.find_entry(repository.name, generation.root)
        place = (repository.name, generation.root)
        if current is not None and current.sha256 == generation.sha256 and here is not None:
            self._published[place] = True
            return
        newer_here = here is not None and (not self._signed or not root or root.validated_at <= here.validated_at)
        if root is None or newer_here:
            self._published[place] = False
            for member in members:
                self.tally.count(repository.name, Fate.NEWER_HERE, _told(repository, member, Fate.NEWER_HERE))
            return
        self._published[place] = False
        if not self._dry:
            await self._publish(repository, root, members, (current.number if current is not None else 0) + 1)
        self.tally.fates.setdefault(repository.name, Counter())[Fate.NEW] += len(members)

    async def _publish(
        self, repository: Repository, root: EntryRecord, members: Sequence[EntryRecord], number: int
    ) -> None:
        aside = []
        for member in members:
            entry = self._entry_of(repository, member)
            if member is root or entry.is_absence:
                continue
            await self._kit.catalog.put_blob(await self._bring_blob(member))
            aside.append(replace(entry, key=edition_key(entry.key, number), aside_at=self._now))
        generation = Published(
            repository=repository.name,
            root=root.key,
            number=number,
            sha256=root.sha256,
            published_at=self._now,
        )
        entry, blob = self._entry_of(repository, root), await self._bring_blob(root)
        await self._kit.catalog.publish(generation, entry, blob, aside)
        for absence in (one for one in members if not one.sha256):
            await self._kit.catalog.put_entry(self._entry_of(repository, absence))


def _resource_of(repository: Repository, record: EntryRecord) -> Resource | None:
    """None also where this store has it in another group, under another name, or not at all."""
    resource = resource_of(repository, record.key)
    if resource is None or resource.kind is Kind.PASS:
        return None
    return resource if (resource.stored_key, resource.snapshot) == (record.key, record.snapshot) else None


def _told(repository: Repository, record: EntryRecord, fate: Fate) -> str:
    if fate is Fate.REFUSED:
        return f"{repository.name}/{record.key}: refused: this name is remembered to stand for other bytes"
    if fate is Fate.UNKNOWN:
        return f"{repository.name}/{record.key}: passed over: this repository serves no such path"
    return ""


def pages(records: Iterator[_T]) -> Iterator[list[_T]]:
    """As many at a time as go into the catalog together."""
    while page := list(islice(records, BATCH)):
        yield page
