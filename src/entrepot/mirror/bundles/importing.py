"""Bundles are taken over: checked from first to last byte, then dates, entries and pins, then noted."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from entrepot.cache.documents import Documents
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.contracts.bundles import BundleBook, TakenBundle
from entrepot.contracts.mirrors import Pins
from entrepot.errors import UnreadableBundle
from entrepot.mirror.bundles import signing
from entrepot.mirror.bundles.records import (
    BlobRecord,
    Manifest,
    OwnerRecord,
    PinRecord,
    ReadingRecord,
    RepositoryPart,
    SightingRecord,
)
from entrepot.mirror.bundles.staging import Opened, Staged, open_bundle, stage
from entrepot.mirror.bundles.taking import Fate, Taker, Tally, pages

UNSIGNED = "it is not signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom the import believes."""

    keys: tuple[str, ...] = ()
    """Public keys, as `signing.load_public` gives them."""
    allow_unsigned: bool = False
    """Whether what nobody we trust has signed may fill gaps: without its dates and pins, and replacing nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What became of a bundle."""

    manifest: Manifest
    signer: str
    """A trusted public key; empty: it was taken over as unsigned."""
    tally: Tally
    missing: tuple[RepositoryPart, ...]
    """Repositories that are not here, or are of another ecosystem."""
    warnings: tuple[str, ...]
    dry: bool

    @property
    def complete(self) -> bool:
        return not self.missing and not self.tally.total(Fate.REFUSED)


class Importer:
    def __init__(
        self,
        kit: Kit,
        documents: Documents,
        book: BundleBook,
        pins: Pins,
        repositories: Mapping[str, Repository],
        directory: Path,
        on_change: Callable[[str], None],
    ) -> None:
        """`directory`: where checked parts wait, on the disk of the store. `on_change` is told the name of each
        repository of which something may have changed."""
        self._kit, self._documents, self._book, self._pins = kit, documents, book, pins
        self._repositories, self._directory, self._on_change = repositories, directory, on_change

    async def take(self, path: Path, trust: Trust, *, into: Mapping[str, str], dry: bool) -> Import:
        """`into`: names of repositories in the bundle to names here, where they differ. Nothing is taken over before
        all of it was checked. Raises UnreadableBundle, BadRequest, StoreFailure."""
        with ExitStack() as stack:
            staged, signer = await asyncio.to_thread(self._stage, stack, path, trust, dry)
            manifest = staged.manifest
            known, missing = self._match(manifest, into)
            warnings = await asyncio.to_thread(self._warnings, manifest)
            taker = Taker(self._kit, self._documents, staged, known, signed=bool(signer), dry=dry)
            if signer and not dry:
                await self._take_dates(staged, known)
            try:
                tally = await taker.take()
            finally:
                for repository in known.values():
                    self._on_change(repository.name)
            if not dry:
                await self._finish(staged, known, signer, tally)
            return Import(manifest=manifest, signer=signer, tally=tally, missing=missing, warnings=warnings, dry=dry)

    # --- checking ---------------------------------------------------------------------------------------------------

    def _stage(self, stack: ExitStack, path: Path, trust: Trust, dry: bool) -> tuple[Staged, str]:
        opened = stack.enter_context(open_bundle(path))
        signer = _signer_of(opened, trust)
        directory = self._directory / opened.digest[:32]
        if dry:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            directory = Path(stack.enter_context(TemporaryDirectory(dir=self._directory)))
        return stack.enter_context(stage(opened, directory, self._holds, keep=not dry)), signer

    def _holds(self, record: BlobRecord) -> bool:
        """Whether the store has this body, and as it was verified."""
        blob = self._kit.blobs.open(record.sha256)
        if blob is None:
            return False
        try:
            known = self._book.find_blob(record.sha256)
            return known is not None and known.fingerprint == blob.fingerprint()
        finally:
            blob.close()

    def _match(
        self, manifest: Manifest, into: Mapping[str, str]
    ) -> tuple[dict[str, Repository], tuple[RepositoryPart, ...]]:
        found = {}
        for part in manifest.repositories:
            repository = self._repositories.get(into.get(part.name, part.name))
            if repository is not None and repository.ecosystem.name == part.ecosystem:
                found[part.name] = repository
        return found, tuple(part for part in manifest.repositories if part.name not in found)

    def _warnings(self, manifest: Manifest) -> tuple[str, ...]:
        base = manifest.since
        if base is None or manifest.store == self._book.store():
            return ()
        if any((one.store, one.digest) == (manifest.store, base.digest) for one in self._book.taken()):
            return ()
        needs = f"{manifest.name} builds on bundle {base.number}, which was not imported here"
        return (f"{needs}: what only that one has is missing",)

    # --- what goes along --------------------------------------------------------------------------------------------

    async def _take_dates(self, staged: Staged, known: Mapping[str, Repository]) -> None:
        """First, so that nothing is served that its own date would keep back. The earlier of theirs and ours counts."""
        for readings in pages(staged.records("readings", ReadingRecord)):
            await asyncio.gather(*(self._take_reading(one, known) for one in readings))
        for sightings in pages(staged.records("sightings", SightingRecord)):
            await asyncio.gather(*(self._take_sighting(one, known) for one in sightings))
        for owners in pages(staged.records("owners", OwnerRecord)):
            await asyncio.gather(*(self._take_owner(one, known) for one in owners))

    async def _take_reading(self, record: ReadingRecord, known: Mapping[str, Repository]) -> None:
        if record.repository in known:
            name, at = known[record.repository].name, min(record.read_at, self._kit.clock.now())
            await self._kit.catalog.put_sightings(name, record.place, "", (), at)

    async def _take_sighting(self, record: SightingRecord, known: Mapping[str, Repository]) -> None:
        if record.repository in known:
            name, at = known[record.repository].name, min(record.first_seen, self._kit.clock.now())
            versions = (record.version,)
            await self._kit.catalog.put_sightings(name, record.place, record.package, versions, at, reading=False)

    async def _take_owner(self, record: OwnerRecord, known: Mapping[str, Repository]) -> None:
        repository = known.get(record.repository)
        upstream = self._upstream_of(repository, record) if repository is not None else None
        if repository is not None and upstream is not None:
            await self._kit.catalog.put_owner(repository.name, record.package, upstream)

    def _upstream_of(self, repository: Repository, owner: OwnerRecord) -> str | None:
        """The one of ours that is the same: by its address, else by its name."""
        same = [name for name in repository.upstreams if self._kit.fetcher.base_url(name) == owner.base]
        return next(iter(same), owner.upstream if owner.upstream in repository.upstreams else None)

    async def _finish(self, staged: Staged, known: Mapping[str, Repository], signer: str, tally: Tally) -> None:
        manifest, now = staged.manifest, self._kit.clock.now()
        if signer:
            for batch in pages(_pinned(staged, known)):
                await self._pins.pin(f"bundle-{manifest.store}-{manifest.number}", batch, now)
        taken = TakenBundle(
            store=manifest.store,
            number=manifest.number,
            digest=staged.digest,
            signer=signer,
            taken_at=now,
            entries=tally.total(Fate.NEW),
        )
        await self._book.note_taken(taken)
        await asyncio.to_thread(staged.remove)


def _pinned(staged: Staged, known: Mapping[str, Repository]) -> Iterator[tuple[str, str]]:
    for one in staged.records("pins", PinRecord):
        if one.repository in known:
            yield known[one.repository].name, one.key


def _signer_of(opened: Opened, trust: Trust) -> str:
    """The trusted key that signed it; empty for one that is taken over as unsigned. Raises UnreadableBundle."""
    signer = signing.check(opened.body, opened.signature, trust.keys) if opened.signature else None
    if signer is not None and signer.trusted:
        return signer.key
    if trust.allow_unsigned:
        return ""
    reason = f"it is signed by a key that is not trusted: {signer.key}" if signer is not None else UNSIGNED
    raise UnreadableBundle(
        f"{opened.manifest.name}: {reason}. --trust FILE names a public key that is trusted, as bundles.trusted_keys "
        "does; --allow-unsigned takes the bundle over without its dates and pins"
    )
