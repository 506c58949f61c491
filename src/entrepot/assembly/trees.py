"""What mirrors trees, made from settings and parts."""

from collections.abc import Mapping
from dataclasses import dataclass

from entrepot.cache.counters import Counters
from entrepot.cache.directories import Directories
from entrepot.cache.documents import Documents
from entrepot.cache.flights import Flights
from entrepot.cache.janitor import Janitor
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.cache.soundness import Soundness
from entrepot.cache.supply import Supply
from entrepot.catalog.leases import SqliteLeases
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.catalog.trees import SqliteTrees
from entrepot.contracts.board import Generation
from entrepot.mirror.trees.grove import Grove
from entrepot.mirror.trees.walker import Walker


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeParts:
    """Of a process, for its walks."""

    kit: Kit
    catalog: SqliteCatalog
    """The kit's."""
    flights: Flights
    documents: Documents
    soundness: Soundness
    counters: Counters
    generation: Generation
    repositories: Mapping[str, Repository]
    holder: str

    def directories(self) -> Directories:
        held = SqliteTrees(self.catalog).held_among
        return Directories(self.kit, self.flights, self.documents, self.soundness, self.counters, held)


def make_walker(parts: TreeParts, directories: Directories, supply: Supply, janitor: Janitor) -> Walker:
    grove = Grove(
        book=SqliteTrees(parts.catalog),
        leases=SqliteLeases(parts.catalog),
        catalog=parts.kit.catalog,
        clock=parts.kit.clock,
        directories=directories,
        documents=parts.documents,
        supply=supply,
        janitor=janitor,
        generation=parts.generation,
        repositories=parts.repositories,
    )
    return Walker(grove, holder=parts.holder)
