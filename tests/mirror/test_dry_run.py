"""A dry run says what a job would do, and does nothing."""

import hashlib
from contextlib import aclosing
from pathlib import Path

import pytest

from entrepot.mirror.dry_run import PlannedItem
from entrepot.model.order import MirrorOrder
from entrepot.model.selection import Depth, Extent
from tests.fakes import Reply
from tests.mirror.site import Site

pytestmark = pytest.mark.anyio


async def rehearsed(site: Site, *purls: str, depth: Depth = Depth.NONE) -> list[PlannedItem]:
    order = MirrorOrder(purls=purls, extent=Extent(depth=depth))
    async with aclosing(site.mirror.rehearse(order)) as planned:
        return [item async for item in planned]


def everything(directory: Path) -> dict[str, str]:
    """All files and what is in them. The log of the catalog grows where it is only read, too."""
    files = (path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("catalog.db"))
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(site: Site) -> list[object]:
    tables = ("entries", "blobs", "derived", "remembered", "owners", "sightings", "readings", "pins", "mirror_jobs")
    return [site.catalog.read_apart(f"SELECT * FROM {table}") for table in tables]


async def test_mir_08_a_dry_run_changes_nothing_and_says_what_the_real_one_does(site: Site, directory: Path) -> None:
    site.publish("a", needs="b", a_1=b"one", a_2=b"two")
    site.publish("b", b_1=b"bee")
    await site.run("pkg:garden/b", depth=Depth.RUNTIME)
    before = everything(directory), rows(site)
    planned = await rehearsed(site, "pkg:garden/a", depth=Depth.RUNTIME)
    assert (everything(directory), rows(site)) == before
    job = await site.run("pkg:garden/a", depth=Depth.RUNTIME)
    same = {"fetch": "done", "held": "held", "absent": "absent"}
    # What upstream may not have is found out by the real one alone.
    assert {item.key for item in planned} == set(site.states(job))
    told = {item.key: same[item.state] for item in planned if not item.key.endswith((".probe", ".needs"))}
    assert told.items() <= site.states(job).items()
    assert {item.key: item.state for item in planned}["b/b.1"] == "held"


async def test_a_dry_run_tells_sizes_where_they_are_known_and_what_people_call_things(site: Site) -> None:
    site.publish("b", b_1=b"bee")
    await site.run("pkg:garden/b")
    items = {item.key: item for item in await rehearsed(site, "pkg:garden/b")}
    assert (items["b/b.1"].size_bytes, items["b/b.1"].subject) == (3, "/garden/b/b.1")
    assert items["b/"].state == "held"


async def test_a_dry_run_lists_what_fails_and_what_nobody_serves(site: Site) -> None:
    site.fetcher.on("c/", Reply(status=403))
    planned = await rehearsed(site, "pkg:garden/none", "pkg:oddity/x", "nonsense", "pkg:garden/c")
    assert {item.subject: item.state for item in planned} == {
        "pkg:garden/none": "failed",
        "pkg:oddity/x": "skipped",
        "nonsense": "failed",
        "pkg:garden/c": "failed",
    }
    assert "upstream answered 403" in next(item.reason for item in planned if item.subject == "pkg:garden/c")


async def test_one_that_is_broken_off_leaves_nothing_behind(site: Site, directory: Path) -> None:
    site.publish("a", a_1=b"one")
    async with aclosing(site.mirror.rehearse(MirrorOrder(purls=("pkg:garden/a",)))) as planned:
        async for _ in planned:
            break
    assert list((directory / "mirror").iterdir()) == []
