"""Processes that walk trees: the real engine over one real catalog, and an upstream that lists what it has."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from entrepot.assembly.trees import TreeParts, make_walker
from entrepot.cache.ageing import Ages
from entrepot.cache.answer import Answer
from entrepot.cache.ask import ClientAsk
from entrepot.cache.background import Background
from entrepot.cache.counters import Counters
from entrepot.cache.derived import DerivedBlobs
from entrepot.cache.documents import Documents
from entrepot.cache.engine import Engine
from entrepot.cache.facts import FactBook
from entrepot.cache.flights import Flights
from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.indexes import Indexes
from entrepot.cache.janitor import Janitor
from entrepot.cache.order import Kit, Limits
from entrepot.cache.ranges import Conditions
from entrepot.cache.repository import Repository
from entrepot.cache.solo import SoloBoard, SoloGeneration
from entrepot.cache.soundness import Soundness
from entrepot.cache.validation import Validation
from entrepot.cache.views import Views
from entrepot.catalog.leases import SqliteLeases
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.catalog.trees import SqliteTrees
from entrepot.contracts.ecosystem import Limits as Caps
from entrepot.contracts.fetcher import Ask, UpstreamReply
from entrepot.contracts.leases import Lease
from entrepot.contracts.trees import WalkState
from entrepot.contracts.triggers import Trigger
from entrepot.ecosystems.generic import Generic
from entrepot.errors import EntrepotError
from entrepot.mirror.trees.access import Accesses
from entrepot.mirror.trees.grove import Walked, WalkResult
from entrepot.mirror.trees.walker import Walker, lease_key
from entrepot.model.headers import Headers
from entrepot.model.resource import Request, Resource
from entrepot.model.trees import Tree, folder_key
from entrepot.storage.filesystem import FilesystemBlobs
from tests.cache.works import RecordedTriggers, body_of, sha256
from tests.fakes import FakeClock, Reply, ScriptedFetcher

LONG_AGO = "Thu, 01 Jan 2026 00:00:00 GMT"
BASE = "https://files.example/"
Said = Reply | EntrepotError | Callable[[Ask], Reply | EntrepotError]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A file upstream."""

    body: bytes
    modified: str = LONG_AGO
    size_bytes: int | None = -1
    """As it is listed; -1: as it is, None: not at all."""


class Orchard(ScriptedFetcher):
    """Serves files by their key, and the listings of the folders that they are in, as nginx writes them."""

    def __init__(self, **files: str) -> None:
        super().__init__(main=BASE)
        self.leaves: dict[str, Leaf] = {key.replace("_", "."): Leaf(text.encode()) for key, text in files.items()}
        self.folders: set[str] = set()
        """Empty ones."""
        self.says: dict[str, Said] = {}
        """By key: what is answered instead."""
        self.later: dict[str, Callable[[], Awaitable[None]]] = {}
        """By key: what happens before it is answered."""

    def grow(self, *keys: str) -> "Orchard":
        for key in keys:
            self.leaves[key] = Leaf(f"bytes of {key}".encode())
        return self

    async def send(self, ask: Ask) -> UpstreamReply:
        if happens := self.later.pop(ask.url.removeprefix(BASE), None):
            await happens()
        self.on(ask.url, self._reply(ask))
        return await super().send(ask)

    def answer(self, ask: Ask) -> Reply | EntrepotError:
        """What is there."""
        says, self.says = self.says, {}
        try:
            return self._reply(ask)
        finally:
            self.says = says

    def _reply(self, ask: Ask) -> Reply | EntrepotError:
        key = ask.url.removeprefix(BASE)
        said = self.says.get(key)
        if said is not None:
            return said(ask) if callable(said) else said
        if key in self.leaves:
            return _unless_known(ask, self.leaves[key].body, "application/octet-stream")
        if not key or key.endswith("/"):
            members = self.members(key)
            if members or not key or key in self.folders:
                return _unless_known(ask, json.dumps(members).encode(), "application/json")
        return Reply(status=404)

    def members(self, folder: str) -> list[dict[str, object]]:
        found: dict[str, dict[str, object]] = {}
        for key in [*self.leaves, *self.folders]:
            rest = key.removeprefix(folder)
            if not key.startswith(folder) or not rest:
                continue
            name, slash, _ = rest.partition("/")
            told: dict[str, object] = {"name": unquote(name), "type": "directory" if slash else "file"}
            leaf = self.leaves.get(key)
            if not slash and leaf is not None:
                told["mtime"] = leaf.modified
                if leaf.size_bytes is not None:
                    told["size"] = len(leaf.body) if leaf.size_bytes == -1 else leaf.size_bytes
            found.setdefault(name + slash, told)
        return list(found.values())

    def asked_for(self) -> list[str]:
        """Keys, in order, since the last call."""
        asked = [ask.url.removeprefix(BASE) for ask in self.asks]
        self.asks.clear()
        return asked


def _unless_known(ask: Ask, body: bytes, kind: str) -> Reply:
    etag = f'"{sha256(body)[:8]}"'
    if ask.headers.get("if-none-match") == etag:
        return Reply(status=304, fields=(("etag", etag),))
    return Reply(body=body, fields=(("etag", etag), ("content-type", kind), ("last-modified", LONG_AGO)))


def html(body: str, status: int = 200) -> Reply:
    return Reply(status=status, body=body.encode(), fields=(("content-type", "text/html"),))


@dataclass(kw_only=True)
class Forest:
    """One process. `beside` is another one, with the same data."""

    directory: Path
    orchard: Orchard
    trees: tuple[Tree, ...] = (Tree(path="", jitter=0.0),)
    clock: FakeClock = field(default_factory=FakeClock)
    rules: FreshnessRules = field(default_factory=FreshnessRules)
    options: dict[str, object] = field(default_factory=dict)
    holder: str = "one"
    listings: bool = False
    pauses: list[float] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    """Paths of the trees that accesses had walked."""

    def __post_init__(self) -> None:
        self.blobs = FilesystemBlobs(self.directory)
        self.catalog = SqliteCatalog.open(self.directory / "catalog.db", self.clock)
        self.counters, self.background, self.generation = Counters(), Background(), SoloGeneration()
        self.kit = Kit(fetcher=self.orchard, blobs=self.blobs, catalog=self.catalog, clock=self.clock, limits=Limits())
        self.book, self.leases = SqliteTrees(self.catalog), SqliteLeases(self.catalog)
        self.repository = Repository(
            name="files",
            ecosystem=Generic(self.options),
            upstreams=("main",),
            rules=self.rules,
            limits=Caps(),
            trees=self.trees,
            listings=self.listings,
        )
        self._make_engine()
        self.accesses = Accesses({"files": self.repository}, self.book, self.leases, self.clock, self._begin)

    def _make_engine(self) -> None:
        kit, board = self.kit, SoloBoard()
        derived = DerivedBlobs(self.blobs, self.catalog)
        soundness = Soundness(self.blobs, self.catalog, lambda: None)
        flights = Flights(kit, board, self.generation, self.background)
        documents = Documents(kit, flights, FactBook(derived), soundness, self.counters)
        ages = Ages(kit, documents)
        parts = TreeParts(
            kit=kit,
            catalog=self.catalog,
            flights=flights,
            documents=documents,
            soundness=soundness,
            counters=self.counters,
            generation=self.generation,
            repositories={"files": self.repository},
            holder=self.holder,
        )
        directories = parts.directories()
        self.engine = Engine(
            kit,
            flights,
            documents,
            Indexes(documents, Views(derived, board), self.counters, ages),
            soundness,
            self.counters,
            0.05,
            RecordedTriggers(),
            ages,
            Validation(None, documents, self.background, self.clock, 60.0),
            directories,
        )
        self.janitor = Janitor(kit, self.generation, self.counters, None)
        self.walker: Walker = make_walker(parts, directories, self.engine.supply, self.janitor, self._pause)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def _begin(self, repository: str, tree: Tree) -> None:
        self.begun.append(tree.path)

    def beside(self, **changes: object) -> "Forest":
        return replace(self, **{"holder": "two", "begun": [], **changes})  # type: ignore[arg-type]

    def offline(self) -> "Forest":
        return self.beside(rules=FreshnessRules(network="offline"))

    async def close(self) -> None:
        await self.background.settle(10)
        await self.catalog.close()

    # --- walks --------------------------------------------------------------------------------------------------------

    async def walk(self, path: str = "/", after: float = 3600.0) -> WalkResult:
        """The next walk, that many seconds later."""
        self.clock.advance(after)
        self.walked: list[Walked] = []
        return await self.walker.walk("files", path, self.walked.append)

    def state(self, path: str = "") -> WalkState:
        state = self.book.find_state("files", path)
        assert state is not None
        return state

    def lease(self, path: str = "") -> Lease:
        lease = self.leases.find(lease_key("files", path))
        assert lease is not None
        return lease

    # --- clients ------------------------------------------------------------------------------------------------------

    def resource(self, path: str) -> Resource:
        return self.repository.ecosystem.route(Request(method="GET", path=path))  # type: ignore[return-value]

    async def ask(self, path: str, accept: str = "", **conditions: str) -> Answer:
        headers = Headers([("accept", accept)]) if accept else Headers()
        ask = ClientAsk(conditions=Conditions(**conditions), headers=headers)
        return await self.engine.fetch(self.repository, self.resource(path), ask)

    async def get(self, path: str, accept: str = "") -> bytes:
        return await body_of(await self.ask(path, accept))

    async def names(self, path: str = "") -> dict[str, bool]:
        """What a directory page of ours has, and whether it is held."""
        return {one["name"]: one.get("held", True) for one in json.loads(await self.get(path, "application/json"))}

    def read(self, path: str, *, authenticated: bool = False) -> None:
        """A client got it."""
        self.accesses.offer(
            Trigger(
                repository="files",
                resource=self.resource(path),
                reason="access",
                client="127.0.0.1",
                authenticated=authenticated,
            )
        )

    def held(self) -> list[str]:
        """The keys of the files that are served without asking anybody."""
        entries = self.catalog.entries("files")
        return [one.key for one in entries if one.gone_at is None and one.sha256 and " " not in one.key]

    @property
    def keys(self) -> list[str]:
        """Of everything that is stored, listings and what is gone as well."""
        return [entry.key.partition(" ")[0] for entry in self.catalog.entries("files")]


@asynccontextmanager
async def planted(directory: Path, orchard: Orchard, **changes: object) -> AsyncIterator[Forest]:
    forest = Forest(directory=directory, orchard=orchard, **changes)  # type: ignore[arg-type]
    try:
        yield forest
    finally:
        await forest.close()


def tree(path: str = "/", **settings: object) -> Tree:
    return Tree(path=folder_key(path), **{"jitter": 0.0, **settings})  # type: ignore[arg-type]
