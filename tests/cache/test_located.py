"""Files whose place is told by another document than the one that lists them: crates, by an index's config.json."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.cache.freshness import FreshnessRules
from entrepot.ecosystems.cargo import Cargo
from entrepot.errors import Absent, Unreachable, UnreadableIndex
from tests.cache.works import Works, page, sha256, works_in
from tests.fakes import Reply, ScriptedFetcher

BODY = b"what a crate holds\n"
CRATE = f"crates/Hello/1.0.0/{sha256(BODY)}"
ELSEWHERE = "https://files.example/Hello/1.0.0/download"


def index(name: str = "Hello", body: bytes = BODY) -> Reply:
    return page(json.dumps({"name": name, "vers": "1.0.0", "cksum": sha256(body)}).encode() + b"\n")


def config(dl: str = "https://files.example") -> Reply:
    return page(json.dumps({"dl": dl}).encode())


def cargo_works(directory: Path, *, verify_always: bool = True, **bases: str) -> Works:
    works = works_in(directory, fetcher=ScriptedFetcher(**bases), verify_always=verify_always)
    works.shelf = replace(works.shelf, ecosystem=Cargo(), rules=FreshnessRules(mutable_ttl=300.0), _variants={})
    return works


@pytest.fixture
def works(tmp_path: Path) -> Works:
    works = cargo_works(tmp_path)
    works.fetcher.on("he/ll/hello", index())
    works.fetcher.on("config.json", config())
    works.fetcher.on(ELSEWHERE, page(BODY))
    return works


def asked(works: Works) -> list[str]:
    return [ask.url.removeprefix("https://registry.example/") for ask in works.fetcher.asks]


@pytest.mark.anyio
async def test_a_file_is_fetched_from_where_the_locating_document_says_once_the_index_lists_it(works: Works) -> None:
    assert await works.get(CRATE) == (200, BODY)
    assert asked(works) == ["he/ll/hello", "config.json", ELSEWHERE]
    assert [ask.learned for ask in works.fetcher.asks] == [False, False, True]


@pytest.mark.anyio
async def test_a_file_that_the_index_does_not_list_is_never_asked_for(works: Works) -> None:
    with pytest.raises(Absent):
        await works.get(CRATE.replace("1.0.0", "1.0.1"))
    assert asked(works) == ["he/ll/hello"]


@pytest.mark.anyio
async def test_without_its_index_a_located_file_is_not_asked_for_however_relaxed(tmp_path: Path) -> None:
    works = cargo_works(tmp_path, verify_always=False)
    works.fetcher.on("he/ll/hello", page(b"<html>"))
    works.fetcher.on("config.json", config())
    with pytest.raises(UnreadableIndex):
        await works.get(CRATE)
    assert set(asked(works)) == {"he/ll/hello"}


@pytest.mark.anyio
@pytest.mark.parametrize("dl", ["http://files.example", "https://me:pw@files.example"])
async def test_a_document_that_leads_astray_makes_the_file_fail(works: Works, dl: str) -> None:
    works.fetcher.on("config.json", config(dl))
    with pytest.raises(UnreadableIndex, match="its dl"):
        await works.get(CRATE)
    assert ELSEWHERE not in asked(works)


@pytest.mark.anyio
async def test_the_newest_document_counts_and_what_is_stored_needs_none(works: Works) -> None:
    other = b"another crate"
    works.fetcher.on("ot/he/other", index("other", other))
    assert await works.get(CRATE) == (200, BODY)

    works.fetcher.on("config.json", config("https://new.example/{crate}"))
    works.fetcher.on("https://new.example/other", page(other))
    works.clock.advance(301)
    assert await works.get(f"crates/other/1.0.0/{sha256(other)}") == (200, other)

    works.fetcher.on("config.json", Unreachable("gone"))
    works.clock.advance(301)
    assert await works.get(CRATE) == (200, BODY)


@pytest.mark.anyio
async def test_while_the_document_cannot_be_had_the_stored_one_locates(works: Works) -> None:
    assert (await works.get("config.json"))[0] == 200
    works.fetcher.on("config.json", Unreachable("gone"))
    works.clock.advance(301)
    assert await works.get(CRATE) == (200, BODY)


@pytest.mark.anyio
async def test_clients_and_downloads_share_one_stored_document(works: Works) -> None:
    status, body = await works.get("config.json")
    assert (status, json.loads(body)["dl"]) == (200, "http://x/crates/{crate}/{version}/{sha256-checksum}")
    await works.get(CRATE)
    assert asked(works).count("config.json") == 1


@pytest.mark.anyio
async def test_each_upstream_locates_its_own_files(tmp_path: Path) -> None:
    works = cargo_works(tmp_path, first="https://first.example/", second="https://second.example/")
    works.fetcher.on("https://first.example/config.json", config("https://first-files.example"))
    works.fetcher.on("https://second.example/config.json", config())
    works.fetcher.on("https://second.example/he/ll/hello", index())
    works.fetcher.on(ELSEWHERE, page(BODY))
    assert (await works.get("config.json"))[0] == 200

    assert await works.get(CRATE) == (200, BODY)

    assert [ask.url for ask in works.fetcher.asks if "files.example" in ask.url] == [ELSEWHERE]
    assert works.catalog.find_entry("shelf", "config.json <second>") is not None


@pytest.mark.anyio
async def test_a_located_file_is_resumed_where_it_was_begun(works: Works) -> None:
    rest = Reply(status=206, body=BODY[5:], fields=(("content-range", f"bytes 5-{len(BODY) - 1}/{len(BODY)}"),))
    works.fetcher.on(ELSEWHERE, replace(page(BODY), cut_at=5), rest)
    assert await works.get(CRATE) == (200, BODY)
    assert [ask.learned for ask in works.fetcher.asked(ELSEWHERE)] == [True, True]
