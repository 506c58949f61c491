"""Everything that can be done with bundles, for who is asked to do it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from entrepot.contracts.bundles import BundleBook, TakenBundle, WrittenBundle
from entrepot.mirror.bundles.choosing import Chooser, Wanted
from entrepot.mirror.bundles.exporting import Export, Exporter
from entrepot.mirror.bundles.importing import Import, Importer, Trust
from entrepot.mirror.bundles.signing import load_public, load_public_file
from entrepot.mirror.bundles.tree import TreeExport, TreeWriter


@dataclass(frozen=True, slots=True)
class Depot:
    book: BundleBook
    chooser: Chooser
    exporter: Exporter
    importer: Importer
    trees: TreeWriter
    trusted: Sequence[str]
    """Public keys of the configuration, as they stand there."""

    async def export(
        self, path: Path, wanted: Wanted, *, key: Path | None, partial: bool
    ) -> tuple[Export, tuple[str, ...]]:
        """And what of the order no registry serves. Raises BadRequest, ConfigError, StoreFailure."""
        chosen = await self.chooser.choose(wanted)
        choice = replace(chosen.choice, chain=self.exporter.chain_of(chosen.since))
        done = await self.exporter.export(
            path, choice, since=chosen.since, key=key, partial=partial, missing=chosen.missing
        )
        return done, chosen.skipped

    async def export_tree(
        self, directory: Path, wanted: Wanted, *, base_url: str, partial: bool
    ) -> tuple[TreeExport, tuple[str, ...]]:
        """The same as files. Raises BadRequest, StoreFailure."""
        chosen = await self.chooser.choose(wanted)
        done = await self.trees.write(
            directory, chosen.choice, base_url=base_url, partial=partial, missing=chosen.missing
        )
        return done, chosen.skipped

    async def take(
        self, path: Path, trusted: Sequence[Path], *, allow_unsigned: bool, into: Mapping[str, str], dry: bool
    ) -> Import:
        """Raises UnreadableBundle, BadRequest, ConfigError, StoreFailure."""
        configured = [load_public(text, "bundles.trusted_keys") for text in self.trusted]
        keys = (*configured, *(load_public_file(file) for file in trusted))
        return await self.importer.take(path, Trust(keys=keys, allow_unsigned=allow_unsigned), into=into, dry=dry)

    def written(self) -> list[WrittenBundle]:
        """May take long: call it in a thread, as `taken`."""
        return self.book.written()

    def taken(self) -> list[TakenBundle]:
        return self.book.taken()
