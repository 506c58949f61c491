"""Processes that do mirror jobs: the real engine over one real catalog, and a scripted upstream."""

import asyncio
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from entrepot.assembly.mirrors import MirrorParts, make_mirror
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
from entrepot.cache.repository import Repository
from entrepot.cache.scribe import Scribe
from entrepot.cache.solo import SoloBoard, SoloGeneration
from entrepot.cache.soundness import Soundness
from entrepot.cache.validation import Validation
from entrepot.cache.views import Views
from entrepot.catalog.leases import SqliteLeases
from entrepot.catalog.mirrors import SqliteMirrors
from entrepot.catalog.pins import SqlitePins
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.blobs import GrowingBlob
from entrepot.contracts.closure import Closure, Need
from entrepot.contracts.ecosystem import Limits as Caps
from entrepot.contracts.leases import Lease
from entrepot.contracts.mirrors import Job, JobState
from entrepot.errors import StoreFailure
from entrepot.mirror.ground import MirrorRules
from entrepot.model.order import MirrorOrder, Paper, PaperKind
from entrepot.model.purl import Purl
from entrepot.model.resource import Request, Resource
from entrepot.model.selection import Depth, Extent, Selection
from entrepot.policy.gate import Gate
from entrepot.storage.filesystem import FilesystemBlobs
from tests.cache.works import RecordedTriggers, Shelf, body_of, page, sha256
from tests.fakes import FakeClock, Reply, ScriptedFetcher

RULES = MirrorRules(poll_seconds=0.01)


class Garden(Shelf):
    """A shelf whose packages can be enumerated: the files of `PACKAGE/`, or those whose names begin with the version,
    `loose/PACKAGE.probe`, which clients may ask for in vain, and the packages that `loose/PACKAGE.needs` names."""

    name: ClassVar[str] = "garden"
    purl_types: ClassVar[tuple[str, ...]] = ("garden",)

    def closure(self, selection: Selection) -> Closure:
        package = selection.package
        listed = yield Need(resource=self._at(f"{package}/"), reads=True)
        assert listed is not None
        for name in json.loads(listed.document.body.read()):
            if name.startswith(selection.version) and not {name, "1"} & listed.hidden:
                yield Need(resource=self._at(f"{package}/{name}"))
        yield Need(resource=self._at(f"loose/{package}.probe"), absent="maybe")
        yield Need(resource=self._at(f"signed/{package}.never"), absent="yes")
        if selection.extent.depth is not Depth.NONE:
            needed = yield Need(resource=self._at(f"loose/{package}.needs"), reads=True, absent="maybe")
            for line in needed.document.body.read().decode().split() if needed is not None else ():
                yield Selection(package=line, extent=selection.extent)

    def purl_of(self, resource: Resource, version: str) -> Purl | None:
        return Purl(type="garden", namespace="", name=resource.about, version=version) if resource.about else None

    def _at(self, path: str) -> Resource:
        return self.route(Request(method="GET", path=path))


class Disk(FilesystemBlobs):
    """Has no space left while it is `full`."""

    full = False

    def create(self) -> GrowingBlob:
        if self.full:
            raise StoreFailure("no space left on device")
        return super().create()


@dataclass(kw_only=True)
class Site:
    """One process. `beside` is another one, with the same data."""

    directory: Path
    clock: FakeClock = field(default_factory=FakeClock)
    fetcher: ScriptedFetcher = field(default_factory=ScriptedFetcher)
    freshness: FreshnessRules = field(default_factory=FreshnessRules)
    gate: Gate = field(default_factory=Gate)
    rules: MirrorRules = RULES
    max_bytes: int | None = None
    holder: str = "one"
    helper: str = "/nonexistent"
    """Would not find the ecosystems of tests: orders are read here."""
    pauses: list[float] = field(default_factory=list)
    """Seconds that were waited for before another attempt."""

    def __post_init__(self) -> None:
        self.blobs = Disk(self.directory)
        self.catalog = SqliteCatalog.open(self.directory / "catalog.db", self.clock)
        self.counters, self.background = Counters(), Background()
        self.kit = Kit(fetcher=self.fetcher, blobs=self.blobs, catalog=self.catalog, clock=self.clock, limits=Limits())
        self._make_engine()
        self.repositories = {"garden": self._repository()}
        self.scribe = Scribe(command=(self.helper,))
        self.mirror = make_mirror(
            MirrorParts(
                data=self.directory,
                kit=self.kit,
                catalog=self.catalog,
                repositories=self.repositories,
                supply=self.engine.supply,
                scribe=self.scribe,
                rules=self.rules,
                holder=self.holder,
                pause=self._pause,
            )
        )
        self.book, self.pins = SqliteMirrors(self.catalog), SqlitePins(self.catalog)

    def _make_engine(self) -> None:
        kit, board, generation = self.kit, SoloBoard(), SoloGeneration()
        derived = DerivedBlobs(self.blobs, self.catalog)
        soundness = Soundness(self.blobs, self.catalog, lambda: None)
        flights = Flights(kit, board, generation, self.background)
        documents = Documents(kit, flights, FactBook(derived), soundness, self.counters)
        ages = Ages(kit, documents)
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
        )
        self.janitor = Janitor(kit, generation, self.counters, self.max_bytes)

    def _repository(self) -> Repository:
        return Repository(
            name="garden",
            ecosystem=Garden(),
            upstreams=tuple(self.fetcher.bases),
            rules=self.freshness,
            limits=Caps(),
            gate=self.gate,
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def close(self) -> None:
        await self.background.settle(10)
        await self.scribe.close()
        await self.catalog.close()

    def beside(self, **changes: object) -> "Site":
        return replace(self, **{"holder": "two", **changes})  # type: ignore[arg-type]

    def offline(self) -> "Site":
        """The same data, when upstream may not be asked any more."""
        return self.beside(freshness=FreshnessRules(network="offline"), fetcher=ScriptedFetcher())

    # --- upstream -----------------------------------------------------------------------------------------------------

    def publish(
        self, package: str, *, needs: str = "", files: Mapping[str, bytes] | None = None, **more: bytes
    ) -> None:
        """A package with its files (`more`: names with `_` for `.`)."""
        named = {**(files or {}), **{name.replace("_", "."): body for name, body in more.items()}}
        self.fetcher.on(f"{package}/", page(json.dumps({name: sha256(body) for name, body in named.items()}).encode()))
        for name, body in named.items():
            self.fetcher.on(f"{package}/{name}", page(body))
        if needs:
            self.fetcher.on(f"loose/{package}.needs", page(needs.encode()))

    def script(self, path: str) -> list[Reply]:
        """What upstream answers for a published path."""
        return [answer for answer in self.fetcher.scripted(path) if isinstance(answer, Reply)]

    def bodies(self) -> list[str]:
        """The paths of which upstream gave bodies, since `forget`."""
        base = self.fetcher.base_url("main")
        return sorted(reply.url.removeprefix(base) for reply in self.fetcher.replies if reply.status == 200)

    def file_of(self, body: bytes) -> Path:
        """Where these bytes are stored."""
        sha256 = hashlib.sha256(body).hexdigest()
        return next(path for path in self.directory.rglob(sha256[2:]) if path.parent.name == sha256[:2])

    def forget(self) -> None:
        self.fetcher.asks.clear()
        self.fetcher.replies.clear()

    # --- jobs ---------------------------------------------------------------------------------------------------------

    async def order(self, *purls: str, allowed: Collection[str] | None = None, **more: object) -> Job:
        extent = Extent(depth=more.pop("depth", Depth.NONE))  # type: ignore[arg-type]
        order = MirrorOrder(purls=purls, extent=extent, **more)  # type: ignore[arg-type]
        return await self.mirror.submit(order, client="tests", repositories=allowed)

    async def run(self, *purls: str, **more: object) -> Job:
        """The job when it has ended."""
        return await self.finish(await self.order(*purls, **more))  # type: ignore[arg-type]

    async def finish(self, job: Job) -> Job:
        async with asyncio.timeout(30):
            return await self.mirror.finish(job.id)

    def lease(self, job: Job) -> Lease | None:
        return SqliteLeases(self.catalog).find(f"mirror/{job.id}")

    def state(self, job: Job) -> JobState:
        found = self.mirror.find_job(job.id)
        assert found is not None
        return found.state

    def bill(self, body: bytes) -> tuple[Paper, ...]:
        return (Paper(kind=PaperKind.SBOM, name="bom.json", body=body),)

    def states(self, job: Job) -> dict[str, str]:
        """Of its files, by key."""
        return {
            item.key: item.state.value
            for item in self.book.items(job.id, 0, 10_000)
            if item.kind.value in ("file", "absence")
        }

    # --- clients ------------------------------------------------------------------------------------------------------

    def request(self, path: str) -> Request:
        return Request(method="GET", path=path)

    def is_stored(self, path: str) -> bool:
        return self.catalog.find_entry("garden", path) is not None

    async def get(self, path: str) -> tuple[int, bytes]:
        """Raises what the client is told instead."""
        repository = self.repositories["garden"]
        resource = repository.ecosystem.route(Request(method="GET", path=path))
        assert isinstance(resource, Resource)
        answer: Answer = await self.engine.fetch(repository, resource, ClientAsk(base="http://x"))
        return answer.status, await body_of(answer)
