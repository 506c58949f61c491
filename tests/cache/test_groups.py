"""Files that are published together: all of a generation, or none of it (policy §4, MUT-13)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.cache.answer import Answer
from entrepot.cache.ask import ClientAsk
from entrepot.cache.explanation import Explainer
from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.plan import Wish
from entrepot.catalog.leases import SqliteLeases
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.fetcher import Ask
from entrepot.ecosystems.generic import Generic
from entrepot.errors import Absent, NotCached, Unreachable, UpstreamStatus
from entrepot.model.resource import Request, Resource
from entrepot.storage.board import FileBoard
from tests.cache.works import Works, body_of, page, sha256, until, works_in
from tests.fakes import Reply

pytestmark = pytest.mark.anyio

ROOT, PRIMARY, OTHER = "f/repodata/repomd.xml", "f/repodata/primary.xml.gz", "f/repodata/other.xml.gz"
TTL = 300.0
RULES = FreshnessRules(mutable_ttl=TTL, while_revalidate=0.0, if_error=3600.0, patience=60.0, backoff=(30.0, 30.0))
"""With the patience of whoever waits for a disk, however slow: what is asserted is what a renewal brings."""
GROUPS = [{"root": r"(?P<base>.*)/repodata/repomd\.xml", "members": "{base}/repodata/.*"}]


def edition(path: str, number: int) -> bytes:
    return f"{path} of edition {number}\n".encode()


class House:
    """A repository of plain files with a group, and clients that read it."""

    def __init__(self, works: Works) -> None:
        self.works = works
        self.files = replace(works.shelf, name="files", ecosystem=Generic({"groups": GROUPS}))

    def upstream_has(self, number: int, *paths: str) -> None:
        """Editions of the files, with validators."""
        for path in paths or (ROOT, PRIMARY, OTHER):
            self.works.fetcher.on(path, conditional(edition(path, number)))

    async def fetch(self, path: str, client: str = "", wish: Wish | None = None) -> Answer:
        resource = self.files.ecosystem.route(Request(method="GET", path=path))
        assert isinstance(resource, Resource)
        ask = ClientAsk(client=client, base="http://x", wish=wish or Wish())
        return await self.works.engine.fetch(self.files, resource, ask)

    async def get(self, path: str, client: str = "") -> bytes:
        body = await body_of(await self.fetch(path, client))
        await self.works.settle()
        return body

    async def has_read(self, number: int, *paths: str) -> None:
        """Upstream has an edition, and what is named of it is stored."""
        self.upstream_has(number)
        for path in paths or (ROOT, PRIMARY, OTHER):
            assert await self.get(path) == edition(path, number)

    def generation(self) -> int:
        current = self.works.catalog.generation_of("files", ROOT)
        return current.number if current is not None else 0

    def asked(self, path: str) -> list[Ask]:
        return self.works.fetcher.asked(path)


def conditional(body: bytes) -> Callable[[Ask], Reply]:
    """Answers 304 to whoever has these bytes."""
    whole = page(body)

    def answer(ask: Ask) -> Reply:
        known = dict(ask.headers).get("if-none-match") == dict(whole.fields)["etag"]
        return Reply(status=304) if known else whole

    return answer


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    works = works_in(tmp_path, rules=RULES)
    yield House(works)
    await works.background.drain(0)


async def test_mut_13_a_new_root_is_published_with_the_members_that_clients_use(house: House) -> None:
    await house.has_read(1)
    house.upstream_has(2)
    house.works.clock.advance(TTL + 1)
    assert await house.get(ROOT) == edition(ROOT, 2)
    before = len(house.works.fetcher.asks)
    assert [await house.get(path) for path in (PRIMARY, OTHER)] == [edition(PRIMARY, 2), edition(OTHER, 2)]
    assert len(house.works.fetcher.asks) == before
    assert house.generation() == 2


async def test_mut_13_members_have_no_freshness_of_their_own(house: House) -> None:
    await house.has_read(1, ROOT, PRIMARY)
    for _ in range(3):
        house.works.clock.advance(TTL + 1)
        assert await house.get(ROOT) == edition(ROOT, 1)
        assert await house.get(PRIMARY) == edition(PRIMARY, 1)
    assert len(house.asked(ROOT)) == 4
    assert len(house.asked(PRIMARY)) == 1
    answer = await house.fetch(PRIMARY)
    assert answer.fresh_until == house.works.clock.timestamp() + TTL
    await body_of(answer)


async def test_mut_13_a_member_whose_root_expired_follows_it(house: House) -> None:
    await house.has_read(1)
    house.upstream_has(2)
    house.works.clock.advance(TTL + 1)
    assert await house.get(PRIMARY) == edition(PRIMARY, 2)
    assert await house.get(ROOT) == edition(ROOT, 2)


async def test_mut_13_unchanged_members_of_a_new_generation_cost_no_transfer(house: House) -> None:
    await house.has_read(1)
    house.upstream_has(2, ROOT, PRIMARY)
    house.works.clock.advance(TTL + 1)
    assert await house.get(ROOT) == edition(ROOT, 2)
    assert await house.get(OTHER) == edition(OTHER, 1)
    assert [dict(ask.headers).get("if-none-match") for ask in house.asked(OTHER)] == [
        None,
        f'"{sha256(edition(OTHER, 1))[:8]}"',
    ]


@pytest.mark.parametrize(
    "failure",
    [Unreachable("no route"), Reply(status=500), Reply(status=403), Reply(body=b"half", cut_at=2), Reply(status=429)],
)
async def test_mut_13_a_member_that_fails_keeps_the_old_generation_wholly(
    house: House, failure: Reply | Unreachable
) -> None:
    await house.has_read(1)
    house.upstream_has(2, ROOT, PRIMARY)
    house.works.fetcher.on(OTHER, failure)
    house.works.clock.advance(TTL + 1)
    answer = await house.fetch(ROOT)
    assert (answer.trace.outcome, await body_of(answer)) == ("stale", edition(ROOT, 1))
    assert [await house.get(path) for path in (ROOT, PRIMARY, OTHER)] == [
        edition(path, 1) for path in (ROOT, PRIMARY, OTHER)
    ]
    assert house.generation() == 1
    tried = len(house.asked(ROOT))
    house.works.clock.advance(29)
    await house.get(ROOT)
    assert len(house.asked(ROOT)) == tried
    house.upstream_has(2, OTHER)
    house.works.clock.advance(2)
    assert [await house.get(path) for path in (ROOT, PRIMARY, OTHER)] == [
        edition(path, 2) for path in (ROOT, PRIMARY, OTHER)
    ]


async def test_mut_13_beyond_the_stale_limit_the_old_generation_is_refused(house: House) -> None:
    await house.has_read(1)
    house.upstream_has(2, ROOT)
    house.works.fetcher.on(PRIMARY, Unreachable("no route"))
    house.works.clock.advance(TTL + 3601)
    for path in (ROOT, PRIMARY):
        with pytest.raises(Exception, match="not published without its members") as caught:
            await house.get(path)
        assert caught.value.status == 502  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", [404, 410])
async def test_mut_13_a_member_that_upstream_dropped_is_not_in_the_new_generation(house: House, status: int) -> None:
    await house.has_read(1)
    house.upstream_has(2, ROOT, PRIMARY)
    house.works.fetcher.on(OTHER, Reply(status=status))
    house.works.clock.advance(TTL + 1)
    assert await house.get(ROOT) == edition(ROOT, 2)
    assert await house.get(PRIMARY) == edition(PRIMARY, 2)
    with pytest.raises(Absent):
        await house.get(OTHER)


async def test_mut_13_a_client_in_the_middle_keeps_its_generation_for_a_minute(house: House) -> None:
    await house.has_read(1)
    house.works.clock.advance(TTL - 10)
    assert await house.get(ROOT, "10.0.0.1") == edition(ROOT, 1)
    house.upstream_has(2)
    house.works.clock.advance(11)
    assert await house.get(ROOT, "10.0.0.2") == edition(ROOT, 2)
    assert await house.get(PRIMARY, "10.0.0.1") == edition(PRIMARY, 1)
    assert await house.get(PRIMARY, "10.0.0.2") == edition(PRIMARY, 2)
    assert await house.get(PRIMARY, "10.0.0.3") == edition(PRIMARY, 2)
    house.works.clock.advance(48)
    assert await house.get(OTHER, "10.0.0.1") == edition(OTHER, 1)
    house.works.clock.advance(1)
    assert await house.get(OTHER, "10.0.0.1") == edition(OTHER, 2)


async def test_mut_13_a_client_in_the_middle_does_not_renew_what_it_reads(house: House) -> None:
    await house.has_read(1)
    house.works.clock.advance(TTL - 10)
    await house.get(ROOT, "10.0.0.1")
    house.upstream_has(2)
    house.works.clock.advance(20)
    assert await house.get(PRIMARY, "10.0.0.1") == edition(PRIMARY, 1)
    assert house.generation() == 1


async def test_mut_13_who_reads_the_new_root_gets_the_new_members(house: House) -> None:
    await house.has_read(1)
    house.works.clock.advance(TTL - 10)
    await house.get(ROOT, "10.0.0.1")
    house.upstream_has(2)
    house.works.clock.advance(20)
    assert await house.get(ROOT, "10.0.0.1") == edition(ROOT, 2)
    assert await house.get(PRIMARY, "10.0.0.1") == edition(PRIMARY, 2)


async def test_mut_13_the_generation_before_is_gone_after_an_hour(house: House) -> None:
    await house.has_read(1)
    house.upstream_has(2, ROOT, PRIMARY)
    house.works.clock.advance(TTL + 1)
    await house.get(ROOT)
    blobs, old, shared = house.works.blobs, sha256(edition(PRIMARY, 1)), sha256(edition(OTHER, 1))
    house.works.clock.advance(3600)
    await house.works.janitor.forget_generations()
    assert old in blobs.digests()
    house.works.clock.advance(1)
    await house.works.janitor.forget_generations()
    assert old not in blobs.digests()
    assert {shared, sha256(edition(PRIMARY, 2))} <= set(blobs.digests())
    assert [one.key for one in house.works.catalog.entries("files")] == sorted([ROOT, PRIMARY, OTHER])


async def test_mut_13_nobody_sees_the_new_root_before_its_members_are_here(house: House) -> None:
    await house.has_read(1)
    house.upstream_has(2)
    gate = asyncio.Event()
    house.works.fetcher.on(PRIMARY, replace(page(edition(PRIMARY, 2)), gates={0: gate}))
    house.works.clock.advance(TTL + 1)
    waiting = asyncio.create_task(house.fetch(ROOT))
    await until(lambda: len(house.asked(PRIMARY)) == 2)
    assert not waiting.done()
    found = house.works.catalog.find_entry("files", ROOT)
    assert found is not None
    assert found.sha256 == sha256(edition(ROOT, 1))
    gate.set()
    assert await body_of(await waiting) == edition(ROOT, 2)


async def test_mut_13_a_renewal_that_takes_long_keeps_nobody_from_the_old_generation(tmp_path: Path) -> None:
    house = House(works_in(tmp_path, rules=replace(RULES, patience=0.01)))
    await house.has_read(1)
    house.upstream_has(2)
    gate = asyncio.Event()
    house.works.fetcher.on(PRIMARY, replace(page(edition(PRIMARY, 2)), gates={0: gate}))
    house.works.clock.advance(TTL + 1)
    for path in (ROOT, PRIMARY):
        answer = await house.fetch(path)
        assert (answer.trace.outcome, await body_of(answer)) == ("stale", edition(path, 1))
    gate.set()
    await house.works.settle()
    assert await house.get(PRIMARY) == edition(PRIMARY, 2)


async def test_mut_13_a_crash_between_fetch_and_publish_leaves_the_old_generation(house: House, tmp_path: Path) -> None:
    await house.has_read(1)
    house.upstream_has(2)
    gate = asyncio.Event()
    house.works.fetcher.on(OTHER, replace(page(edition(OTHER, 2)), gates={0: gate}))
    house.works.clock.advance(TTL + 1)
    waiting = asyncio.create_task(house.fetch(ROOT))
    await until(lambda: house.works.catalog.find_entry("files", f"{PRIMARY} @2") is not None)
    waiting.cancel()
    await house.works.background.drain(0)

    again = House(house.works.sibling())
    house.works.fetcher.on(ROOT, Unreachable("no route"))
    assert [await again.get(path) for path in (ROOT, PRIMARY, OTHER)] == [
        edition(path, 1) for path in (ROOT, PRIMARY, OTHER)
    ]
    again.works.clock.advance(3601)
    await again.works.janitor.forget_generations()
    assert sha256(edition(PRIMARY, 2)) not in again.works.blobs.digests()
    assert sha256(edition(PRIMARY, 1)) in again.works.blobs.digests()


async def test_mut_13_what_a_failed_attempt_brought_is_not_brought_again(house: House) -> None:
    await house.has_read(1)
    house.upstream_has(2, ROOT, PRIMARY)
    house.works.fetcher.on(OTHER, Unreachable("no route"))
    house.works.clock.advance(TTL + 1)
    await house.get(ROOT)
    house.upstream_has(2, OTHER)
    house.works.clock.advance(31)
    assert await house.get(ROOT) == edition(ROOT, 2)
    known = [dict(ask.headers).get("if-none-match") for ask in house.asked(PRIMARY)]
    assert known == [None, *(f'"{sha256(edition(PRIMARY, number))[:8]}"' for number in (1, 2))]
    assert await house.get(PRIMARY) == edition(PRIMARY, 2)


async def test_mut_13_a_member_that_comes_late_belongs_to_the_generation_it_was_asked_for(house: House) -> None:
    await house.has_read(1, ROOT)
    gate = asyncio.Event()
    house.works.fetcher.on(PRIMARY, replace(page(edition(PRIMARY, 1)), gates={0: gate}))
    late = asyncio.create_task(house.fetch(PRIMARY))
    await until(lambda: len(house.works.fetcher.replies) == 2)
    house.upstream_has(2)
    house.works.clock.advance(TTL + 1)
    assert await body_of(await house.fetch(ROOT)) == edition(ROOT, 2)
    gate.set()
    assert await body_of(await late) == edition(PRIMARY, 1)
    await house.works.settle()
    assert await house.get(PRIMARY) == edition(PRIMARY, 2)


async def test_mut_13_one_worker_publishes_and_the_others_see_it(tmp_path: Path) -> None:
    board = tmp_path / "flights"
    first = House(works_in(tmp_path, rules=RULES, board=FileBoard(board)))
    second = House(first.works.sibling(board=FileBoard(board)))
    await first.has_read(1)
    first.upstream_has(2)
    first.works.clock.advance(TTL + 1)
    bodies = await asyncio.gather(*(house.get(path) for house in (first, second) for path in (ROOT, PRIMARY)))
    assert bodies == [edition(ROOT, 2), edition(PRIMARY, 2)] * 2
    assert [len(first.asked(path)) for path in (ROOT, PRIMARY, OTHER)] == [2, 2, 2]
    assert second.generation() == 2


async def test_mut_13_what_was_stored_before_there_was_a_group_joins_it_when_it_is_asked_about(house: House) -> None:
    grouped, house.files = house.files, replace(house.files, ecosystem=Generic())
    await house.has_read(1)
    house.files = grouped
    house.upstream_has(2)
    house.works.clock.advance(TTL + 1)
    assert [await house.get(path) for path in (ROOT, PRIMARY)] == [edition(ROOT, 2), edition(PRIMARY, 2)]
    house.upstream_has(3)
    house.works.clock.advance(TTL + 1)
    assert await house.get(ROOT) == edition(ROOT, 3)
    assert len(house.asked(PRIMARY)) == 3


async def test_an_invalidated_member_is_brought_again_within_its_generation(house: House) -> None:
    await house.has_read(1)
    entry = house.works.catalog.find_entry("files", PRIMARY)
    assert entry is not None
    await house.works.catalog.put_entry(replace(entry, expired=True))
    assert await house.get(PRIMARY) == edition(PRIMARY, 1)
    assert await house.get(PRIMARY) == edition(PRIMARY, 1)
    assert [dict(ask.headers).get("if-none-match") for ask in house.asked(PRIMARY)] == [None, None]


async def test_members_of_a_stored_root_need_no_contact_where_none_is_allowed(house: House) -> None:
    await house.has_read(1, ROOT, PRIMARY)
    house.works.clock.advance(TTL + 1)
    before = len(house.works.fetcher.asks)
    answer = await house.fetch(PRIMARY, wish=Wish(stored_only=True))
    assert (answer.trace.outcome, await body_of(answer)) == ("stale", edition(PRIMARY, 1))
    with pytest.raises(NotCached):
        await house.fetch(OTHER, wish=Wish(stored_only=True))
    assert len(house.works.fetcher.asks) == before


async def test_a_root_that_cannot_be_stored_reaches_its_first_reader(house: House) -> None:
    house.upstream_has(1)
    house.works.catalog.read_only = True
    assert await house.get(ROOT) == edition(ROOT, 1)


async def test_a_new_root_that_cannot_be_stored_leaves_the_old_generation(house: House) -> None:
    await house.has_read(1)
    house.upstream_has(2)
    house.works.clock.advance(TTL + 1)
    house.works.catalog.read_only = True
    assert [await house.get(path) for path in (ROOT, PRIMARY)] == [edition(ROOT, 1), edition(PRIMARY, 1)]


async def test_the_roots_own_failure_is_the_groups(house: House) -> None:
    await house.has_read(1)
    house.works.fetcher.on(ROOT, Reply(status=503))
    house.works.clock.advance(TTL + 1)
    answer = await house.fetch(PRIMARY)
    assert (answer.trace.outcome, await body_of(answer)) == ("stale", edition(PRIMARY, 1))
    house.works.clock.advance(3601)
    with pytest.raises(UpstreamStatus):
        await house.get(PRIMARY)


async def test_a_group_is_explained(house: House, tmp_path: Path) -> None:
    await house.has_read(1)
    works = house.works
    file = SqliteCatalog.open(tmp_path / "leases.db", works.clock)
    try:
        repositories = {"files": house.files}
        leases = SqliteLeases(file)
        explainer = Explainer(works.kit, works.documents, works.ages, leases, repositories)
        (root,), (member,) = [await explainer.explain(f"files/{path}") for path in (ROOT, PRIMARY)]
    finally:
        await file.close()
    assert root.facts["group"] == "its root; generation 1, published at 2026-11-20 12:00:00 UTC"
    assert member.facts["group"].startswith(f"a member; its root is {ROOT}; generation 1")
    assert member.facts["freshness"] == "as long as its root"
    assert member.facts["now"] == f"served from the store if its root may be: explain files/{ROOT} tells"
