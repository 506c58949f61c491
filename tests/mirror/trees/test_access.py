"""Reading in a tree has it walked: no more often than it shall be, and not by everything that looks like reading."""

from pathlib import Path

import pytest

from entrepot.cache.freshness import FreshnessRules
from entrepot.config.trees import TreeSettings
from entrepot.contracts.trees import Touch
from entrepot.errors import Unreachable, WalkUnderWay
from entrepot.mirror.trees.access import BURST, Accesses
from entrepot.mirror.trees.walker import LEASE_SECONDS, lease_key
from entrepot.model.trees import folder_key, tree_of
from tests.fakes import FakeClock
from tests.mirror.trees.forest import Forest, Orchard, planted, tree

pytestmark = pytest.mark.anyio


async def begun(forest: Forest) -> list[str]:
    """The trees that reading so far had walked."""
    await forest.accesses.begin_due()
    started, forest.begun[:] = forest.begun[:], []
    return started


async def test_z_02_a_read_in_a_tree_begins_a_walk_and_w_14_never_a_second_one_within_its_interval(
    forest: Forest,
) -> None:
    forest.read("a.txt")
    assert await begun(forest) == [""]
    await forest.walk(after=0)
    forest.read("a.txt")
    assert await begun(forest) == []
    forest.clock.advance(3599)
    forest.read("a.txt")
    assert await begun(forest) == []
    forest.clock.advance(1)
    forest.read("a.txt")
    assert await begun(forest) == [""]


async def test_z_02_nobody_has_it_walked_while_somebody_walks_it(forest: Forest) -> None:
    await forest.leases.acquire(lease_key("files", ""), "another", forest.clock.now(), LEASE_SECONDS)
    forest.read("a.txt")
    assert await begun(forest) == []
    with pytest.raises(WalkUnderWay):
        await forest.walk(after=0)


async def test_z_03_the_longest_path_counts_on_whole_names_and_w_04_all_of_a_repository_is_one_too(
    tmp_path: Path, orchard: Orchard
) -> None:
    trees = tuple(map(tree, ("/", "/sub/", "/sub/deep/")))
    for key, path in {
        "a": "",
        "subway/a": "",
        "sub/a": "sub/",
        "sub/deeper/a": "sub/",
        "sub/deep/": "sub/deep/",
    }.items():
        found = tree_of(trees, key)
        assert found is not None
        assert found.path == path
    async with planted(tmp_path, orchard, trees=trees[1:]) as forest:
        forest.read("a.txt")
        forest.read("subway")
        assert await begun(forest) == []
        forest.read("sub/deep/c.txt")
        assert await begun(forest) == ["sub/deep/"]


@pytest.mark.parametrize("spelled", ["a b/c", "/a b/c", "/a b/c/", " /a%20b/c// ", "//a b/c"])
def test_z_04_paths_are_spelled_one_way(spelled: str) -> None:
    assert TreeSettings(path=spelled).path == "a%20b/c/"


@pytest.mark.parametrize("spelled", ["", "/", "//", " "])
async def test_w_04_the_root_is_asked_for_by_its_bare_address(tmp_path: Path, orchard: Orchard, spelled: str) -> None:
    assert folder_key(spelled) == ""
    async with planted(tmp_path, orchard, trees=(tree(spelled),)) as forest:
        await forest.walk(spelled)
        assert orchard.asks[0].url == "https://files.example/"


async def test_z_05_after_a_crash_in_the_middle_of_a_walk_the_next_read_begins_anew(forest: Forest) -> None:
    await forest.leases.acquire(lease_key("files", ""), "a server that crashed", forest.clock.now(), LEASE_SECONDS)
    forest.clock.advance(LEASE_SECONDS)
    forest.read("a.txt")
    assert await begun(forest) == [""]


async def test_z_06_what_nobody_reads_is_not_walked(forest: Forest) -> None:
    forest.clock.advance(30 * 86400)
    assert await begun(forest) == []


async def test_w_01_a_failed_walk_is_tried_again_soon_and_does_not_count_as_success(forest: Forest) -> None:
    forest.orchard.says[""] = Unreachable("no connection")
    await forest.walk()
    assert (forest.state().succeeded_at, forest.state().failures) == (None, 1)
    assert (forest.lease().not_before - forest.clock.now()).total_seconds() == 60
    await forest.walk(after=60)
    assert (forest.lease().not_before - forest.clock.now()).total_seconds() == 120
    forest.orchard.says.clear()
    await forest.walk(after=120)
    assert (forest.state().succeeded_at, forest.state().failures) == (forest.clock.now(), 0)
    last = forest.clock.now()
    forest.orchard.says[""] = Unreachable("no connection")
    await forest.walk()
    assert (forest.state().succeeded_at, forest.state().started_at) == (last, forest.clock.now())


async def test_w_01_files_that_fail_do_not_make_a_success_either(forest: Forest) -> None:
    forest.orchard.says["a.txt"] = Unreachable("no connection")
    result = await forest.walk()
    assert (result.complete, forest.state().succeeded_at) == (True, None)


async def test_w_14_a_clock_that_was_set_back_does_not_keep_a_tree_from_being_walked(forest: Forest) -> None:
    await forest.walk(after=30 * 86400)
    forest.clock.advance(-30 * 86400)
    forest.read("a.txt")
    assert await begun(forest) == [""]
    assert (await forest.walk(after=0)).complete


async def test_w_19_whoever_reads_one_file_in_each_of_many_trees_has_few_walked_at_once(tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(30)]
    orchard = Orchard().grow(*(f"{name}/x" for name in names))
    async with planted(tmp_path, orchard, trees=tuple(map(tree, names))) as forest:
        for name in names:
            forest.read(f"{name}/x")
        assert len(await begun(forest)) == BURST
        assert await begun(forest) == []
        forest.clock.advance(60)
        assert len(await begun(forest)) == 2


@pytest.mark.parametrize(
    ("allowed", "known", "walks"), [("none", True, 0), ("authenticated", False, 0), ("authenticated", True, 1)]
)
async def test_w_19_whose_reading_counts_is_configured(forest: Forest, allowed: str, known: bool, walks: int) -> None:
    forest.accesses = Accesses(
        {"files": forest.repository},
        forest.book,
        forest.leases,
        forest.clock,
        forest._begin,
        allowed=allowed,  # type: ignore[arg-type]
    )
    forest.read("a.txt", authenticated=known)
    assert len(await begun(forest)) == walks
    assert forest.accesses.touch_of("files", "a.txt") is None


async def test_w_20_the_interval_begins_with_the_walk_and_no_two_are_the_same(tmp_path: Path) -> None:
    orchard, clock = Orchard().grow("a.txt"), FakeClock()

    async def an_hour_passes() -> None:
        clock.advance(1800)

    waits = set()
    async with planted(tmp_path, orchard, trees=(tree(jitter=300.0),), clock=clock) as forest:
        for _ in range(5):
            orchard.later["a.txt"] = an_hour_passes
            orchard.leaves["a.txt"] = orchard.leaves["a.txt"].__class__(b"x", modified="")
            await forest.walk()
            wait = (forest.lease().not_before - clock.now()).total_seconds()
            assert 1800 <= wait <= 2100
            waits.add(wait)
    assert len(waits) > 1


async def test_an_answer_that_is_given_again_and_again_has_one_mark_for_its_tree(forest: Forest) -> None:
    touch = forest.accesses.touch_of("files", "sub/b.txt")
    assert touch is forest.accesses.touch_of("files", "a.txt")
    assert isinstance(touch, Touch)
    touch.touched = True
    assert await begun(forest) == [""]


async def test_where_no_contact_is_made_nothing_is_walked(tmp_path: Path, orchard: Orchard) -> None:
    for network in ("offline", "prefer_cache"):
        rules = FreshnessRules(network=network)
        async with planted(tmp_path, orchard, rules=rules) as forest:
            forest.read("a.txt")
            assert await begun(forest) == []
