"""What is remembered of walks outlives the process, and goes with the tree."""

import asyncio
from pathlib import Path

import pytest

from tests.cache.works import until
from tests.fakes import Reply
from tests.mirror.trees.forest import Forest, Orchard, planted, tree

pytestmark = pytest.mark.anyio


async def test_z_14_walks_and_what_was_listed_survive_a_restart(forest: Forest) -> None:
    await forest.walk()
    before = forest.state()
    async with planted(forest.directory, forest.orchard, clock=forest.clock) as again:
        assert again.state() == before
        forest.orchard.asked_for()
        await again.walk()
        assert sorted(forest.orchard.asked_for()) == ["", "sub/", "sub/deep/"]


async def test_w_14_what_is_no_tree_any_more_is_forgotten(tmp_path: Path, orchard: Orchard) -> None:
    async with planted(tmp_path, orchard, trees=(tree("/sub/"), tree("/other/"))) as forest:
        await forest.walk("/sub/")
        await forest.book.keep_only([("files", "other/")])
        assert forest.book.states() == []
        assert forest.book.count("files", "", ()) == 0
    async with planted(tmp_path, orchard, trees=(tree("/sub/"),)) as forest:
        await forest.walk("/sub/")
        await forest.book.keep_only([("files", "sub/")])
        assert (len(forest.book.states()), forest.book.count("files", "", ())) == (1, 3)


async def test_w_13_nothing_that_a_request_does_touches_the_disk(forest: Forest) -> None:
    await forest.catalog.close()
    forest.read("a.txt")
    assert forest.accesses.touch_of("files", "a.txt") is not None


async def test_w_16_a_walk_that_is_ended_gives_its_tree_back_and_says_so(forest: Forest) -> None:

    gate = asyncio.Event()
    forest.orchard.says["sub/"] = Reply(body=b"[]", gates={0: gate})
    walking = asyncio.create_task(forest.walk())
    await until(lambda: any(ask.url.endswith("sub/") for ask in forest.orchard.asks))
    walking.cancel()
    await asyncio.wait({walking})
    gate.set()
    assert "ended before it was done" in forest.state().problem
    forest.orchard.says.clear()
    assert (await forest.walk(after=0)).complete
