"""The helper process: what it reads and renders is what would have been made here, whatever becomes of it."""

import asyncio
import gzip
import io
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from entrepot.cache.counters import Counters
from entrepot.cache.derived import DerivedBlobs
from entrepot.cache.documents import MemoryBlob
from entrepot.cache.facts import FactBook, facts_of
from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.jobs import AWAY_BYTES, Paper, Unable
from entrepot.cache.rendering import Rendering, RenderJob, compressed
from entrepot.cache.repository import Repository
from entrepot.cache.scribe import COMMAND, NICENESS, Scribe
from entrepot.cache.solo import SoloBoard
from entrepot.cache.views import Rendition, Source, Variant, Views
from entrepot.contracts.blobs import OpenBlob
from entrepot.contracts.ecosystem import Ecosystem, Limits, View
from entrepot.ecosystems.npm import Npm
from entrepot.ecosystems.pypi import Pypi
from entrepot.errors import Absent, EntrepotError, TooBig, UnreadableIndex
from entrepot.model.release import Document
from entrepot.model.resource import Request, Resource
from entrepot.storage.files import fingerprint_of
from entrepot.storage.filesystem import FilesystemBlobs
from tests.cache.works import sha256, until
from tests.ecosystems import test_npm, test_pypi
from tests.fakes import FakeClock, MemoryCatalog

pytestmark = pytest.mark.anyio

URL, UPSTREAM = "https://registry.example/tool", "https://registry.example/"
DIES = "import sys; sys.stdin.buffer.read(8)"
"""A helper that ends in the middle of every job."""
DIES_ONCE = f"""
import os, sys
if os.path.exists(sys.argv[1]):
    os.execv(sys.executable, {COMMAND!r})
open(sys.argv[1], "w").close()
{DIES}
"""
SILENT = "import sys; sys.stdin.buffer.read()"


@asynccontextmanager
async def scribe_of(*command: str, idle: float = 60.0, patience: float = 60.0) -> AsyncIterator[Scribe]:
    scribe = Scribe(command or COMMAND, idle, patience)
    try:
        yield scribe
    finally:
        await scribe.close()


@pytest.fixture
async def scribe() -> AsyncIterator[Scribe]:
    async with scribe_of() as scribe:
        yield scribe


# --- jobs: the golden documents of the ecosystems ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    ecosystem: Ecosystem
    resource: Resource
    view: View
    document: Document

    @property
    def body(self) -> bytes:
        self.document.body.seek(0)
        return self.document.body.read()

    @property
    def rendering(self) -> Rendering:
        return Rendering(
            subject="repo/it",
            kind=type(self.ecosystem),
            options=self.ecosystem.options,
            resource=self.resource,
            view=self.view,
            cap=1 << 20,
        )


def npm_cases() -> Iterator[Golden]:
    for file in sorted(test_npm.CORPUS.glob("*.case")):
        case = test_npm.read_case(file)
        resource = test_npm.get(case.path, case.settings.get("accept", ""))
        hidden = frozenset(case.settings.get("hidden", "").split())
        upstream = case.settings.get("upstream", UPSTREAM)
        document = test_npm.document(case.upstream_body, url=upstream + resource.path, upstream=upstream)
        view = View(form=resource.form, base="http://proxy.example/npm", hidden=hidden)
        yield Golden(ecosystem=Npm(), resource=resource, view=view, document=document)


def pypi_cases() -> Iterator[Golden]:
    for file in sorted(test_pypi.CORPUS.glob("*.txt")):
        fields, body, _ = test_pypi.golden(file.name)
        resource = test_pypi.resource(fields["path"], fields["accept"])
        hidden = frozenset(fields.get("hidden", "").split())
        document = Document(
            body=io.BytesIO(body),
            content_type=fields["content-type"],
            url=fields["url"],
            upstream=fields["upstream"],
            key=resource.key,
        )
        view = View(form=resource.form, base="http://proxy.example/pypi", hidden=hidden)
        yield Golden(ecosystem=Pypi(), resource=resource, view=view, document=document)


def paper_at(file: Path, document: Document, body: bytes) -> Paper:
    file.write_bytes(body)
    return Paper(
        path=str(file),
        fingerprint=fingerprint_of(os.stat(file)),
        content_type=document.content_type,
        url=document.url,
        upstream=document.upstream,
        key=document.key,
    )


def job_of(golden: Golden, directory: Path) -> RenderJob:
    """Its files are `plain` and `packed`."""
    plain, packed = directory / "plain", directory / "packed"
    plain.touch()
    packed.touch()
    paper = paper_at(directory / "document", golden.document, golden.body)
    return RenderJob(rendering=golden.rendering, paper=paper, plain=str(plain), packed=str(packed))


async def made_away(scribe: Scribe, golden: Golden, directory: Path) -> object:
    """What there is to see of it: type and bytes, or the error."""
    try:
        pages = await scribe.run(job_of(golden, directory))
    except EntrepotError as error:
        return type(error), str(error), vars(error)
    if pages is None:
        return None
    plain, packed = (directory / "plain").read_bytes(), (directory / "packed").read_bytes()
    assert (pages.plain.sha256, pages.plain.size_bytes) == (sha256(plain), len(plain))
    assert pages.packed is None or (pages.packed.sha256, pages.packed.size_bytes) == (sha256(packed), len(packed))
    return pages.content_type, plain, packed if pages.packed else None


def made_here(golden: Golden) -> object:
    try:
        rendered = golden.rendering.of(replace(golden.document, body=io.BytesIO(golden.body)))
    except EntrepotError as error:
        return type(error), str(error), vars(error)
    return rendered and (rendered.content_type, rendered.body, compressed(rendered.body))


@pytest.mark.parametrize("cases", [npm_cases, pypi_cases])
async def test_the_helper_renders_the_same_bytes_and_raises_the_same_errors(
    scribe: Scribe, tmp_path: Path, cases: Callable[[], Iterator[Golden]]
) -> None:
    found = [(await made_away(scribe, golden, tmp_path), made_here(golden)) for golden in cases()]
    assert [away for away, _ in found] == [here for _, here in found]
    assert len({str(here)[:40] for _, here in found}) > 3


async def test_a_file_that_took_the_place_of_the_document_is_not_read(scribe: Scribe, tmp_path: Path) -> None:
    job = job_of(next(npm_cases()), tmp_path)
    (tmp_path / "other").write_bytes((tmp_path / "document").read_bytes())
    (tmp_path / "other").rename(tmp_path / "document")
    with pytest.raises(Unable):
        await scribe.run(job)


async def test_a_file_that_cannot_be_written_is_not_the_document_s_fault(scribe: Scribe, tmp_path: Path) -> None:
    job = job_of(next(npm_cases()), tmp_path)
    (tmp_path / "plain").unlink()
    with pytest.raises(Unable):
        await scribe.run(job)
    assert not (tmp_path / "plain").exists()


# --- the process ------------------------------------------------------------------------------------------------------


async def test_one_helper_of_low_priority_does_what_comes(scribe: Scribe, tmp_path: Path) -> None:
    golden = next(npm_cases())
    assert scribe.pid is None
    await made_away(scribe, golden, tmp_path)
    first = scribe.pid
    await made_away(scribe, golden, tmp_path)
    assert first is not None
    assert scribe.pid == first
    assert os.getpriority(os.PRIO_PROCESS, first) == os.getpriority(os.PRIO_PROCESS, 0) + NICENESS


async def test_a_helper_that_has_nothing_to_do_ends_and_the_next_job_has_another(tmp_path: Path) -> None:
    golden = next(npm_cases())
    async with scribe_of(idle=0.0) as scribe:
        assert await made_away(scribe, golden, tmp_path) == made_here(golden)
        await until(lambda: scribe.pid is None)
        assert await made_away(scribe, golden, tmp_path) == made_here(golden)


async def test_a_helper_killed_between_two_jobs_is_replaced(scribe: Scribe, tmp_path: Path) -> None:
    golden = next(npm_cases())
    await made_away(scribe, golden, tmp_path)
    assert scribe.pid is not None
    os.kill(scribe.pid, signal.SIGKILL)
    assert await made_away(scribe, golden, tmp_path) == made_here(golden)


async def test_a_job_whose_helper_ends_in_the_middle_of_it_is_done_by_the_next_one(tmp_path: Path) -> None:
    golden = next(npm_cases())
    async with scribe_of(sys.executable, "-c", DIES_ONCE, str(tmp_path / "died")) as scribe:
        assert await made_away(scribe, golden, tmp_path) == made_here(golden)
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize(
    "command",
    [(sys.executable, "-c", DIES), (sys.executable, "-c", SILENT), ("/nonexistent/python",)],
    ids=["dies", "says nothing", "is not there"],
)
async def test_a_helper_that_is_of_no_use_is_given_up(tmp_path: Path, command: tuple[str, ...]) -> None:
    async with scribe_of(*command, patience=0.2 if SILENT in command else 60.0) as scribe:
        with pytest.raises(Unable):
            await scribe.run(job_of(next(npm_cases()), tmp_path))


async def test_who_leaves_while_the_helper_works_takes_nobody_s_answer(scribe: Scribe, tmp_path: Path) -> None:
    cases = list(npm_cases())[:2]
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    leaving = asyncio.create_task(made_away(scribe, cases[0], tmp_path / "first"))
    await until(lambda: scribe.pid is not None)
    staying = asyncio.create_task(made_away(scribe, cases[1], tmp_path / "second"))
    leaving.cancel()
    assert await staying == made_here(cases[1])


# --- views and facts --------------------------------------------------------------------------------------------------


def packument(versions: int = 60) -> bytes:
    """Larger than what is read here."""
    numbers = [f"1.0.{number}" for number in range(versions)]
    padding = "x" * (AWAY_BYTES // versions)
    body = {
        "name": "tool",
        "versions": {
            number: {
                "name": "tool",
                "version": number,
                "readme": padding,
                "dist": {"tarball": f"{URL}/-/tool-{number}.tgz", "shasum": "ab" * 20},
            }
            for number in numbers
        },
    }
    return json.dumps(body).encode()


class House:
    """A store, and what is made of one document in it."""

    def __init__(self, directory: Path, scribe: Scribe | None, body: bytes, **limits: int) -> None:
        self.directory, self.counts = directory, Counters().of("npm")
        blobs, self.npm = FilesystemBlobs(directory), Npm()
        self.derived = DerivedBlobs(blobs, MemoryCatalog(FakeClock()))
        self.views, self.book = Views(self.derived, SoloBoard(), scribe=scribe), FactBook(self.derived, scribe=scribe)
        self.repository = Repository(
            name="npm", ecosystem=self.npm, upstreams=("main",), rules=FreshnessRules(), limits=Limits(**limits)
        )
        growing = blobs.create()
        growing.append(body)
        blob = blobs.open(growing.commit(sha256(body)).sha256)
        assert blob is not None
        self.blob: OpenBlob = blob

    @property
    def source(self) -> Source:
        return Source(blob=self.blob, content_type="application/json", url=URL, base=UPSTREAM, resource_key="tool")

    async def render(self, accept: str = "application/json", hidden: frozenset[str] = frozenset()) -> Rendition | None:
        resource = self.npm.route(Request(method="GET", path="tool", accept=accept))
        assert isinstance(resource, Resource)
        view = View(form=resource.form, base="http://proxy.example/npm", hidden=hidden)
        return await self.views.view(self.repository, resource, self.source, view, self.counts)

    def content(self, variant: Variant | None) -> bytes:
        assert variant is not None
        if variant.body is not None:
            return variant.body
        blob = self.views.open(variant)
        assert blob is not None
        return blob.read(0, blob.size_bytes)

    @property
    def unfinished(self) -> list[Path]:
        return list((self.directory / "incoming").iterdir())


async def shown(house: House) -> tuple[bytes, bytes]:
    """Plain, and unpacked."""
    rendition = await house.render()
    assert rendition is not None
    return house.content(rendition.plain), gzip.decompress(house.content(rendition.gzip))


async def test_a_big_document_is_rendered_by_the_helper_once_and_stored(scribe: Scribe, tmp_path: Path) -> None:
    away, here = House(tmp_path / "away", scribe, packument()), House(tmp_path / "here", None, packument())
    plain = (await shown(here))[0]
    assert await shown(away) == (plain, plain)
    assert await asyncio.gather(*(shown(away) for _ in range(5))) == [(plain, plain)] * 5
    assert (away.counts.rendered, away.unfinished) == (1, [])
    assert scribe.pid is not None


async def test_a_small_document_starts_no_helper(scribe: Scribe, tmp_path: Path) -> None:
    await shown(House(tmp_path, scribe, b'{"name": "tool", "versions": {}, "readme": "' + b"x" * 2000 + b'"}'))
    assert scribe.pid is None


@pytest.mark.parametrize("script", [DIES, DIES_ONCE])
async def test_a_helper_that_ends_in_the_middle_costs_nobody_the_document(tmp_path: Path, script: str) -> None:
    async with scribe_of(sys.executable, "-c", script, str(tmp_path / "died")) as scribe:
        house = House(tmp_path / "store", scribe, packument())
        plain = (await shown(House(tmp_path / "here", None, packument())))[0]
        assert await shown(house) == (plain, plain)
        assert len(await facts(house)) == 60
    assert house.unfinished == []


async def test_a_document_that_is_in_no_file_is_rendered_here(scribe: Scribe, tmp_path: Path) -> None:
    house = House(tmp_path, scribe, packument())
    plain = (await shown(House(tmp_path / "here", None, packument())))[0]
    house.blob = MemoryBlob(packument())
    assert await shown(house) == (plain, plain)
    assert scribe.pid is None


async def test_what_is_wrong_with_a_document_is_told_as_if_it_were_read_here(scribe: Scribe, tmp_path: Path) -> None:
    everything = frozenset(f"1.0.{number}" for number in range(60))
    house = House(tmp_path / "good", scribe, packument())
    with pytest.raises(Absent, match=r"tool: upstream says it does not exist$"):
        await house.render(hidden=everything)
    narrow = House(tmp_path / "narrow", scribe, packument(), rendered_index_bytes=1000)
    with pytest.raises(TooBig, match="npm/tool: the rendered index is larger than 1000 bytes"):
        await narrow.render()
    broken = House(tmp_path / "broken", scribe, packument()[:-1])
    with pytest.raises(UnreadableIndex):
        await broken.render()
    with pytest.raises(UnreadableIndex):
        await facts(broken)
    assert scribe.pid is not None
    assert [*house.unfinished, *narrow.unfinished, *broken.unfinished] == []


async def test_nothing_is_left_of_a_rendering_that_was_given_up(tmp_path: Path) -> None:
    async with scribe_of(sys.executable, "-c", SILENT) as scribe:
        house = House(tmp_path, scribe, packument())
        asked = asyncio.create_task(facts(house))
        await until(lambda: scribe.pid is not None)
        assert len(house.unfinished) == 1
        asked.cancel()
        await asyncio.wait([asked])
    assert house.unfinished == []


async def facts(house: House) -> dict[str, object]:
    source = house.source
    found = await house.book.read("facts", "npm/tool", house.npm, source.blob, source.document())
    return dict(found)


async def test_the_helper_reads_what_a_document_says_of_files(scribe: Scribe, tmp_path: Path) -> None:
    house = House(tmp_path, scribe, packument())
    said = facts_of(house.npm, house.source.document())
    assert await facts(house) == said
    assert scribe.pid is not None
    kept = await FactBook(house.derived).find("facts")
    assert kept is not None
    assert (dict(kept), len(kept), kept.get("nothing")) == (said, 60, None)
    assert house.unfinished == []


async def test_a_document_that_says_nothing_of_files_is_read_by_the_helper_too(scribe: Scribe, tmp_path: Path) -> None:
    empty = json.dumps({"name": "tool", "versions": {}, "readme": "x" * AWAY_BYTES}).encode()
    house = House(tmp_path, scribe, empty)
    assert await facts(house) == {}
    assert scribe.pid is not None
    assert house.unfinished == []
