"""What writes bundles and takes them over, made when it is first needed: most servers never do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from entrepot.cache.documents import Documents
from entrepot.cache.engine import Engine
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.catalog.bundles import SqliteBundles
from entrepot.catalog.pins import SqlitePins
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.board import Generation
from entrepot.mirror.jobs import Mirror

if TYPE_CHECKING:
    from entrepot.mirror.bundles.depot import Depot


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleParts:
    data: Path
    kit: Kit
    catalog: SqliteCatalog
    documents: Documents
    engine: Engine
    mirror: Mirror
    generation: Generation
    repositories: Mapping[str, Repository]
    trusted: Sequence[str]


def depot_maker(parts: BundleParts) -> "Callable[[], Depot]":
    """Makes it at the first call."""
    return cache(lambda: _make_depot(parts))


def _make_depot(parts: BundleParts) -> "Depot":
    # A fifth of a second, mostly for the library of signatures, that a start does not spend.
    from entrepot.mirror.bundles.choosing import Chooser  # noqa: PLC0415
    from entrepot.mirror.bundles.depot import Depot  # noqa: PLC0415
    from entrepot.mirror.bundles.exporting import Exporter  # noqa: PLC0415
    from entrepot.mirror.bundles.gathering import Gatherer  # noqa: PLC0415
    from entrepot.mirror.bundles.importing import Importer  # noqa: PLC0415
    from entrepot.mirror.bundles.tree import TreeWriter  # noqa: PLC0415

    book, repositories, work = SqliteBundles(parts.catalog), parts.repositories, parts.data / "export"
    gatherer = Gatherer(parts.kit, parts.documents, book, repositories)

    def changed(repository: str) -> None:
        parts.engine.absences.forget(f"{repository}/")
        parts.generation.advance()

    return Depot(
        book=book,
        chooser=Chooser(book, parts.mirror, repositories),
        exporter=Exporter(parts.kit, gatherer, book, repositories, work),
        importer=Importer(
            parts.kit,
            parts.documents,
            book,
            SqlitePins(parts.catalog),
            repositories,
            parts.data / "import",
            changed,
        ),
        trees=TreeWriter(parts.engine, gatherer, repositories, work),
        trusted=parts.trusted,
    )
