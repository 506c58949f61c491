"""What upstream removed goes when walks agree on it, within a budget, and never for want of a whole listing."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from entrepot.cache.freshness import FreshnessRules
from entrepot.errors import Absent, Unreachable
from entrepot.mirror.trees.purge import GRACE
from entrepot.model.trees import Budget
from tests.fakes import Reply
from tests.mirror.trees.forest import Forest, Leaf, Orchard, html, planted, tree

pytestmark = pytest.mark.anyio
FILES = ["a.txt", "sub/b.txt", "sub/deep/c.txt"]


async def test_z_12_what_is_listed_no_more_goes_and_w_05_has_two_walks_agree_on_it(forest: Forest) -> None:
    await forest.walk()
    del forest.orchard.leaves["a.txt"]
    assert (await forest.walk()).gone == ()
    assert forest.held() == FILES
    assert (await forest.walk()).gone == ("a.txt",)
    assert forest.held() == FILES[1:]
    with pytest.raises(Absent):
        await forest.ask("a.txt")


async def test_z_12_at_once_where_that_is_wished(tmp_path: Path, orchard: Orchard) -> None:
    async with planted(tmp_path, orchard, trees=(tree(purge="always"),)) as forest:
        await forest.walk()
        del orchard.leaves["a.txt"]
        assert (await forest.walk()).gone == ("a.txt",)


async def test_z_12_never_where_that_is_wished_and_what_was_never_listed_stays(
    tmp_path: Path, orchard: Orchard
) -> None:
    hidden = orchard.says[".hidden"] = Reply(body=b"not listed", fields=(("etag", '"1"'),))
    async with planted(tmp_path, orchard, trees=(tree(purge="never"),)) as forest:
        await forest.walk()
        del orchard.leaves["a.txt"]
        for _ in range(3):
            assert (await forest.walk()).gone == ()
        assert forest.held() == FILES
    async with planted(tmp_path, orchard, trees=(tree(purge="always"),), clock=forest.clock) as forest:
        assert await forest.get(".hidden") == hidden.body
        await forest.background.settle(10)
        await forest.walk()
        assert forest.held() == [".hidden", *FILES[1:]]


async def test_w_05_between_two_walks_that_miss_it_none_may_see_it(forest: Forest) -> None:
    await forest.walk()
    leaf = forest.orchard.leaves.pop("a.txt")
    await forest.walk()
    forest.orchard.leaves["a.txt"] = leaf
    forest.orchard.says["sub/"] = Unreachable("no connection")
    await forest.walk()
    del forest.orchard.leaves["a.txt"], forest.orchard.says["sub/"]
    assert (await forest.walk()).gone == ()
    assert (await forest.walk()).gone == ("a.txt",)


async def test_w_05_more_than_the_budget_allows_is_not_removed_at_all_and_that_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    orchard = Orchard().grow(*map(str, range(20)))
    few = Budget(entries=5, share=0.1)
    async with planted(tmp_path, orchard, trees=(tree(purge="always", budget=few),)) as forest:
        await forest.walk()
        orchard.leaves = {key: leaf for key, leaf in orchard.leaves.items() if int(key) >= 6}
        result = await forest.walk()
        assert (result.gone, result.over_budget) == ((), 6)
        assert "6 names are gone upstream" in forest.state().problem
        assert [record.levelname for record in caplog.records if "purge_budget" in record.message] == ["ERROR"]
        assert len(forest.held()) == 20
    async with planted(tmp_path, orchard, trees=(tree(purge="always"),), clock=forest.clock) as forest:
        assert len((await forest.walk()).gone) == 6


async def test_w_05_the_budget_is_the_larger_of_a_number_and_a_share() -> None:
    assert Budget().allows(100, 0)
    assert Budget().allows(200, 2000)
    assert not Budget().allows(201, 2000)


EMPTY = Reply(body=b"[]", fields=(("content-type", "application/json"),))
CUT = html("<html><title>Index of /</title><body><pre><a href='b.txt'>b.txt</a>")


@pytest.mark.parametrize("folder", ["", "sub/"])
@pytest.mark.parametrize("listing", [EMPTY, CUT], ids=["empty", "cut"])
async def test_w_05_an_empty_or_a_cut_listing_removes_nothing(forest: Forest, folder: str, listing: Reply) -> None:
    await forest.walk()
    forest.orchard.says[folder] = listing
    for _ in range(3):
        assert (await forest.walk()).gone == ()
    assert forest.held() == FILES


@pytest.mark.parametrize("kind", ["other", "file"])
async def test_w_05_what_upstream_lists_and_cannot_look_into_stays(forest: Forest, kind: str) -> None:
    """A link to a file system that is gone: nginx calls it "other" in JSON, and lists it like a file in HTML."""
    await forest.walk()
    forest.orchard.leaves["new.txt"] = Leaf(b"new")
    members = [{"name": "new.txt", "type": "file"}, {"name": "a.txt", "type": "other"}, {"name": "sub", "type": kind}]
    listing = json.dumps(members).encode()
    forest.orchard.says[""] = Reply(body=listing, fields=(("content-type", "application/json"),))
    for name in ("a.txt", "sub/", "sub/b.txt", "sub/deep/", "sub/deep/c.txt"):
        forest.orchard.says[name] = Reply(status=404)
    for _ in range(3):
        assert (await forest.walk()).gone == ()
    assert forest.held() == [FILES[0], "new.txt", *FILES[1:]]


async def test_w_05_what_was_removed_comes_back_with_its_file(forest: Forest) -> None:
    await forest.walk()
    leaf = forest.orchard.leaves.pop("a.txt")
    await forest.walk()
    await forest.walk()
    forest.orchard.leaves["a.txt"] = leaf
    assert (await forest.walk()).counts.fetched == 1
    assert await forest.get("a.txt") == leaf.body


async def test_w_05_bytes_are_kept_unserved_for_a_week(forest: Forest) -> None:
    await forest.walk()
    entry = forest.catalog.find_entry("files", "a.txt")
    assert entry is not None
    del forest.orchard.leaves["a.txt"]
    for _ in range(2):
        await forest.walk()
    assert entry.sha256 in forest.blobs.digests()
    await forest.walk(after=(GRACE + timedelta(hours=1)).total_seconds())
    assert entry.sha256 not in forest.blobs.digests()
    assert "a.txt" not in forest.keys


async def test_w_05_a_rehearsal_tells_what_would_go(forest: Forest) -> None:
    await forest.walk()
    del forest.orchard.leaves["a.txt"]
    await forest.walk()
    forest.clock.advance(3600)
    assert (await forest.walker.rehearse("files", "/")).gone == ("a.txt",)
    assert forest.held() == FILES


async def test_w_06_folders_that_vanished_go_with_all_that_is_in_them(forest: Forest) -> None:
    await forest.walk()
    forest.orchard.leaves = {"a.txt": forest.orchard.leaves["a.txt"]}
    await forest.walk()
    assert set((await forest.walk()).gone) == {"sub/", "sub/deep/", *FILES[1:]}
    assert forest.held() == FILES[:1]
    with pytest.raises(Absent):
        await forest.ask("sub/")


@pytest.mark.parametrize(("status", "rules"), [(404, {"gone": "follow"}), (403, {"forbidden": "drop"})])
async def test_w_06_a_folder_that_is_not_to_be_had_goes_after_two_walks(
    tmp_path: Path, orchard: Orchard, status: int, rules: dict[str, str]
) -> None:
    async with planted(tmp_path, orchard, rules=FreshnessRules(**rules)) as forest:  # type: ignore[arg-type]
        await forest.walk()
        orchard.says["sub/"] = Reply(status=status)
        assert (await forest.walk()).gone == ()
        assert forest.held() == FILES
        assert set((await forest.walk()).gone) == {"sub/", "sub/deep/", *FILES[1:]}


@pytest.mark.parametrize(("status", "rules"), [(404, {"gone": "serve"}), (403, {"forbidden": "stale"})])
async def test_w_06_or_stays_where_that_is_configured(
    tmp_path: Path, orchard: Orchard, status: int, rules: dict[str, str]
) -> None:
    async with planted(tmp_path, orchard, rules=FreshnessRules(**rules)) as forest:  # type: ignore[arg-type]
        await forest.walk()
        orchard.says["sub/"] = Reply(status=status)
        for _ in range(3):
            assert (await forest.walk()).gone == ()
        assert forest.held() == FILES


async def test_z_10_a_listed_file_that_is_not_to_be_had_goes_by_the_same_rule(forest: Forest) -> None:
    forest.orchard.leaves["a.txt"] = Leaf(b"x", modified="")
    await forest.walk()
    forest.orchard.says["a.txt"] = Reply(status=404)
    assert (await forest.walk()).counts.absent == 1
    assert forest.held() == FILES
    assert (await forest.walk()).gone == ("a.txt",)


async def test_w_07_what_came_while_a_walk_was_under_way_stays(forest: Forest) -> None:
    await forest.walk()
    leaf = forest.orchard.leaves.pop("a.txt")
    await forest.walk()

    async def published_again() -> None:
        forest.orchard.leaves["a.txt"] = leaf
        await forest.engine.supply.renew(forest.repository, forest.resource("a.txt"))
        del forest.orchard.leaves["a.txt"]

    listings = json.dumps(forest.orchard.members("sub/deep/")).encode()
    forest.orchard.later["sub/deep/"] = published_again
    forest.orchard.says["sub/deep/"] = Reply(body=listings, fields=(("content-type", "application/json"),))
    assert (await forest.walk()).gone == ()
    assert "a.txt" in forest.held()


async def test_nothing_outside_of_the_tree_nor_in_a_tree_within_it_is_removed(tmp_path: Path, orchard: Orchard) -> None:
    orchard.grow("sub/own/d.txt")
    trees = (tree("/sub/", purge="always"), tree("/sub/own/"))
    async with planted(tmp_path, orchard, trees=trees) as forest:
        await forest.get("a.txt")
        await forest.walk("/sub/own/")
        await forest.walk("/sub/")
        orchard.leaves = {"sub/b.txt": orchard.leaves["sub/b.txt"], "sub/own/d.txt": Leaf(b"")}
        assert set((await forest.walk("/sub/")).gone) == {"sub/deep/", "sub/deep/c.txt"}
        assert forest.held() == ["a.txt", "sub/b.txt", "sub/own/d.txt"]
