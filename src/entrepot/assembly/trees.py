"""What mirrors trees, made from settings and parts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from entrepot.cache.background import Background
from entrepot.cache.counters import Counters
from entrepot.cache.derived import DerivedBlobs
from entrepot.cache.directories import Directories
from entrepot.cache.documents import Documents
from entrepot.cache.facts import FactBook
from entrepot.cache.flights import Flights
from entrepot.cache.janitor import Janitor
from entrepot.cache.order import Kit
from entrepot.cache.repository import Repository
from entrepot.cache.solo import SoloBoard, SoloGeneration
from entrepot.cache.soundness import Soundness
from entrepot.cache.supply import Supply
from entrepot.catalog.leases import SqliteLeases
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.catalog.trees import SqliteTrees
from entrepot.contracts.board import Generation
from entrepot.mirror.jobs import Mirror
from entrepot.mirror.trees.access import Accesses
from entrepot.mirror.trees.grove import Grove
from entrepot.mirror.trees.telling import BY_ACCESS
from entrepot.mirror.trees.walker import Walker
from entrepot.model.order import MirrorOrder
from entrepot.model.trees import Tree

Pause = Callable[[float], Awaitable[None]]


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


def make_walker(
    parts: TreeParts, directories: Directories, supply: Supply, janitor: Janitor, pause: Pause = asyncio.sleep
) -> Walker:
    """`pause`: how the time passes for which upstream asks to be left alone."""
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
        pause=pause,
    )
    return Walker(grove, holder=parts.holder)


class RehearsedTrees:
    """Trees, on copies of which nothing stays."""

    def __init__(self, walker: Walker) -> None:
        self.walk = walker.rehearse


def rehearsed_trees(
    kit: Kit, catalog: SqliteCatalog, repositories: Mapping[str, Repository], supply: Supply, background: Background
) -> RehearsedTrees:
    """`catalog`: the kit's."""
    counters, generation = Counters(), SoloGeneration()
    soundness = Soundness(kit.blobs, kit.catalog, lambda: None)
    flights = Flights(kit, SoloBoard(), generation, background)
    documents = Documents(kit, flights, FactBook(DerivedBlobs(kit.blobs, kit.catalog)), soundness, counters)
    parts = TreeParts(
        kit=kit,
        catalog=catalog,
        flights=flights,
        documents=documents,
        soundness=soundness,
        counters=counters,
        generation=generation,
        repositories=repositories,
        holder="rehearsal",
    )
    janitor = Janitor(kit, generation, counters, None)
    return RehearsedTrees(make_walker(parts, parts.directories(), supply, janitor))


def make_accesses(parts: TreeParts, mirror: Mirror, allowed: Literal["any", "authenticated", "none"]) -> Accesses:
    """Reading in a tree makes a mirror job of its walk: it is listed, and can be cancelled, like any other."""

    async def begin(repository: str, tree: Tree) -> None:
        path = f"/{repository}/{tree.path}"
        await mirror.submit(MirrorOrder(trees=(path,)), client=BY_ACCESS, name=f"tree {path}")

    book, leases = SqliteTrees(parts.catalog), SqliteLeases(parts.catalog)
    return Accesses(parts.repositories, book, leases, parts.kit.clock, begin, allowed=allowed)
