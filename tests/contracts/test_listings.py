"""Every Listings keeps the contract."""

import hashlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from entrepot.cache.solo import SoloListings
from entrepot.catalog.listings import SqliteListings
from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.listings import Listed, Listings
from tests.fakes import NOON, FakeClock

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
BEFORE_0011 = f"""
DROP TABLE listings;
CREATE TABLE listings (
    repository TEXT NOT NULL, sha256 BLOB NOT NULL, "key" TEXT NOT NULL, root TEXT NOT NULL, url TEXT NOT NULL,
    base TEXT NOT NULL, content_type TEXT NOT NULL, had_at BIGINT NOT NULL, aside_at BIGINT,
    PRIMARY KEY (repository, sha256)
) WITHOUT ROWID;
INSERT INTO listings VALUES
    ('deb', x'{hashlib.sha256(b"one").hexdigest()}', 'Packages', '', 'http://deb.example/Packages', '', '', 0, NULL);
UPDATE alembic_version SET version_num = '0010';
"""
"""What a catalog of revision 0010 has."""
ROOT = "dists/stable/InRelease"


@pytest.fixture(params=["solo", "sqlite"])
async def listings(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Listings]:
    if request.param == "solo":
        yield SoloListings()
        return
    catalog = SqliteCatalog.open(tmp_path / "catalog.db", FakeClock())
    yield SqliteListings(catalog)
    await catalog.close()


def digest_of(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def listed(
    body: str, *, key: str = "Packages", root: str = ROOT, at: datetime = NOON, repository: str = "deb"
) -> Listed:
    return Listed(
        repository=repository,
        sha256=digest_of(body),
        key=key,
        root=root,
        url=f"http://deb.example/{key}",
        base="http://deb.example/",
        content_type="",
        had_at=at,
    )


def told(listings: Listings) -> list[tuple[str, bool]]:
    """Digests, and whether they count."""
    return [(one.sha256, one.aside_at is None) for one in listings.of("deb")]


async def test_the_latest_is_told_first(listings: Listings) -> None:
    for number, body in enumerate(("one", "two", "three")):
        await listings.put(listed(body, at=NOON + number * HOUR))
    await listings.put(listed("other", repository="rpm"))
    assert told(listings) == [(digest_of(body), True) for body in ("three", "two", "one")]
    assert listings.of("deb")[2] == listed("one")


async def test_when_it_was_first_had_stays(listings: Listings) -> None:
    await listings.put(listed("one", at=NOON + HOUR, root=""))
    await listings.put(listed("one", at=NOON + 2 * HOUR))
    assert [(one.had_at, one.root) for one in listings.of("deb")] == [(NOON + HOUR, ROOT)]


async def test_the_same_bytes_in_two_places_count_twice(listings: Listings) -> None:
    for key in ("v3.20/main/APKINDEX.tar.gz", "latest-stable/main/APKINDEX.tar.gz"):
        await listings.put(listed("a", key=key, root=key))
    assert {one.key for one in listings.of("deb")} == {
        "v3.20/main/APKINDEX.tar.gz",
        "latest-stable/main/APKINDEX.tar.gz",
    }


async def test_what_a_root_names_no_more_is_set_aside_and_told_last(listings: Listings) -> None:
    await listings.put(listed("one", at=NOON + HOUR))
    await listings.put(listed("two"))
    await listings.put(listed("of another root", root="dists/x/InRelease"))
    await listings.name("deb", ROOT, {digest_of("two"), "more"}, NOON + 2 * HOUR)
    assert dict(told(listings)) == {digest_of("two"): True, digest_of("of another root"): True, digest_of("one"): False}
    assert told(listings)[-1] == (digest_of("one"), False)
    await listings.name("deb", ROOT, {digest_of("one")}, NOON + 3 * HOUR)
    assert dict(told(listings))[digest_of("one")] is True


async def test_one_in_no_group_takes_the_place_of_what_had_its_key(listings: Listings) -> None:
    await listings.put(listed("one", root=""))
    await listings.put(listed("elsewhere", root="", key="b/Packages"))
    await listings.put(listed("two", root="", at=NOON + HOUR))
    assert dict(told(listings)) == {digest_of("one"): False, digest_of("elsewhere"): True, digest_of("two"): True}


async def test_what_was_set_aside_long_ago_is_deleted(listings: Listings) -> None:
    await listings.put(listed("one"))
    await listings.name("deb", ROOT, set(), NOON)
    assert await listings.delete_aside(NOON + HOUR, {"deb": NOON}) == []
    assert len(told(listings)) == 1
    assert [one.key for one in await listings.delete_aside(NOON, {"deb": NOON + HOUR})] == ["Packages"]
    assert told(listings) == []
    await listings.put(listed("two"))
    await listings.name("deb", ROOT, set(), NOON)
    await listings.delete_aside(NOON + HOUR, {})
    assert told(listings) == []


async def test_a_catalog_of_before_keeps_its_listings_and_takes_the_same_bytes_in_two_places(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    await SqliteCatalog.open(path, FakeClock()).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(BEFORE_0011)
    catalog = SqliteCatalog.open(path, FakeClock())
    listings = SqliteListings(catalog)
    assert [one.key for one in listings.of("deb")] == ["Packages"]
    await listings.put(listed("one", key="Packages"))
    await listings.put(listed("one", key="other/Packages"))
    assert sorted(one.key for one in listings.of("deb")) == ["Packages", "other/Packages"]
    await catalog.close()
