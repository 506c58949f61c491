"""`/index` and `/catalog` as those know them who come from Athens."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.ecosystems.generic import Generic
from entrepot.ecosystems.golang import Golang
from entrepot.ecosystems.npm import Npm
from tests.cache.works import Works, page
from tests.fakes import Reply
from tests.web.front import Front

pytestmark = pytest.mark.anyio
MODULES = ("corp.example/b", "corp.example/a", "corp.example/!upper")


@pytest.fixture
async def go(works: Works, tmp_path: Path) -> AsyncIterator[Front]:
    """Three modules of two versions each, stored a second after one another."""
    works.shelf = replace(works.shelf, ecosystem=Golang())
    front = Front(works, tmp_path / "front")
    for version in ("v1.0.0", "v1.1.0"):
        for module in MODULES:
            await store(front, f"{module}/@v/{version}.info")
            works.clock.advance(1)
    yield front
    front.close()


async def store(front: Front, path: str) -> None:
    version = path.rpartition("/")[2].removesuffix(".info")
    front.works.fetcher.on(path, page(json.dumps({"Version": version}).encode()))
    assert (await front.get(f"/shelf/{path}")).status == 200
    await front.works.settle()


async def index(front: Front, query: str = "") -> list[dict[str, Any]]:
    got = await front.get(f"/shelf/index?{query}")
    assert (got.status, got.fields["content-type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in got.body.splitlines()]


async def test_ath_12_the_index_tells_what_was_stored_in_the_order_of_time(go: Front) -> None:
    rows = await index(go)
    assert [(row["Path"], row["Version"]) for row in rows] == [
        ("corp.example/b", "v1.0.0"),
        ("corp.example/a", "v1.0.0"),
        ("corp.example/Upper", "v1.0.0"),
        ("corp.example/b", "v1.1.0"),
        ("corp.example/a", "v1.1.0"),
        ("corp.example/Upper", "v1.1.0"),
    ]
    assert rows[0]["Timestamp"] == "2026-11-20T12:00:00.000000Z"
    assert sorted(row["Timestamp"] for row in rows) == [row["Timestamp"] for row in rows]
    assert await index(go) == rows


@pytest.mark.parametrize("limit", [2, 3, 5])
async def test_ath_12_the_index_goes_on_with_the_row_that_was_the_last(go: Front, limit: int) -> None:
    seen: list[dict[str, Any]] = []
    since = ""
    while len(rows := await index(go, f"limit={limit}&since={since}")) > 1:
        if seen:
            assert rows[0] == seen[-1]
        seen += rows if not seen else rows[1:]
        since = rows[-1]["Timestamp"]
    assert rows == seen[-1:]
    assert seen == await index(go)


async def test_ath_12_versions_that_are_stored_in_the_same_moment_have_an_order_too(go: Front) -> None:
    last = (await index(go))[-1]["Timestamp"]
    for module in MODULES:
        await store(go, f"{module}/@v/v2.0.0+incompatible.info")
    rows = await index(go, f"since={last}")
    assert len(rows) == 4
    assert len({row["Timestamp"] for row in rows}) == 4


async def test_a_version_is_listed_once_for_all_its_files(go: Front) -> None:
    before = await index(go)
    for extension in ("mod", "zip"):
        await store(go, f"corp.example/b/@v/v1.0.0.{extension}")
    assert await index(go) == before


async def test_what_is_no_version_is_not_listed(go: Front) -> None:
    before = await index(go)
    await store(go, "sumdb/sum.example/latest")
    go.works.fetcher.on("corp.example/b/@v/main.info", page(b'{"Version": "v1.2.0", "Time": "2026-01-01T00:00:00Z"}'))
    assert (await go.get("/shelf/corp.example/b/@v/main.info")).status == 200
    go.works.fetcher.on("corp.example/c/@v/v1.0.0.info", Reply(status=404))
    assert (await go.get("/shelf/corp.example/c/@v/v1.0.0.info")).status == 404
    await go.works.settle()
    assert await index(go) == before


async def test_the_catalog_is_read_page_by_page_in_the_order_of_names(go: Front) -> None:
    pages: list[list[dict[str, str]]] = []
    token = ""
    while not pages or token:
        got = await go.get(f"/shelf/catalog?pagesize=2&token={token}")
        assert (got.status, got.fields["content-type"]) == (200, "application/json")
        told = json.loads(got.body)
        pages.append(told["modules"])
        token = told["next"]
    names = [f"{one['module']}@{one['version']}" for page in pages for one in page]
    assert [len(page) for page in pages] == [2, 2, 2]
    assert names == sorted(names)
    assert names[0] == "corp.example/Upper@v1.0.0"


async def test_an_empty_store_has_an_empty_list(works: Works, tmp_path: Path) -> None:
    works.shelf = replace(works.shelf, ecosystem=Golang())
    front = Front(works, tmp_path / "front")
    assert await index(front) == []
    assert json.loads((await front.get("/shelf/catalog")).body) == {"modules": [], "next": ""}
    front.close()


@pytest.mark.parametrize("query", ["index?since=monday", "index?limit=many", "catalog?pagesize=-1", "catalog?token=x"])
async def test_a_parameter_that_cannot_be_read_is_400(go: Front, query: str) -> None:
    assert (await go.get(f"/shelf/{query}")).status == 400


async def test_only_reading_is_allowed(go: Front) -> None:
    assert (await go.get("/shelf/index", "POST")).status == 405
    assert (await go.get("/shelf/index", "HEAD")).body == b""


async def test_other_ecosystems_have_the_list_below_their_dash(works: Works, tmp_path: Path) -> None:
    works.shelf = replace(works.shelf, ecosystem=Npm())
    front = Front(works, tmp_path / "front")
    packument = {
        "name": "@acme/lib",
        "versions": {"1.0.0": {"dist": {"tarball": "https://registry.example/@acme/lib/-/lib-1.0.0.tgz"}}},
    }
    works.fetcher.on("@acme%2flib", page(json.dumps(packument).encode(), content_type="application/json"))
    await store(front, "@acme/lib/-/lib-1.0.0.tgz")
    rows = [json.loads(line) for line in (await front.get("/shelf/-/index")).body.splitlines()]
    assert [(row["Path"], row["Version"]) for row in rows] == [("@acme/lib", "1.0.0")]
    assert json.loads((await front.get("/shelf/-/catalog")).body)["modules"] == [
        {"module": "@acme/lib", "version": "1.0.0"}
    ]
    front.close()


@pytest.mark.parametrize("path", ["index", "catalog"])
async def test_a_package_of_that_name_is_not_in_the_way(works: Works, tmp_path: Path, path: str) -> None:
    for ecosystem in (Npm(), Generic()):
        works.shelf = replace(works.shelf, ecosystem=ecosystem)
        front = Front(works, tmp_path / ecosystem.name)
        assert (await front.get(f"/shelf/{path}")).status == 404
        assert works.fetcher.asked(path)
        front.close()


async def test_a_tree_of_files_keeps_its_dash(works: Works, tmp_path: Path) -> None:
    works.shelf = replace(works.shelf, ecosystem=Generic())
    front = Front(works, tmp_path / "front")
    works.fetcher.on("-/index", page(b"a file"))
    assert (await front.get("/shelf/-/index")).body == b"a file"
    front.close()
