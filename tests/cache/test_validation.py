"""The validator's word: asked for once, remembered for a while, and never assumed."""

import asyncio
from dataclasses import dataclass, field, replace
from math import inf

import pytest

from entrepot.cache.validation import MOST_REMEMBERED, Judgement, Validation
from entrepot.contracts.validator import Inquiry, Ruling
from entrepot.ecosystems.golang import Golang
from entrepot.ecosystems.npm import Npm
from entrepot.errors import Absent, Unreachable
from entrepot.model.resource import Request, Resource
from tests.cache.works import Works, listing, page, until

pytestmark = pytest.mark.anyio
FILE = "a.example/m/@v/v1.0.0.zip"


@dataclass
class Judge:
    """A Validator that says what it is told to say, and, if there is a `gate`, not before that is open."""

    ruling: Ruling = field(default_factory=lambda: Ruling(True))
    gate: asyncio.Event | None = None
    asked: list[Inquiry] = field(default_factory=list)

    async def rule(self, inquiry: Inquiry) -> Ruling:
        self.asked.append(inquiry)
        if self.gate:
            await self.gate.wait()
        return self.ruling

    async def close(self) -> None:
        return


@dataclass
class Bench:
    works: Works
    judge: Judge
    validation: Validation

    async def ask(self, path: str = FILE) -> Judgement:
        resource = self.works.shelf.ecosystem.route(Request(method="GET", path=path))
        assert isinstance(resource, Resource)
        return await self.validation.judge(self.works.shelf, resource)


def bench_of(works: Works, cache_seconds: float = 60.0) -> Bench:
    judge = Judge()
    return Bench(works, judge, Validation(judge, works.documents, works.background, works.clock, cache_seconds))


@pytest.fixture
async def bench(works: Works) -> Bench:
    """For Go, where names tell versions."""
    works.shelf = replace(works.shelf, ecosystem=Golang())
    return bench_of(works)


async def test_without_a_validator_nobody_is_asked(works: Works) -> None:
    validation = Validation(None, works.documents, works.background, works.clock, 60.0)
    works.shelf = replace(works.shelf, ecosystem=Golang())
    resource = works.shelf.ecosystem.route(Request(method="GET", path=FILE))
    assert isinstance(resource, Resource)
    assert await validation.judge(works.shelf, resource) == Judgement(None, inf)


async def test_a_version_is_asked_about_by_its_native_name(bench: Bench) -> None:
    await bench.ask("a.example/!m/@v/v1.0.0-!r!c1.zip")
    assert bench.judge.asked == [Inquiry("shelf", "golang", "a.example/M", "v1.0.0-RC1")]


async def test_what_is_allowed_counts_as_long_as_it_is_remembered(bench: Bench) -> None:
    assert await bench.ask() == Judgement(None, bench.works.clock.timestamp() + 60)
    bench.works.clock.advance(59)
    first = await bench.ask("a.example/m/@v/v1.0.0.mod")
    assert (first.refusal, len(bench.judge.asked)) == (None, 1)
    bench.works.clock.advance(2)
    bench.judge.ruling = Ruling(False, "not any more")
    assert (await bench.ask()).refusal is not None


async def test_a_refusal_tells_the_validators_words_and_its_rule(bench: Bench) -> None:
    bench.judge.ruling = Ruling(False, "licence not approved")
    judgement = await bench.ask()
    assert judgement.refusal is not None
    assert (judgement.refusal.kind, judgement.refusal.status) == ("validator", 403)
    assert judgement.refusal.reason == "a.example/m v1.0.0: licence not approved"
    assert judgement.refusal.rule == "validator.url"
    await bench.ask()
    assert len(bench.judge.asked) == 1


async def test_without_a_ruling_nothing_is_served_and_the_next_asks_again(bench: Bench) -> None:
    bench.judge.ruling = Ruling(None, "no answer within 5 s")
    for count in (1, 2):
        judgement = await bench.ask()
        assert judgement.refusal is not None
        assert (judgement.refusal.status, judgement.valid_until) == (503, 0.0)
        assert "no answer within 5 s" in judgement.refusal.reason
        assert len(bench.judge.asked) == count


async def test_nothing_is_remembered_where_that_is_switched_off(works: Works) -> None:
    works.shelf = replace(works.shelf, ecosystem=Golang())
    bench = bench_of(works, cache_seconds=0.0)
    for _ in range(2):
        assert (await bench.ask()).valid_until == works.clock.timestamp()
    assert len(bench.judge.asked) == 2


async def test_a_step_back_of_the_clock_makes_nothing_count_longer(bench: Bench) -> None:
    await bench.ask()
    bench.works.clock.advance(-86400)
    await bench.ask()
    assert len(bench.judge.asked) == 2


async def test_many_who_want_to_know_ask_once_and_who_leaves_stops_nothing(bench: Bench) -> None:
    gate = bench.judge.gate = asyncio.Event()
    first, *rest = [asyncio.create_task(bench.ask()) for _ in range(20)]
    await until(lambda: bool(bench.judge.asked))
    first.cancel()
    gate.set()
    assert [judgement.refusal for judgement in await asyncio.gather(*rest)] == [None] * 19
    assert len(bench.judge.asked) == 1


async def test_who_waits_while_the_server_ends_is_refused(bench: Bench) -> None:
    bench.judge.gate = asyncio.Event()
    waiting = asyncio.create_task(bench.ask())
    await until(lambda: bool(bench.judge.asked))
    await bench.works.background.drain(0)
    refusal = (await waiting).refusal
    assert refusal is not None
    assert refusal.status == 503


async def test_what_is_remembered_is_bounded(bench: Bench) -> None:
    for number in range(MOST_REMEMBERED + 1):
        await bench.ask(f"a.example/m/@v/v1.0.{number}.mod")
    asked = len(bench.judge.asked)
    await bench.ask(f"a.example/m/@v/v1.0.{MOST_REMEMBERED}.mod")
    assert len(bench.judge.asked) == asked
    await bench.ask("a.example/m/@v/v1.0.0.mod")
    assert len(bench.judge.asked) == asked + 1


@pytest.mark.parametrize(
    "path", ["a.example/m/@v/list", "a.example/m/@latest", "a.example/m/@v/main.info", "sumdb/sum.example/latest"]
)
async def test_what_carries_no_version_is_nothing_to_ask_about(bench: Bench, path: str) -> None:
    assert await bench.ask(path) == Judgement(None, inf)
    assert bench.judge.asked == []


# --- files whose version an index tells -------------------------------------------------------------------------------


async def test_the_version_of_a_tarball_is_what_its_packument_says(works: Works) -> None:
    works.shelf = replace(works.shelf, ecosystem=Npm())
    bench = bench_of(works)
    tarball = "https://registry.example/lib/-/lib-1.0.0.tgz"
    body = b'{"name": "lib", "versions": {"2.0.0": {"dist": {"tarball": "%s"}}}}' % tarball.encode()
    works.fetcher.on("lib", page(body, content_type="application/json"))
    works.fetcher.on("lib/-/lib-1.0.0.tgz", page(b"tar"))
    await bench.ask("lib/-/lib-1.0.0.tgz")
    assert bench.judge.asked == [Inquiry("shelf", "npm", "lib", "2.0.0")]
    assert await works.get("lib/-/lib-1.0.0.tgz") == (200, b"tar")
    await works.settle()
    works.fetcher.asks.clear()
    works.clock.advance(3600)
    await bench.ask("lib/-/lib-1.0.0.tgz")
    assert (len(bench.judge.asked), works.fetcher.asks) == (2, [])


async def test_while_no_index_tells_the_version_nothing_is_served(works: Works) -> None:
    bench = bench_of(works)
    works.fetcher.on("pkg/", Unreachable("registry.example: no connection"))
    with pytest.raises(Unreachable):
        await bench.ask("pkg/a")
    assert bench.judge.asked == []


async def test_a_file_that_no_index_lists_is_absent_unless_it_is_stored(works: Works) -> None:
    bench = bench_of(works)
    works.fetcher.on("pkg/", page(listing(a=b"bytes")))
    with pytest.raises(Absent, match="not listed"):
        await bench.ask("pkg/b")
    works.fetcher.on("pkg/a", page(b"bytes"))
    await works.get("pkg/a")
    await works.settle()
    entry = works.documents.find_entry(works.shelf, _file(works, "pkg/a"))
    assert entry is not None
    await works.catalog.put_entry(replace(entry, package="", version=""))
    works.fetcher.on("pkg/", page(listing(b=b"other")))
    works.clock.advance(3600)
    await works.get("pkg/")
    await works.settle()
    await works.catalog.delete_entries("shelf", ["pkg/"])
    refusal = (await bench.ask("pkg/a")).refusal
    assert refusal is not None
    assert refusal.status == 403
    assert bench.judge.asked == []


def _file(works: Works, path: str) -> Resource:
    resource = works.shelf.ecosystem.route(Request(method="GET", path=path))
    assert isinstance(resource, Resource)
    return resource
