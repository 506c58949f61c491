"""The engine with everything it needs, against a scripted upstream: what `assembly` does, from fakes and real parts."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from entrepot.cache.ageing import Ages
from entrepot.cache.answer import Answer, Growing, Stored, Streamed
from entrepot.cache.ask import ClientAsk
from entrepot.cache.background import Background
from entrepot.cache.counters import Counters, Counts
from entrepot.cache.derived import DerivedBlobs
from entrepot.cache.documents import Documents
from entrepot.cache.engine import Engine
from entrepot.cache.facts import FactBook
from entrepot.cache.flight import Flight
from entrepot.cache.flights import Flights
from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.indexes import Indexes
from entrepot.cache.janitor import Janitor
from entrepot.cache.order import Kit, Limits, Order
from entrepot.cache.plan import Wish
from entrepot.cache.ranges import Conditions
from entrepot.cache.repository import Repository, Store
from entrepot.cache.solo import SoloBoard, SoloGeneration
from entrepot.cache.soundness import Soundness
from entrepot.cache.validation import Validation
from entrepot.cache.views import Views
from entrepot.contracts.blobs import BlobStore
from entrepot.contracts.board import Board
from entrepot.contracts.ecosystem import Ecosystem, View
from entrepot.contracts.ecosystem import Limits as EcosystemLimits
from entrepot.contracts.triggers import Trigger
from entrepot.contracts.validator import Validator
from entrepot.errors import Absent, UnreadableIndex
from entrepot.model.digest import Digest
from entrepot.model.release import Document, Location, Release, ReleaseFile, Rendered
from entrepot.model.resource import BASE, Kind, Request, Resource
from entrepot.policy.gate import Gate
from entrepot.storage.filesystem import FilesystemBlobs
from tests.fakes import FakeClock, MemoryCatalog, Reply, ScriptedFetcher


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def listing(**files: bytes) -> bytes:
    """An index of the shelf: names (with `_` for `.`) and what the files hold."""
    return json.dumps({name.replace("_", "."): sha256(body) for name, body in files.items()}).encode()


class Shelf(Ecosystem):
    """A small ecosystem: `PACKAGE/` lists names and digests, `PACKAGE/NAME` is a file, `loose/NAME` one that nothing
    lists, `signed/NAME` changes and is left alone, `named/SHA256` is named by its digest, `pass/…` passes. A digest
    with `@HOST` is of a file elsewhere, `-/HOST/PACKAGE/NAME` here."""

    name: ClassVar[str] = "shelf"
    title: ClassVar[str] = "Shelf"

    def route(self, request: Request) -> Resource:
        path = request.path
        if path.startswith("-/"):
            return self._elsewhere(path)
        folder, _, name = path.partition("/")
        plain = Resource(key=path, path=path, kind=Kind.ARTIFACT, about=folder)
        match folder:
            case "pass":
                return replace(plain, kind=Kind.PASS, method=request.method)
            case "signed":
                return replace(plain, kind=Kind.SIGNED)
            case "loose":
                return plain
            case "named":
                return replace(plain, digest=Digest("sha256", name))
        if not name:
            return replace(plain, kind=Kind.INDEX, form=request.accept or "all")
        return replace(plain, listed_in=Resource(key=f"{folder}/", path=f"{folder}/", kind=Kind.INDEX, about=folder))

    def _elsewhere(self, path: str) -> Resource:
        _, host, package, name = path.split("/")
        index = Resource(key=f"{package}/", path=f"{package}/", kind=Kind.INDEX, about=package)
        place = f"/{package}/{name}"
        return Resource(key=path, path=place, kind=Kind.ARTIFACT, origin=host, about=package, listed_in=index)

    def releases(self, document: Document) -> Iterator[Release]:
        package = document.place.rstrip("/")
        for name, told in _read(document).items():
            digest, _, host = told.partition("@")
            place = Location(host or BASE, f"/{package}/{name}")
            file = ReleaseFile(name=name, location=place, digests=(Digest("sha256", digest),))
            yield Release(package=package, version="1", files=(file,))

    def link(self, package: str, file: ReleaseFile) -> str:
        origin = file.location.origin
        return f"{package}/{file.name}" if origin == BASE else f"-/{origin}/{package}/{file.name}"

    def render(self, resource: Resource, documents: Sequence[Document], view: View) -> Rendered | None:
        if view.form == "raw":
            return None
        names = sorted(_read(documents[0]))
        if view.form != "all":
            names = [name for name in names if name == view.form]
        if not names:
            raise Absent(resource.key)
        return Rendered(body=("\n".join(names) + "\n").encode(), content_type="text/plain")


def _read(document: Document) -> dict[str, str]:
    text = document.body.read()
    if text.startswith(b"crash"):
        raise KeyError(text)
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UnreadableIndex(f"{document.place}: not JSON") from error
    return {str(name): str(digest) for name, digest in found.items()}


@dataclass(slots=True)
class RecordedTriggers:
    """What was offered."""

    offered: list[Trigger] = field(default_factory=list)

    def offer(self, trigger: Trigger) -> None:
        self.offered.append(trigger)


@dataclass(kw_only=True)
class Works:
    """One process. Several on one directory share blobs, catalog, clock and upstream."""

    blobs: BlobStore
    catalog: MemoryCatalog
    clock: FakeClock
    fetcher: ScriptedFetcher
    board: Board = field(default_factory=SoloBoard)
    rules: FreshnessRules = field(default_factory=FreshnessRules)
    limits: Limits = field(default_factory=Limits)
    caps: EcosystemLimits = field(default_factory=EcosystemLimits)
    verify_always: bool = True
    range_wait: float = 0.05
    max_bytes: int | None = None
    gate: Gate = field(default_factory=Gate)
    store: Store = "on"
    offline_miss: Literal[404, 504] = 504
    triggers: RecordedTriggers = field(default_factory=RecordedTriggers)
    validator: Validator | None = None

    def __post_init__(self) -> None:
        self.counters, self.background, self.generation = Counters(), Background(), SoloGeneration()
        kit = Kit(fetcher=self.fetcher, blobs=self.blobs, catalog=self.catalog, clock=self.clock, limits=self.limits)
        self.kit = kit
        self.derived = DerivedBlobs(self.blobs, self.catalog)
        self.soundness = Soundness(self.blobs, self.catalog, self._quarantined)
        self.flights = Flights(kit, self.board, self.generation, self.background)
        self.book = FactBook(self.derived)
        self.documents = Documents(kit, self.flights, self.book, self.soundness, self.counters)
        self.views = Views(self.derived, self.board)
        self.ages = Ages(kit, self.documents)
        indexes = Indexes(self.documents, self.views, self.counters, self.ages)
        self.engine = Engine(
            kit,
            self.flights,
            self.documents,
            indexes,
            self.soundness,
            self.counters,
            self.range_wait,
            self.triggers,
            self.ages,
            Validation(self.validator, self.documents, self.background, self.clock, 60.0),
        )
        self.janitor = Janitor(kit, self.generation, self.counters, self.max_bytes)
        self.shelf = Repository(
            name="shelf",
            ecosystem=Shelf(),
            upstreams=tuple(self.fetcher.bases),
            rules=self.rules,
            limits=self.caps,
            verify_always=self.verify_always,
            gate=self.gate,
            store=self.store,
            offline_miss=self.offline_miss,
        )

    def _quarantined(self) -> None:
        self.counters.quarantined += 1

    @property
    def counts(self) -> Counts:
        return self.counters.of("shelf")

    async def fetch(
        self,
        path: str,
        *,
        method: str = "GET",
        accept: str = "",
        conditions: Conditions | None = None,
        wish: Wish | None = None,
        gzip: bool = False,
        **asked: str,
    ) -> Answer:
        """`asked`: conditions by their names (`range="bytes=0-1"`)."""
        resource = self.shelf.ecosystem.route(Request(method=method, path=path, accept=accept))
        assert isinstance(resource, Resource)
        ask = ClientAsk(
            method=method, conditions=conditions or Conditions(**asked), wish=wish or Wish(), gzip=gzip, base="http://x"
        )
        return await self.engine.fetch(self.shelf, resource, ask)

    async def get(self, path: str, **asked: Any) -> tuple[int, bytes]:
        """Status and body."""
        answer = await self.fetch(path, **asked)
        return answer.status, await body_of(answer)

    def flight(self, path: str) -> Flight | None:
        """What is under way for a file."""
        resource = self.shelf.ecosystem.route(Request(method="GET", path=path))
        assert isinstance(resource, Resource)
        return self.flights.find(Order(repository=self.shelf, resource=resource, counts=self.counts))

    async def announced(self, path: str) -> None:
        """The head of what flies is known."""
        await until(lambda: (flight := self.flight(path)) is not None and flight.head.done())

    async def settle(self) -> None:
        """Whatever flies has landed."""
        await self.background.settle(10)

    def sibling(self, **changes: Any) -> "Works":
        """Another process on the same data."""
        return replace(self, **changes)


async def until(condition: Callable[[], bool]) -> None:
    """Let the others work until it is so. It is a failure if that never comes."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - anything may make it so
            await asyncio.sleep(0)


async def body_of(answer: Answer) -> bytes:
    """As the front door sends it; raises what breaks the transfer."""
    span = answer.span
    match answer.body:
        case bytes() as data:
            return data[span.start : span.end] if span else data
        case Stored(blob):
            try:
                start, end = (span.start, span.end) if span else (0, blob.size_bytes)
                return blob.read(start, end - start)
            finally:
                blob.close()
        case Growing(flight):
            pieces = []
            with flight.reader(span.start if span else 0, span.end if span else answer.length) as reader:
                while piece := await reader.read(16 << 10, asyncio.to_thread):
                    pieces.append(piece)
            return b"".join(pieces)
        case Streamed(chunks, close):
            try:
                return b"".join([chunk async for chunk in chunks])
            finally:
                await close()


def works_in(directory: Path, **changes: Any) -> Works:
    clock = FakeClock()
    works = Works(
        blobs=FilesystemBlobs(directory), catalog=MemoryCatalog(clock), clock=clock, fetcher=ScriptedFetcher()
    )
    return replace(works, **changes) if changes else works


def page(body: bytes, **fields: str) -> Reply:
    """A good answer with an ETag."""
    told = {"etag": f'"{sha256(body)[:8]}"', "content-type": "application/octet-stream"} | {
        name.replace("_", "-"): value for name, value in fields.items()
    }
    return Reply(body=body, fields=tuple((name, value) for name, value in told.items() if value))
