"""What one store holds is served offline by another, after it went there in a bundle."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from entrepot.errors import StoreFailure
from entrepot.mirror.bundles.taking import Fate
from tests.cache.works import listing, page
from tests.fakes import NOON
from tests.mirror.bundles.site import ABSENT, GOODS, Site, new_key

pytestmark = pytest.mark.anyio


async def test_everything_goes_over_a_signed_bundle_and_is_served_offline(
    here: Site, there: Site, tmp_path: Path
) -> None:
    private, public = new_key(tmp_path)
    written = await here.export(tmp_path / "b.tar.zst", key=private)
    assert (written.number, written.entries, written.missing) == (1, len(GOODS) + 1, ())
    taken = await there.take(tmp_path / "b.tar.zst", trust=public)
    assert (taken.complete, taken.tally.total(Fate.NEW)) == (True, len(GOODS) + 1)
    assert await there.holds()
    assert not there.fetcher.asks
    assert there.changed == ["shelf"]
    assert not list((there.directory / "import").iterdir())
    assert not list((here.directory / "export").iterdir())


async def test_what_was_imported_is_served_online_too_and_renewed_from_this_stores_own_upstream(
    here: Site, there: Site, tmp_path: Path
) -> None:
    private, public = new_key(tmp_path)
    await here.export(tmp_path / "b.tar.zst", key=private)
    await there.take(tmp_path / "b.tar.zst", trust=public)
    assert await there.works.get("tools/saw.txt") == (200, GOODS["tools/saw.txt"])
    assert not there.fetcher.asks
    there.clock.advance(30 * 86400)
    there.fetcher.on("tools/", page(GOODS["tools/"]))
    assert await there.status("tools/") == 200
    await there.works.settle()
    # Upstream's validators speak of another upstream's bytes: it is asked in full.
    (ask,) = there.fetcher.asks
    assert (ask.url, ask.headers.get("if-none-match")) == ("https://mirror.internal.example/tools/", "")


async def test_the_same_content_is_the_same_bundle_byte_for_byte(here: Site, tmp_path: Path) -> None:
    first = await here.export(tmp_path / "one.tar.zst")
    here.clock.advance(3600)
    second = await here.export(tmp_path / "two.tar.zst")
    assert first.number == second.number == 1
    assert (tmp_path / "one.tar.zst").read_bytes() == (tmp_path / "two.tar.zst").read_bytes()


async def test_a_bundle_since_another_has_only_what_is_new(here: Site, there: Site, tmp_path: Path) -> None:
    private, public = new_key(tmp_path)
    await here.export(tmp_path / "1.tar.zst", key=private)
    await here.stock({"loose/bolt": b"a bolt"})
    second = await here.export(tmp_path / "2.tar.zst", since=1, key=private)
    assert (second.number, second.entries, second.bodies) == (2, 1, 1)
    nothing = await here.export(tmp_path / "3.tar.zst", since=2, key=private)
    assert (nothing.path, (tmp_path / "3.tar.zst").exists()) == ("", False)
    await there.take(tmp_path / "1.tar.zst", trust=public)
    taken = await there.take(tmp_path / "2.tar.zst", trust=public)
    assert (taken.warnings, taken.tally.total(Fate.NEW)) == ((), 1)
    assert await there.holds(GOODS | {"loose/bolt": b"a bolt"})


async def test_an_index_that_changed_goes_with_the_next_bundle(here: Site, tmp_path: Path) -> None:
    await here.export(tmp_path / "1.tar.zst")
    here.clock.advance(30 * 86400)
    await here.stock({"tools/": listing(hammer_txt=b"a hammer")})
    assert (await here.export(tmp_path / "2.tar.zst", since=1)).entries == 1


async def test_a_missing_link_of_a_chain_is_told(here: Site, there: Site, tmp_path: Path) -> None:
    private, public = new_key(tmp_path)
    await here.export(tmp_path / "1.tar.zst", key=private)
    await here.stock({"loose/bolt": b"a bolt"})
    await here.export(tmp_path / "2.tar.zst", since=1, key=private)
    taken = await there.take(tmp_path / "2.tar.zst", trust=public)
    assert [f"bundle 2 of store {here.book.store()} builds on bundle 1" in one for one in taken.warnings] == [True]
    assert await there.works.get("loose/bolt") == (200, b"a bolt")


async def test_what_was_chosen_and_is_not_held_is_listed_and_nothing_written(here: Site, tmp_path: Path) -> None:
    keys = [("shelf", "loose/nail"), ("shelf", "loose/anvil")]
    refused = await here.export(tmp_path / "b.tar.zst", keys=keys)
    assert (refused.path, refused.missing) == ("", ("shelf/loose/anvil: not held",))
    assert not (tmp_path / "b.tar.zst").exists()
    partial = await here.export(tmp_path / "b.tar.zst", keys=keys, partial=True)
    assert (partial.entries, partial.missing) == (1, ("shelf/loose/anvil: not held",))


async def test_a_stored_file_that_was_changed_on_the_disk_is_not_written(here: Site, tmp_path: Path) -> None:
    entry = here.catalog.find_entry("shelf", "loose/nail")
    assert entry is not None
    damage(here, entry.sha256, b"b nail" * 200)
    with pytest.raises(StoreFailure, match="its bytes were changed"):
        await here.export(tmp_path / "b.tar.zst")
    assert names_in(tmp_path) == ["here"]


async def test_a_repository_that_is_not_there_is_told_and_the_others_are_taken(tmp_path: Path) -> None:
    here = Site(directory=tmp_path / "here", names=("shelf", "cellar"))
    there = Site(directory=tmp_path / "there")
    await here.stock()
    entry = here.catalog.find_entry("shelf", "loose/nail")
    assert entry is not None
    await here.catalog.put_entry(replace(entry, repository="cellar"))
    await here.export(tmp_path / "b.tar.zst")
    taken = await there.take(tmp_path / "b.tar.zst", unsigned=True)
    assert (taken.complete, [one.name for one in taken.missing]) == (False, ["cellar"])
    assert there.catalog.find_entry("cellar", "loose/nail") is None
    assert await there.holds()
    named = await there.take(tmp_path / "b.tar.zst", unsigned=True, into={"cellar": "shelf"})
    assert named.complete
    await here.close()
    await there.close()


async def test_dates_and_pins_go_along_and_the_earlier_date_counts(here: Site, there: Site, tmp_path: Path) -> None:
    private, public = new_key(tmp_path)
    early, late = NOON - timedelta(days=40), NOON - timedelta(days=2)
    await here.catalog.put_sightings("shelf", "tools/", "tools", ["1"], early)
    await there.catalog.put_sightings("shelf", "tools/", "tools", ["1"], late, reading=False)
    await here.pins.pin("job", [("shelf", "loose/nail")], NOON)
    await here.export(tmp_path / "b.tar.zst", key=private)
    await there.take(tmp_path / "b.tar.zst", trust=public)
    sighting = there.catalog.find_sighting("shelf", "tools", "1")
    assert sighting is not None
    assert sighting.first_seen == early
    assert there.catalog.find_reading("shelf", "tools/") == early
    assert list(there.book.pinned("shelf")) == ["loose/nail"]
    assert [one.number for one in there.book.taken()] == [1]


async def test_an_absence_is_told_offline_and_gives_way_to_a_file(here: Site, there: Site, tmp_path: Path) -> None:
    await here.export(tmp_path / "b.tar.zst")
    there.fetcher.on(ABSENT, page(b"a screw"))
    assert await there.works.get(ABSENT) == (200, b"a screw")
    await there.take(tmp_path / "b.tar.zst", unsigned=True)
    there.go_offline()
    assert await there.works.get(ABSENT) == (200, b"a screw")


def damage(site: Site, sha256: str, body: bytes) -> None:
    blob = site.works.blobs.open(sha256)
    assert blob is not None
    blob.close()
    Path(blob.path).write_bytes(body)


def names_in(directory: Path) -> list[str]:
    return sorted(one.name for one in directory.iterdir())
