"""Walks bring everything that is listed, ask only where something can have changed, and follow nothing that leads
elsewhere or on for ever."""

import asyncio
import json
from pathlib import Path

import pytest

from entrepot.cache.freshness import FreshnessRules
from entrepot.errors import Unreachable, UpstreamBusy
from entrepot.mirror.trees.grove import Walked
from entrepot.model.folder_forms import ACCEPT
from tests.cache.works import until
from tests.fakes import Reply
from tests.mirror.trees.forest import LONG_AGO, Forest, Leaf, Orchard, html, planted, tree

pytestmark = pytest.mark.anyio
FILES = ["a.txt", "sub/b.txt", "sub/deep/c.txt"]


async def test_z_08_everything_that_is_listed_is_fetched_depth_first(forest: Forest) -> None:
    result = await forest.walk()
    assert (result.complete, result.problem) == (True, "")
    assert forest.held() == FILES
    assert (result.counts.folders, result.counts.files, result.counts.fetched) == (3, 3, 3)
    assert [ask.headers.get("accept") for ask in forest.orchard.asked("sub/")] == [ACCEPT]


async def test_z_08_a_listing_above_its_cap_is_an_error_of_its_folder(tmp_path: Path, orchard: Orchard) -> None:
    orchard.leaves["sub/" + "n" * 2000] = Leaf(b"")
    async with planted(tmp_path, orchard, trees=(tree(max_listing_bytes=1000),)) as forest:
        result = await forest.walk()
        assert (result.complete, forest.held()) == (False, ["a.txt"])
        assert "larger than 1000 bytes" in result.problem


async def test_z_07_a_walk_tells_what_it_did_and_w_16_has_caps_in_place_of_a_deadline(forest: Forest) -> None:
    await forest.walk()
    assert forest.state().counts.fetched_bytes == sum(len(leaf.body) for leaf in forest.orchard.leaves.values())
    assert forest.state().ended_at is not None
    assert {one.key.partition(" ")[0] for one in forest.walked} == {*FILES, "", "sub/", "sub/deep/"}


async def test_z_10_a_walk_brings_what_changed_and_leaves_alone_what_did_not(forest: Forest) -> None:
    await forest.walk()
    forest.orchard.leaves["a.txt"] = Leaf(b"other bytes", "Fri, 02 Jan 2026 00:00:00 GMT")
    result = await forest.walk()
    assert (result.counts.fetched, result.counts.skipped) == (1, 2)
    assert await forest.get("a.txt") == b"other bytes"


async def test_z_10_what_may_not_be_stored_is_not_and_nothing_ends_for_it(tmp_path: Path, orchard: Orchard) -> None:
    orchard.says["a.txt"] = Reply(body=b"secret", fields=(("cache-control", "no-store"), ("etag", '"1"')))
    async with planted(tmp_path, orchard, rules=FreshnessRules(obey_no_store=True)) as forest:
        await forest.walk()
        assert forest.held() == FILES[1:]


async def test_z_11_a_folder_that_fails_does_not_keep_the_others_from_being_read(forest: Forest) -> None:
    forest.orchard.says["sub/deep/"] = Unreachable("no connection")
    result = await forest.walk()
    assert (result.complete, forest.held()) == (False, FILES[:2])
    assert "no connection" in result.problem


async def test_z_11_without_the_root_there_is_no_walk(forest: Forest) -> None:
    forest.orchard.says[""] = Reply(status=500)
    result = await forest.walk()
    assert (result.complete, result.counts.files) == (False, 0)


async def test_z_01_what_is_in_no_tree_is_cached_when_it_is_asked_for_and_no_more(
    tmp_path: Path, orchard: Orchard
) -> None:
    async with planted(tmp_path, orchard, trees=(tree("/sub/"),)) as forest:
        await forest.walk("/sub/")
        assert forest.held() == FILES[1:]
        await forest.get("a.txt")
        await forest.background.settle(10)
        assert forest.held() == FILES


# --- weaknesses -------------------------------------------------------------------------------------------------------

ODD = ["a%20b(1).txt", "100%25.txt", "a%2Bb%23c%3F.txt", "%C3%A9;x&y.txt", "%3Cscript%3E.txt", "~user@home,v=1"]


async def test_w_02_odd_names_are_fetched_once_and_never_taken_for_orphans(tmp_path: Path) -> None:
    async with planted(tmp_path, Orchard().grow(*ODD), trees=(tree(purge="always"),)) as forest:
        for _ in range(3):
            result = await forest.walk()
            assert (result.problem, result.gone) == ("", ())
        assert sorted(forest.held()) == sorted(ODD)
        assert forest.orchard.asked_for().count("a%20b(1).txt") == 1


HOSTILE = ["..", ".", "", "a/b", "../../etc/passwd", "a\\b", "nul\x00", "new\nline", "..;x", "half \ud800"]


async def test_w_03_names_that_lead_elsewhere_are_told_and_not_followed(forest: Forest) -> None:
    members = [{"name": name, "type": kind} for name in HOSTILE for kind in ("directory", "file")]
    listing = json.dumps([{"name": "b.txt", "type": "file"}, *members]).encode()
    forest.orchard.says["sub/"] = Reply(body=listing, fields=(("content-type", "application/json"),))
    result = await forest.walk()
    assert result.counts.hostile == len(members)
    assert forest.held() == FILES[:2]
    assert set(forest.orchard.asked_for()) == {"", "a.txt", "sub/", "sub/b.txt"}
    assert "could lead elsewhere" in " ".join(result.errors)


async def test_w_08_a_file_can_become_a_folder_and_a_folder_a_file(forest: Forest) -> None:
    await forest.walk()
    forest.orchard.leaves = {"a.txt/x": Leaf(b"now a folder"), "sub": Leaf(b"now a file")}
    result = await forest.walk()
    assert result.complete
    assert await forest.get("a.txt/x") == b"now a folder"
    assert await forest.get("sub") == b"now a file"


async def test_w_08_names_that_differ_in_case_are_different_names(tmp_path: Path) -> None:
    async with planted(tmp_path, Orchard().grow("Readme", "README", "readme/x")) as forest:
        assert (await forest.walk()).counts.fetched == 3
        assert await forest.get("Readme") == b"bytes of Readme"


async def test_w_09_folders_that_contain_themselves_are_not_followed_for_ever(forest: Forest) -> None:
    forest.orchard.leaves["loop/x"] = Leaf(b"x")
    listing = json.dumps([{"name": "loop", "type": "directory", "mtime": LONG_AGO}]).encode()
    again = Reply(body=listing, fields=(("content-type", "application/json"),))
    forest.orchard.says = {"loop/" * depth: again for depth in range(1, 40)}
    result = await forest.walk()
    assert not result.complete
    assert "contain itself" in result.problem
    assert max(key.count("/") for key in forest.orchard.asked_for()) == 3


async def test_w_09_a_redirect_to_a_folder_that_was_read_is_not_followed(forest: Forest) -> None:
    listing = json.dumps(forest.orchard.members("sub/")).encode()
    forest.orchard.says["sub/deep/"] = Reply(
        body=listing, url="https://files.example/sub/", fields=(("content-type", "application/json"),)
    )
    result = await forest.walk()
    assert (result.complete, "read already" in result.problem) == (False, True)


async def test_w_09_depth_and_names_have_ends(tmp_path: Path) -> None:
    orchard = Orchard().grow("/".join("abcdefgh"), "x", "y")
    async with planted(tmp_path, orchard, trees=(tree(max_depth=3),)) as forest:
        result = await forest.walk()
        assert (result.complete, "max_depth" in result.problem) == (False, True)
        assert max(key.count("/") for key in orchard.asked_for()) == 3
    async with planted(tmp_path, orchard, trees=(tree(max_entries=4),)) as forest:
        result = await forest.walk()
        assert (result.complete, "max_entries" in result.problem) == (False, True)


async def test_w_09_a_walk_that_waits_for_upstream_ends_when_it_is_cancelled(forest: Forest) -> None:
    gate = asyncio.Event()
    forest.orchard.says["a.txt"] = Reply(body=b"late", gates={0: gate}, fields=(("etag", '"1"'),))
    walking = asyncio.create_task(forest.walk())
    await until(lambda: "a.txt" in [ask.url.rpartition("/")[2] for ask in forest.orchard.asks])
    walking.cancel()
    await asyncio.wait({walking}, timeout=10)
    assert walking.cancelled()
    assert forest.lease().expires_at <= forest.clock.now()
    gate.set()


async def test_w_10_a_walk_waits_as_long_as_upstream_wishes_and_then_goes_on(forest: Forest) -> None:
    waits = [UpstreamBusy("https://files.example", 7, "Retry-After")] * 2
    forest.orchard.says["sub/"] = lambda ask: waits.pop() if waits else forest.orchard.answer(ask)
    result = await forest.walk()
    assert (result.problem, forest.pauses) == ("", [7, 7])


async def test_w_10_an_upstream_that_wants_to_be_left_alone_for_long_ends_the_walk(forest: Forest) -> None:
    forest.orchard.says["sub/"] = UpstreamBusy("https://files.example", 900, "the breaker is open")
    result = await forest.walk()
    assert (result.complete, forest.pauses) == (False, [])
    assert "sub/b.txt" not in forest.orchard.asked_for()


async def test_w_10_all_walks_together_have_a_limit(tmp_path: Path) -> None:
    orchard, gate = Orchard().grow(*(f"{folder}/{name}" for folder in "ab" for name in range(30))), asyncio.Event()
    for key in orchard.leaves:
        orchard.says[key] = Reply(body=key.encode(), gates={0: gate}, fields=(("etag", '"1"'),))
    trees = (tree("/a/", concurrency=12), tree("/b/", concurrency=12))
    async with planted(tmp_path, orchard, trees=trees) as forest:
        walks = [asyncio.create_task(forest.walk(path)) for path in ("/a/", "/b/")]
        await until(lambda: len(orchard.asks) >= 2 + 16)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len([ask for ask in orchard.asks if not ask.url.endswith("/")]) == 16
        gate.set()
        assert [walk.counts.fetched for walk in await asyncio.gather(*walks)] == [30, 30]


async def test_w_11_what_its_listing_proves_unchanged_is_not_asked_about(forest: Forest) -> None:
    await forest.walk()
    forest.orchard.asked_for()
    result = await forest.walk()
    assert sorted(forest.orchard.asked_for()) == ["", "sub/", "sub/deep/"]
    assert (result.counts.skipped, result.counts.fetched_bytes) == (3, 0)


@pytest.mark.parametrize(
    "leaf",
    [
        Leaf(b"x", modified="Fri, 20 Nov 2026 13:00:00 GMT"),
        Leaf(b"x", modified="20-Nov-2026 02:00"),
        Leaf(b"x", modified=""),
        Leaf(b"x", size_bytes=None),
        Leaf(b"x", size_bytes=7),
    ],
    ids=["changed a moment ago", "perhaps in another zone", "without a time", "without a size", "with a wrong size"],
)
async def test_w_11_what_its_listing_does_not_prove_is_asked_about(forest: Forest, leaf: Leaf) -> None:
    forest.orchard.leaves["a.txt"] = leaf
    await forest.walk()
    forest.orchard.asked_for()
    result = await forest.walk(after=1)
    assert "a.txt" in forest.orchard.asked_for()
    assert (result.counts.unchanged, result.counts.fetched_bytes) == (1, 0)


async def test_w_11_what_was_evicted_is_brought_again(forest: Forest) -> None:
    await forest.walk()
    entry = forest.catalog.find_entry("files", "a.txt")
    assert entry is not None
    await forest.janitor.remove(entry.sha256)
    assert (await forest.walk()).counts.fetched == 1
    assert forest.held() == FILES


async def test_w_12_what_can_have_changed_is_asked_about_by_its_strong_validator(forest: Forest) -> None:
    forest.orchard.leaves["a.txt"] = Leaf(b"one", modified="")
    await forest.walk()
    forest.orchard.asks.clear()
    await forest.walk()
    (ask,) = forest.orchard.asked("a.txt")
    assert ask.headers.get("if-none-match").startswith('"')


async def test_w_12_a_body_that_is_cut_is_not_taken_for_the_file(forest: Forest) -> None:
    forest.orchard.says["a.txt"] = Reply(body=b"whole", cut_at=2)
    result = await forest.walk()
    assert (forest.held(), result.counts.failed) == (FILES[1:], 1)


async def test_w_13_refused_credentials_pause_the_tree_and_are_told(
    forest: Forest, caplog: pytest.LogCaptureFixture
) -> None:
    forest.orchard.says["sub/"] = Reply(status=401)
    result = await forest.walk()
    assert "refuses our credentials" in result.problem
    assert (forest.lease().not_before - forest.clock.now()).days == 1
    assert [record.levelname for record in caplog.records if "credentials" in record.message] == ["ERROR"]


async def test_w_15_a_tree_within_a_tree_is_walked_once(tmp_path: Path, orchard: Orchard) -> None:
    async with planted(tmp_path, orchard, trees=(tree("/"), tree("/sub/"))) as forest:
        await forest.walk("/")
        assert forest.held() == ["a.txt"]
        await forest.walk("/sub/")
        assert forest.held() == FILES


LOGIN = '<html><head><title>Index of all you need</title></head><body><input type="password"></body></html>'


@pytest.mark.parametrize(
    "page",
    [html(LOGIN), html("<html><body>Oops</body></html>"), html("<html><title>Index of /</title><pre>"), html("")],
    ids=["login page", "error page", "cut", "empty"],
)
async def test_w_17_what_is_no_listing_takes_no_listings_place(forest: Forest, page: Reply) -> None:
    await forest.walk()
    forest.orchard.says["sub/"] = page
    result = await forest.walk()
    assert not result.complete
    async with offline(forest) as alone:
        assert await alone.names("sub/") == {"b.txt": True, "deep": True}


def offline(forest: Forest):  # type: ignore[no-untyped-def]
    return planted(
        forest.directory,
        forest.orchard,
        trees=forest.trees,
        rules=FreshnessRules(network="offline"),
        clock=forest.clock,
    )


async def test_a_listing_of_a_million_names_is_refused_before_anything_is_made_of_it(forest: Forest) -> None:
    listing = b"<html><head><title>Index of /</title></head><body><pre>" + b'<a href="x">x</a>\n' * 1_000_000
    forest.orchard.says["sub/"] = html((listing + b"</pre></body></html>").decode())
    result = await forest.walk()
    assert (result.complete, forest.held()) == (False, ["a.txt"])
    await forest.walk()
    assert forest.held() == ["a.txt"]


async def test_a_folder_can_be_walked_by_hand_though_no_tree_is_configured(tmp_path: Path, orchard: Orchard) -> None:
    async with planted(tmp_path, orchard, trees=()) as forest:
        await forest.walk("/sub/")
        assert forest.held() == FILES[1:]


async def test_a_rehearsal_reads_listings_and_fetches_no_file(forest: Forest) -> None:
    seen: list[Walked] = []
    result = await forest.walker.rehearse("files", "/", seen.append)
    assert (result.complete, forest.held()) == (True, [])
    assert [one.key for one in seen if one.state.value == "open"] == ["a.txt", "sub/b.txt", "sub/deep/c.txt"]
