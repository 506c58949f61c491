"""Stores that bundles go between: real blobs and a real catalog each, and shelves in place of ecosystems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from entrepot.cache.repository import Repository
from entrepot.catalog.bundles import SqliteBundles
from entrepot.catalog.pins import SqlitePins
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.errors import EntrepotError
from entrepot.mirror.bundles.exporting import Export, Exporter
from entrepot.mirror.bundles.gathering import Choice, Gatherer
from entrepot.mirror.bundles.importing import Import, Importer, Trust
from entrepot.mirror.bundles.signing import load_public_file, make_keys
from entrepot.storage.filesystem import FilesystemBlobs
from tests.cache.works import Works, listing, page
from tests.fakes import FakeClock, MemoryCatalog, ScriptedFetcher

GOODS: dict[str, bytes] = {
    "tools/": listing(hammer_txt=b"a hammer", saw_txt=b"a saw"),
    "tools/hammer.txt": b"a hammer",
    "tools/saw.txt": b"a saw",
    "loose/nail": b"a nail" * 200,
}
ABSENT = "loose/screw"


@dataclass(kw_only=True)
class Site:
    """One store. `other` upstreams: what an air-gapped site has configured."""

    directory: Path
    base: str = "https://registry.example/"
    clock: FakeClock = field(default_factory=FakeClock)
    names: Sequence[str] = ("shelf",)

    def __post_init__(self) -> None:
        self.directory.mkdir(exist_ok=True)
        self.fetcher = ScriptedFetcher(main=self.base)
        self.catalog = SqliteCatalog.open(self.directory / "catalog.db", self.clock)
        self.works = Works(
            blobs=FilesystemBlobs(self.directory),
            catalog=cast(MemoryCatalog, self.catalog),
            clock=self.clock,
            fetcher=self.fetcher,
        )
        self.changed: list[str] = []
        self.book, self.pins = SqliteBundles(self.catalog), SqlitePins(self.catalog)
        repositories = {name: replace(self.works.shelf, name=name, _variants={}) for name in self.names}
        self.repositories: dict[str, Repository] = repositories
        documents, kit = self.works.documents, self.works.kit
        self.gatherer = Gatherer(kit, documents, self.book, repositories)
        self.exporter = Exporter(kit, self.gatherer, self.book, repositories, self.directory / "export")
        self.importer = Importer(
            kit, documents, self.book, self.pins, repositories, self.directory / "import", self.changed.append
        )

    async def close(self) -> None:
        await self.works.settle()
        await self.catalog.close()

    # --- what clients do ----------------------------------------------------------------------------------------------

    async def stock(self, goods: Mapping[str, bytes] = GOODS) -> None:
        """Upstream has these, and clients asked for all of them, and for one that it has not."""
        for path, body in goods.items():
            self.fetcher.on(path, page(body, last_modified="Fri, 20 Nov 2026 11:00:00 GMT"))
        for path in goods:
            await self.works.get(path)
        await self.status(ABSENT)
        await self.works.settle()

    async def status(self, path: str) -> int:
        try:
            return (await self.works.get(path))[0]
        except EntrepotError as error:
            return error.status

    def go_offline(self) -> None:
        rules = replace(self.works.rules, network="offline")
        self.works.shelf = replace(self.works.shelf, rules=rules, _variants={})

    async def holds(self, goods: Mapping[str, bytes] = GOODS) -> bool:
        """Whether an offline client gets all of them, and a 404 for what upstream has not."""
        self.go_offline()
        for path, body in goods.items():
            wanted = body if not path.endswith("/") else None
            if await self.status(path) != 200 or (wanted and (await self.works.get(path))[1] != wanted):
                return False
        return await self.status(ABSENT) == 404

    # --- bundles ------------------------------------------------------------------------------------------------------

    async def export(
        self,
        path: Path,
        *,
        keys: Sequence[tuple[str, str]] | None = None,
        since: int | None = None,
        key: Path | None = None,
        partial: bool = False,
    ) -> Export:
        choice = Choice(
            what="everything", repositories=tuple(self.names), keys=keys, chain=self.exporter.chain_of(since)
        )
        return await self.exporter.export(path, choice, since=since, key=key, partial=partial)

    async def take(
        self,
        path: Path,
        *,
        trust: Path | None = None,
        unsigned: bool = False,
        into: Mapping[str, str] | None = None,
        dry: bool = False,
    ) -> Import:
        keys = (load_public_file(trust),) if trust is not None else ()
        return await self.importer.take(path, Trust(keys=keys, allow_unsigned=unsigned), into=into or {}, dry=dry)

    def is_empty(self) -> bool:
        return self.catalog.totals() == (0, 0, 0) and not self.works.blobs.digests()


def new_key(directory: Path, name: str = "key") -> tuple[Path, Path]:
    """The private one and the public one."""
    make_keys(directory / name)
    return directory / name, directory / f"{name}.pub"
