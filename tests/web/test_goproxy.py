"""The Go module proxy protocol at the front door, by the ids of behaviours.md §2.9 (and ATH-09)."""

import json
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.contracts.ecosystem import Limits
from entrepot.ecosystems.golang import Golang
from entrepot.errors import BodyCut, EntrepotError, Unreachable, UpstreamBusy, UpstreamTimeout
from entrepot.policy.cooldown import Cooldown
from entrepot.policy.gate import Gate
from tests.cache.works import Works, page, works_in
from tests.fakes import Reply
from tests.web.front import Front, Got

pytestmark = pytest.mark.anyio
MIB = 1 << 20
MODULE = "corp.example/!lib"
INFO, MOD, ZIP = (f"{MODULE}/@v/v1.0.0.{extension}" for extension in ("info", "mod", "zip"))
LIST, LATEST, BRANCH = f"{MODULE}/@v/list", f"{MODULE}/@latest", f"{MODULE}/@v/main.info"
SUMS = "sumdb/sum.example"
FILES = {LIST: b"v1.0.0\n", MOD: b"module corp.example/Lib\n", ZIP: b"PK"}


def described(version: str) -> bytes:
    return json.dumps({"Version": version, "Time": "2026-01-01T00:00:00Z", "Origin": {"VCS": "git"}}).encode()


FILES |= {INFO: described("v1.0.0"), LATEST: described("v1.0.0"), BRANCH: described("v1.1.0")}


@pytest.fixture
async def go(works: Works, tmp_path: Path) -> AsyncIterator[Front]:
    """A proxy whose upstream has one module; it compares nothing with a checksum database."""
    with_options = Golang({"sumdb": "off", "sumdbs": ["sum.example"], "nosumdb": ["corp.example/Private/*"]})
    works.shelf = replace(works.shelf, ecosystem=with_options, limits=Golang.limits)
    for path, body in FILES.items():
        works.fetcher.on(path, page(body))
    front = Front(works, tmp_path / "front")
    yield front
    front.close()


async def got(front: Front, path: str, **fields: Any) -> Got:
    answer = await front.get(f"/shelf/{path}", **fields)
    await front.works.settle()
    return answer


def asked(front: Front, path: str) -> int:
    return len(front.works.fetcher.asked(path))


async def test_gop_01_every_spelling_of_a_capital_is_one_stored_file(go: Front) -> None:
    for spelling in (MOD, MOD.replace("!", "%21"), MOD.replace("!l", "%21%6C")):
        assert (await got(go, spelling)).body == FILES[MOD]
    assert asked(go, MOD) == 1


@pytest.mark.parametrize("path", ["corp.example/Lib/@v/list", "corp.example/!/@v/list", "corp.example/!é/@v/list"])
async def test_gop_01_what_is_no_spelling_is_refused_without_contact(go: Front, path: str) -> None:
    answer = await got(go, path)
    assert answer.status in (400, 404)
    assert go.works.fetcher.asks == []


async def test_gop_02_what_a_branch_is_is_asked_again_and_what_a_version_is_never(go: Front) -> None:
    for path in (BRANCH, INFO):
        assert (await got(go, path)).body == FILES[path]
    go.works.clock.advance(86400)
    go.works.fetcher.on(BRANCH, page(described("v1.2.0")))
    go.works.fetcher.on(INFO, page(described("v9.9.9")))
    assert (await got(go, BRANCH)).body == described("v1.2.0")
    assert (await got(go, INFO)).body == FILES[INFO]
    assert (asked(go, BRANCH), asked(go, INFO)) == (2, 1)


@pytest.mark.parametrize("query", ["main", "v1", "latest", "v1.0.0+meta", "abcdef123456"])
@pytest.mark.parametrize("extension", ["mod", "zip"])
async def test_gop_03_a_branch_has_no_files(go: Front, query: str, extension: str) -> None:
    assert (await got(go, f"{MODULE}/@v/{query}.{extension}")).status == 404
    assert go.works.fetcher.asks == []


@pytest.mark.parametrize(
    "body",
    [described("v1.0.1"), described("v1.0.0-rc1"), b'{"Time": "2026-01-01T00:00:00Z"}', b"v1.0.0", b" " * (2 * MIB)],
)
async def test_gop_04_what_describes_another_version_is_a_bad_answer_and_not_stored(go: Front, body: bytes) -> None:
    go.works.fetcher.on(INFO, page(body))
    assert (await got(go, INFO)).status == 502
    go.works.fetcher.on(INFO, page(FILES[INFO]))
    answer = await got(go, INFO)
    assert (answer.status, answer.body) == (200, FILES[INFO])


async def test_gop_05_a_list_is_in_order_and_has_released_versions_only(go: Front) -> None:
    lines = ["v1.10.0", "v1.9.0 2026-01-01T00:00:00Z", "", "master", "v2.0.0+incompatible", "v1.9.0-rc1", "1.0.0"]
    lines += ["v0.0.0-20260101000000-abcdefabcdef", "v1.9.1-0.20260101000000-abcdefabcdef", "v1.10.0"]
    go.works.fetcher.on(LIST, page("\n".join(lines).encode()))
    assert (await got(go, LIST)).body.decode().splitlines() == [
        "v1.9.0-rc1",
        "v1.9.0 2026-01-01T00:00:00Z",
        "v1.10.0",
        "v2.0.0+incompatible",
    ]


@pytest.mark.parametrize("body", [b"", b"\n", b"v0.0.0-20260101000000-abcdefabcdef\n"])
async def test_gop_05_a_list_may_be_empty(go: Front, body: bytes) -> None:
    go.works.fetcher.on(LIST, page(body))
    answer = await got(go, LIST)
    assert (answer.status, answer.body.strip()) == (200, b"")


TROUBLE: dict[str, tuple[Reply | EntrepotError, int]] = {
    "404": (Reply(status=404), 404),
    "410": (Reply(status=410), 410),
    "401": (Reply(status=401), 502),
    "403": (Reply(status=403), 502),
    "429": (UpstreamBusy("registry.example", 40, "it asked us to wait"), 503),
    "500": (Reply(status=500), 502),
    "timeout": (UpstreamTimeout("registry.example: silence"), 504),
    "reset": (Unreachable("registry.example: the connection was reset"), 502),
    "truncated": (replace(page(b"v1.0.0\nv1.1.0\n"), cut_at=7, cut=BodyCut("the body ended early")), 502),
}


@pytest.mark.parametrize("path", [LIST, LATEST, BRANCH, INFO])
@pytest.mark.parametrize("trouble", TROUBLE)
async def test_gop_06_an_absence_is_404_and_an_outage_never(go: Front, trouble: str, path: str) -> None:
    reply, status = TROUBLE[trouble]
    go.works.fetcher.on(path, reply)
    answer = await got(go, path)
    assert answer.status == status
    assert (answer.fields.get("retry-after") == "40") is (trouble == "429")
    assert answer.fields["content-type"] == "text/plain; charset=utf-8"
    assert answer.body.decode().isprintable() or answer.body.decode().strip().isprintable()


@pytest.mark.parametrize("trouble", [name for name, (_, status) in TROUBLE.items() if status > 499])
async def test_gop_06_what_is_stored_is_served_with_its_age_during_an_outage(go: Front, trouble: str) -> None:
    await got(go, LIST)
    go.works.clock.advance(3600)
    go.works.fetcher.on(LIST, TROUBLE[trouble][0])
    answer = await got(go, LIST)
    assert (answer.status, answer.body, answer.fields["age"]) == (200, FILES[LIST], "3600")


@pytest.mark.parametrize(("prefix", "fields"), [("cached-only/", {}), ("", {"disable_module_fetch": "true"})])
@pytest.mark.parametrize("path", [LIST, INFO, ZIP])
async def test_gop_07_who_asks_for_stored_content_only_gets_it_or_404(
    go: Front, path: str, prefix: str, fields: dict[str, str]
) -> None:
    assert (await got(go, prefix + path, **fields)).status == 404
    assert go.works.fetcher.asks == []
    await got(go, path)
    go.works.clock.advance(3600)
    answer = await got(go, prefix + path, **fields)
    assert (answer.status, answer.body) == (200, FILES[path])
    assert asked(go, path) == 1


async def test_gop_07_only_if_cached_is_504_on_a_miss(go: Front) -> None:
    assert (await got(go, ZIP, cache_control="only-if-cached")).status == 504
    assert go.works.fetcher.asks == []
    await got(go, ZIP)
    assert (await got(go, ZIP, cache_control="only-if-cached")).status == 200


@pytest.mark.parametrize("question", ["latest", "lookup/corp.example/!lib@v1.0.0", "tile/8/0/000.p/6", "supported"])
async def test_gop_08_a_checksum_database_passes_byte_for_byte(go: Front, question: str) -> None:
    body = b"" if question == "supported" else bytes(range(192))
    go.works.fetcher.on(f"{SUMS}/{question}", page(body))
    for _ in range(2):
        answer = await got(go, f"{SUMS}/{question}")
        assert (answer.status, answer.body) == (200, body)


async def test_gop_08_a_partial_tile_that_is_gone_is_404(go: Front) -> None:
    go.works.fetcher.on(f"{SUMS}/tile/8/0/000.p/6", Reply(status=404))
    assert (await got(go, f"{SUMS}/tile/8/0/000.p/6")).status == 404


async def test_gop_08_and_ath_09_a_lookup_of_a_private_module_is_403_without_contact(go: Front) -> None:
    for version in ("v1.0.0", "v1.0.1-rc1"):
        answer = await got(go, f"{SUMS}/lookup/corp.example/!private/x@{version}")
        assert answer.status == 403
        assert b"nosumdb" in answer.body
    assert go.works.fetcher.asks == []


async def test_ath_09_a_named_database_is_supported_and_any_other_is_404(go: Front) -> None:
    go.works.fetcher.on(f"{SUMS}/supported", page(b""))
    go.works.fetcher.on("sumdb/other.example/supported", page(b""))
    assert (await got(go, f"{SUMS}/supported")).status == 200
    assert (await got(go, "sumdb/other.example/supported")).status == 404
    assert asked(go, "sumdb/other.example/supported") == 0


async def test_gop_09_an_archive_over_gos_limit_is_refused_by_its_length(go: Front) -> None:
    told = (("content-length", str(500 * MIB + 1)), ("content-type", "application/zip"))
    go.works.fetcher.on(ZIP, Reply(body=b"PK", length=False, fields=told))
    answer = await got(go, ZIP)
    assert answer.status == 502
    assert go.works.catalog.find_entry("shelf", ZIP) is None


async def test_gop_09_an_archive_that_tells_no_length_is_refused_where_it_grows_too_long(tmp_path: Path) -> None:
    works = works_in(tmp_path / "works", caps=Limits(artifact_bytes=MIB))
    works.shelf = replace(works.shelf, ecosystem=Golang())
    front = Front(works, tmp_path / "front")
    works.fetcher.on(ZIP, Reply(body=bytes(2 * MIB), length=False))
    answer = await got(front, ZIP)
    assert answer.broken or answer.status == 502
    assert works.catalog.find_entry("shelf", ZIP) is None
    front.close()


async def test_gop_09_a_long_archive_is_not_held_in_memory(go: Front) -> None:
    body = bytes(48 * MIB)
    go.works.fetcher.on(ZIP, page(body))
    answer = await go.works.fetch(ZIP)
    tracemalloc.start()
    try:
        await go.works.settle()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MIB
    entry = go.works.catalog.find_entry("shelf", ZIP)
    assert entry is not None
    assert entry.size_bytes == len(body)
    assert answer.status == 200


@pytest.mark.parametrize("path", [INFO, MOD, ZIP])
async def test_gop_11_what_never_changes_may_be_kept_for_ever(go: Front, path: str) -> None:
    assert (await got(go, path)).fields["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", [LIST, LATEST, BRANCH])
async def test_gop_11_what_changes_is_asked_for_again(go: Front, path: str) -> None:
    assert (await got(go, path)).fields["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", [f"{MODULE}/nested/@v/list", f"{MODULE}/@v/main.zip", f"{SUMS}/lookup/nonsense"])
async def test_gop_11_a_404_is_kept_by_nobody(go: Front, path: str) -> None:
    answer = await got(go, path)
    assert (answer.status, answer.fields["cache-control"]) == (404, "no-store")


async def test_gop_12_the_parents_of_a_path_are_asked_for_once(go: Front) -> None:
    parents = [f"{parent}/@v/list" for parent in ("corp.example/a/b/c", "corp.example/a/b", "corp.example/a")]
    for _ in range(5):
        assert [(await got(go, path)).status for path in parents] == [404, 404, 404]
        go.works.clock.advance(5)
    assert [asked(go, path) for path in parents] == [1, 1, 1]


async def test_what_is_shown_to_who_forbids_contact_is_shown_to_nobody_else(go: Front, tmp_path: Path) -> None:
    await got(go, LIST)
    works = go.works.sibling()
    # The dates of the list are not here yet.
    works.shelf = replace(go.works.shelf, gate=Gate(cooldown=Cooldown(default=86400.0)))
    aged = Front(works, tmp_path / "aged")
    try:
        assert (await got(aged, LIST, disable_module_fetch="true")).body == b""
        assert (await got(aged, LIST, cache_control="only-if-cached")).body == b""
        assert (await got(aged, LIST)).body == FILES[LIST]
    finally:
        aged.close()
