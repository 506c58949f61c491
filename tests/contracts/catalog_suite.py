"""What every Catalog promises. A subclass brings the fixtures `clock` and `catalog`, and `open_copy`."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entrepot.contracts.catalog import Catalog, Derived, OriginState, Published, Sighting, StoredVersion
from entrepot.errors import StoreFailure
from entrepot.model.entry import Blob, Entry, Fingerprint, Remembered
from entrepot.model.headers import Headers
from entrepot.model.resource import edition_key

NOON = datetime(2026, 11, 20, 12, 0, 0, 123457, tzinfo=UTC)

LATER = NOON + timedelta(hours=1)


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def timestamp(self) -> float:
        return self.moment.timestamp()

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def sha256_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def blob_of(name: str, size_bytes: int = 7) -> Blob:
    mark = Fingerprint((1 << 64) - 1, size_bytes, 1_795_000_000_123_456_789, 1_795_000_000_987_654_321)
    return Blob(sha256=sha256_of(name), size_bytes=size_bytes, fingerprint=mark)


def entry_of(key: str = "simple/flask/", *, body: str = "body", repository: str = "pypi") -> Entry:
    return Entry(
        repository=repository,
        key=key,
        sha256=sha256_of(body),
        size_bytes=7,
        headers=Headers([("Content-Type", "text/html"), ("Vary", "Accept"), ("Vary", "Accept-Encoding")]),
        url=f"https://registry.example/{key}",
        upstream="https://registry.example/ anonymous",
        stored_at=NOON,
        validated_at=NOON,
    )


def absence_of(key: str, said_at: datetime) -> Entry:
    return replace(entry_of(key), sha256="", size_bytes=0, headers=Headers(), gone_at=said_at)


async def store(catalog: Catalog, key: str, body: str = "body", *, size_bytes: int = 7) -> None:
    await catalog.put_stored(entry_of(key, body=body), blob_of(body, size_bytes), remember=True)


def version_entry(package: str, version: str, file: str) -> Entry:
    entry = entry_of(f"files/{package}/{version}/{file}", body=f"{package}{version}{file}")
    return replace(entry, package=package, version=version)


async def store_version(
    catalog: Catalog, package: str, version: str, *, file: str = "a", stored_at: datetime = NOON
) -> None:
    entry = replace(version_entry(package, version, file), stored_at=stored_at)
    await catalog.put_stored(entry, blob_of(f"{package}{version}{file}"), remember=True)


async def listed_since(catalog: Catalog, since: datetime = NOON, limit: int = 100) -> list[StoredVersion]:
    await catalog.flush()
    return catalog.versions_since("pypi", since, limit)


def remembered_as(body: str) -> Remembered:
    return Remembered(sha256=sha256_of(body), size_bytes=7, first_seen=NOON)


def derived_of(key: str, body: str) -> Derived:
    return Derived(key=key, sha256=sha256_of(body), size_bytes=7, note=b"\x81\x00")


ROOT = "repodata/repomd.xml"


def member(key: str, body: str, *, aside: int = 0) -> Entry:
    """Of the group of ROOT; `aside`: of a generation that is not the current one."""
    entry = replace(entry_of(key, body=body), snapshot=ROOT)
    return replace(entry, key=edition_key(key, aside), aside_at=NOON) if aside else entry


async def put_member(catalog: Catalog, key: str, body: str, *, aside: int = 0) -> Entry:
    entry = member(key, body, aside=aside)
    await catalog.put_stored(entry, blob_of(body), remember=False)
    return entry


async def publish(catalog: Catalog, number: int, *members: Entry, at: datetime = NOON) -> None:
    body = f"root {number}"
    generation = Published(repository="pypi", root=ROOT, number=number, sha256=sha256_of(body), published_at=at)
    await catalog.publish(generation, member(ROOT, body), blob_of(body), members)


def body_at(catalog: Catalog, key: str) -> str | None:
    entry = catalog.find_entry("pypi", key)
    return entry.sha256 if entry is not None else None


@pytest.mark.anyio
class CatalogSuite:
    async def test_a_generation_is_published_with_its_members_and_the_one_before_is_set_aside(
        self, catalog: Catalog
    ) -> None:
        await publish(catalog, 1)
        for key in ("repodata/a", "repodata/b"):
            await put_member(catalog, key, f"old {key}")
        staged = await put_member(catalog, "repodata/a", "new a", aside=2)
        await publish(catalog, 2, staged)
        for _ in range(2):
            generation = catalog.generation_of("pypi", ROOT)
            assert generation is not None
            assert (generation.number, generation.sha256) == (2, sha256_of("root 2"))
            assert [one.key for one in catalog.members_of("pypi", ROOT)] == ["repodata/a"]
            assert body_at(catalog, ROOT) == sha256_of("root 2")
            assert body_at(catalog, "repodata/a") == sha256_of("new a")
            assert body_at(catalog, "repodata/b") is None
            assert body_at(catalog, edition_key("repodata/a", 1)) == sha256_of("old repodata/a")
            assert body_at(catalog, edition_key("repodata/b", 1)) == sha256_of("old repodata/b")
            assert body_at(catalog, edition_key("repodata/a", 2)) is None
            await catalog.flush()

    async def test_publishing_is_seen_before_it_is_durable(self, catalog: Catalog) -> None:
        await put_member(catalog, "repodata/a", "old a")
        staged = await put_member(catalog, "repodata/a", "new a", aside=1)
        publishing = asyncio.create_task(publish(catalog, 1, staged))
        while catalog.generation_of("pypi", ROOT) is None:  # noqa: ASYNC110 - the task has to run
            await asyncio.sleep(0)
        assert body_at(catalog, "repodata/a") == sha256_of("new a")
        assert body_at(catalog, edition_key("repodata/a", 0)) == sha256_of("old a")
        assert [one.sha256 for one in catalog.members_of("pypi", ROOT)] == [sha256_of("new a")]
        await publishing

    async def test_members_are_those_of_one_group_and_repository(self, catalog: Catalog) -> None:
        await put_member(catalog, "repodata/a", "a")
        await catalog.put_stored(entry_of("repodata/z"), blob_of("body"), remember=False)
        other = replace(member("other/a", "b"), snapshot="other/repomd.xml")
        await catalog.put_stored(other, blob_of("b"), remember=False)
        await catalog.put_stored(replace(member("repodata/a", "c"), repository="npm"), blob_of("c"), remember=False)
        assert [one.key for one in catalog.members_of("pypi", ROOT)] == ["repodata/a"]
        assert catalog.generation_of("npm", ROOT) is None

    async def test_what_was_set_aside_long_ago_is_deleted(self, catalog: Catalog) -> None:
        await put_member(catalog, "repodata/a", "one")
        staged = await put_member(catalog, "repodata/a", "two", aside=1)
        await publish(catalog, 1, staged, at=LATER)
        assert await catalog.delete_aside(LATER) == []
        assert await catalog.delete_aside(LATER + timedelta(seconds=1)) == [sha256_of("one")]
        assert body_at(catalog, edition_key("repodata/a", 0)) is None
        assert body_at(catalog, "repodata/a") == sha256_of("two")

    async def test_what_is_kept_longer_than_the_rest_is_told_by_repository(self, catalog: Catalog) -> None:
        await put_member(catalog, "repodata/a", "one")
        await publish(catalog, 1, at=NOON)
        assert await catalog.delete_aside(LATER, {"pypi": NOON}) == []
        assert await catalog.delete_aside(NOON, {"pypi": LATER}) == [sha256_of("one")]

    async def test_roots_of_earlier_generations_are_kept(self, catalog: Catalog) -> None:
        await publish(catalog, 1, at=NOON)
        assert catalog.former_roots("pypi", ROOT) == []
        await publish(catalog, 2, at=LATER)
        await publish(catalog, 3, at=LATER + timedelta(hours=1))
        for _ in range(2):
            kept = catalog.former_roots("pypi", ROOT)
            assert [one.key for one in kept] == [edition_key(ROOT, 2), edition_key(ROOT, 1)]
            assert [one.stored_at for one in kept] == [LATER, NOON]
            assert [one.sha256 for one in kept] == [sha256_of("root 2"), sha256_of("root 1")]
            assert [(one.root, one.number) for one in catalog.groups_of("pypi")] == [(ROOT, 3)]
            assert catalog.groups_of("npm") == []
            await catalog.flush()
        assert set(await catalog.delete_aside(LATER + timedelta(seconds=1))) == {sha256_of("root 1")}

    async def test_an_empty_catalog_knows_nothing(self, catalog: Catalog) -> None:
        assert catalog.find_entry("pypi", "simple/flask/") is None
        assert catalog.find_blob(sha256_of("body")) is None
        assert catalog.find_remembered("pypi", "simple/flask/") is None
        assert catalog.find_owner("pypi", "flask") is None
        assert catalog.find_derived("view") is None
        assert catalog.find_origin("https://registry.example") is None
        assert list(catalog.entries()) == []
        assert catalog.usage(10) == []
        assert catalog.totals() == (0, 0, 0)

    async def test_stored_versions_are_listed_in_the_order_in_which_they_came(self, catalog: Catalog) -> None:
        await store_version(catalog, "flask", "2.0")
        await store_version(catalog, "attrs", "1.0")
        await store_version(catalog, "attrs", "1.0", file="second")
        await store(catalog, "simple/flask/")
        found = await listed_since(catalog)
        assert [(one.package, one.version) for one in found] == [("flask", "2.0"), ("attrs", "1.0")]
        assert found[0].listed_at == NOON < found[1].listed_at

    async def test_the_list_goes_on_with_the_last_that_was_seen(self, catalog: Catalog) -> None:
        for number in range(5):
            await store_version(catalog, "flask", f"{number}.0")
        first = await listed_since(catalog, limit=3)
        rest = await listed_since(catalog, first[-1].listed_at)
        assert [one.version for one in first] == ["0.0", "1.0", "2.0"]
        assert rest == [first[-1], *rest[1:]]
        assert [one.version for one in rest] == ["2.0", "3.0", "4.0"]

    async def test_what_is_stored_later_is_listed_later_though_the_clock_went_back(self, catalog: Catalog) -> None:
        await store_version(catalog, "flask", "1.0")
        await store_version(catalog, "flask", "2.0", stored_at=NOON - timedelta(days=1))
        found = await listed_since(catalog, NOON)
        assert [one.version for one in found] == ["1.0", "2.0"]

    async def test_storing_a_file_again_does_not_move_its_version(self, catalog: Catalog) -> None:
        await store_version(catalog, "flask", "1.0")
        await store_version(catalog, "flask", "2.0")
        before = await listed_since(catalog)
        await store_version(catalog, "flask", "1.0", stored_at=NOON + timedelta(days=1))
        assert await listed_since(catalog) == before

    async def test_a_version_is_listed_as_long_as_one_of_its_files_is_stored(self, catalog: Catalog) -> None:
        await store_version(catalog, "flask", "1.0", file="a")
        await store_version(catalog, "flask", "1.0", file="b")
        await catalog.delete_entries("pypi", ["files/flask/1.0/a"])
        assert [one.version for one in await listed_since(catalog)] == ["1.0"]
        gone = replace(version_entry("flask", "1.0", "b"), gone_at=NOON)
        await catalog.put_entry(gone)
        assert await listed_since(catalog) == []
        await catalog.put_entry(replace(gone, gone_at=None))
        await catalog.delete_blob(sha256_of("flask1.0b"))
        assert await listed_since(catalog) == []

    async def test_each_repository_has_its_own_list(self, catalog: Catalog) -> None:
        await store_version(catalog, "flask", "1.0")
        await catalog.flush()
        assert catalog.versions_since("npm", NOON, 10) == []
        assert catalog.versions_after("npm", "", "", 10) == []

    async def test_stored_versions_can_be_read_page_by_page_in_the_order_of_their_names(self, catalog: Catalog) -> None:
        for package, version in (("b", "1"), ("a", "2"), ("a", "1"), ("a-b", "1"), ("a", "10")):
            await store_version(catalog, package, version)
        await store_version(catalog, "a", "1", file="second")
        await catalog.flush()
        first = catalog.versions_after("pypi", "", "", 3)
        assert [(one.package, one.version) for one in first] == [("a", "1"), ("a", "10"), ("a", "2")]
        rest = catalog.versions_after("pypi", first[-1].package, first[-1].version, 3)
        assert [(one.package, one.version) for one in rest] == [("a-b", "1"), ("b", "1")]

    async def test_an_entry_keeps_the_version_that_it_belongs_to(self, catalog: Catalog) -> None:
        await store_version(catalog, "flask", "1.0")
        await catalog.flush()
        found = catalog.find_entry("pypi", "files/flask/1.0/a")
        assert found is not None
        assert (found.package, found.version) == ("flask", "1.0")

    async def test_what_was_stored_is_found_as_it_was(self, catalog: Catalog) -> None:
        await catalog.put_stored(entry_of(), blob_of("body"), remember=True)
        assert catalog.find_entry("pypi", "simple/flask/") == entry_of()
        assert catalog.find_blob(sha256_of("body")) == blob_of("body")
        assert catalog.find_remembered("pypi", "simple/flask/") == remembered_as("body")

    async def test_every_field_of_an_entry_is_kept(self, catalog: Catalog) -> None:
        entry = replace(
            entry_of(),
            next_check_at=NOON + timedelta(microseconds=1),
            failures=3,
            published=True,
            expired=True,
            gone_at=NOON - timedelta(days=1),
        )
        await catalog.put_entry(entry)
        assert catalog.find_entry("pypi", entry.key) == entry
        assert list(catalog.entries()) == [entry]

    async def test_names_are_told_apart_by_repository_and_every_byte(self, catalog: Catalog) -> None:
        await store(catalog, "Simple/Flask/")
        assert catalog.find_entry("pypi", "simple/flask/") is None
        assert catalog.find_entry("npm", "Simple/Flask/") is None

    async def test_header_bytes_that_are_no_text_do_not_keep_an_entry_out(self, catalog: Catalog) -> None:
        await catalog.put_entry(replace(entry_of(), headers=Headers([("server", "caf\udce9"), ("etag", '"1"')])))
        (entry,) = catalog.entries()
        assert entry.headers.get("etag") == '"1"'

    async def test_without_remember_no_digest_is_remembered(self, catalog: Catalog) -> None:
        await catalog.put_stored(entry_of(), blob_of("body"), remember=False)
        assert catalog.find_remembered("pypi", "simple/flask/") is None

    async def test_the_first_digest_of_a_name_is_the_one_remembered(self, catalog: Catalog) -> None:
        await store(catalog, "flask.whl", "first")
        await store(catalog, "flask.whl", "second")
        entry = catalog.find_entry("pypi", "flask.whl")
        assert entry is not None
        assert entry.sha256 == sha256_of("second")
        assert catalog.find_remembered("pypi", "flask.whl") == remembered_as("first")

    async def test_an_accepted_digest_replaces_the_remembered_one(self, catalog: Catalog) -> None:
        await store(catalog, "flask.whl", "first")
        await catalog.accept("pypi", "flask.whl", remembered_as("second"))
        assert catalog.find_remembered("pypi", "flask.whl") == remembered_as("second")

    async def test_the_first_owner_of_a_package_stays(self, catalog: Catalog) -> None:
        await catalog.put_owner("pypi", "flask", "company")
        await catalog.put_owner("pypi", "flask", "public")
        assert catalog.find_owner("pypi", "flask") == "company"

    async def test_forgetting_drops_the_owner_and_the_named_digests(self, catalog: Catalog) -> None:
        await store(catalog, "flask-1.whl")
        await store(catalog, "flask-2.whl")
        await catalog.put_owner("pypi", "flask", "company")
        await catalog.put_owner("pypi", "click", "company")
        await catalog.forget("pypi", "flask", iter(["flask-1.whl"]))
        assert catalog.find_owner("pypi", "flask") is None
        assert catalog.find_owner("pypi", "click") == "company"
        assert catalog.find_remembered("pypi", "flask-1.whl") is None
        assert catalog.find_remembered("pypi", "flask-2.whl") == remembered_as("body")
        assert catalog.find_entry("pypi", "flask-1.whl") is not None

    async def test_a_validated_entry_replaces_the_old_one(self, catalog: Catalog) -> None:
        await store(catalog, "simple/flask/")
        validated = replace(entry_of(), validated_at=NOON + timedelta(hours=1))
        await catalog.put_entry(validated)
        assert catalog.find_entry("pypi", "simple/flask/") == validated
        assert catalog.totals() == (1, 1, 7)

    async def test_a_blob_verified_again_has_its_new_fingerprint(self, catalog: Catalog) -> None:
        await store(catalog, "simple/flask/")
        verified = replace(blob_of("body"), fingerprint=Fingerprint(2, 7, 3, 4))
        await catalog.put_blob(verified)
        assert catalog.find_blob(sha256_of("body")) == verified

    async def test_a_derived_thing_is_found_with_its_note_and_blob(self, catalog: Catalog) -> None:
        await catalog.put_derived(derived_of("view of flask", "view"), blob_of("view"))
        assert catalog.find_derived("view of flask") == derived_of("view of flask", "view")
        assert catalog.find_blob(sha256_of("view")) == blob_of("view")

    async def test_the_last_state_of_an_origin_counts(self, catalog: Catalog) -> None:
        state = OriginState(origin="https://registry.example", closed_until=12.5, reason="Retry-After", failures=1)
        await catalog.put_origin(state)
        await catalog.put_origin(replace(state, closed_until=0.0, failures=0))
        assert catalog.find_origin("https://registry.example") == replace(state, closed_until=0.0, failures=0)

    async def test_deleted_entries_are_gone_and_their_blobs_stay(self, catalog: Catalog) -> None:
        await store(catalog, "a", "one")
        await store(catalog, "b", "two")
        await catalog.delete_entries("pypi", iter(["a", "never stored"]))
        assert catalog.find_entry("pypi", "a") is None
        assert [entry.key for entry in catalog.entries()] == ["b"]
        assert catalog.find_blob(sha256_of("one")) is not None
        assert catalog.totals() == (1, 2, 14)

    async def test_deleting_a_blob_takes_all_that_is_made_of_it_but_no_memory(self, catalog: Catalog) -> None:
        await store(catalog, "a", "one")
        await store(catalog, "b", "one")
        await store(catalog, "c", "two")
        await catalog.put_derived(derived_of("view", "one"), blob_of("one"))
        await catalog.delete_blob(sha256_of("one"))
        assert [catalog.find_entry("pypi", key) is not None for key in "abc"] == [False, False, True]
        assert catalog.find_blob(sha256_of("one")) is None
        assert catalog.find_derived("view") is None
        assert catalog.find_remembered("pypi", "a") == remembered_as("one")
        assert catalog.totals() == (1, 1, 7)

    async def test_entries_come_in_key_order(self, catalog: Catalog) -> None:
        for key in ("b", "a", "C", "a/b", "ä"):
            await store(catalog, key)
        await catalog.put_entry(entry_of("a", repository="npm"))
        found = [(entry.repository, entry.key) for entry in catalog.entries()]
        assert found == [("npm", "a"), *(("pypi", key) for key in ("C", "a", "a/b", "b", "ä"))]
        assert [entry.key for entry in catalog.entries("npm")] == ["a"]

    async def test_a_prefix_is_taken_as_it_is_written(self, catalog: Catalog) -> None:
        for key in ("100%", "100%/a", "1000", "10_", "10x", "9"):
            await store(catalog, key)
        await catalog.put_entry(entry_of("100%/npm", repository="npm"))
        assert [entry.key for entry in catalog.entries("pypi", "100%")] == ["100%", "100%/a"]
        assert [entry.key for entry in catalog.entries("pypi", "10_")] == ["10_"]
        assert [entry.key for entry in catalog.entries(None, "100%")] == ["100%/npm", "100%", "100%/a"]

    async def test_long_lists_of_entries_are_complete(self, catalog: Catalog) -> None:
        keys = [f"{number:04}" for number in range(1100)]
        async with asyncio.TaskGroup() as puts:
            for key in keys:
                puts.create_task(catalog.put_entry(entry_of(key)))
        assert [entry.key for entry in catalog.entries("pypi")] == keys

    async def test_the_least_recently_used_blobs_come_first(self, catalog: Catalog, clock: SetClock) -> None:
        for body in ("one", "two", "three"):
            await store(catalog, body, body)
            clock.advance(seconds=10)
        catalog.note_use(sha256_of("one"), clock.timestamp())
        catalog.note_use(sha256_of("never stored"), clock.timestamp())
        await catalog.flush()
        usage = catalog.usage(10)
        assert [use.sha256 for use in usage] == [sha256_of(body) for body in ("two", "three", "one")]
        assert usage[0].last_used_at == NOON + timedelta(seconds=10)
        assert usage[0].size_bytes == 7
        assert catalog.usage(1) == usage[:1]

    async def test_verifying_a_blob_is_no_use_of_it(self, catalog: Catalog, clock: SetClock) -> None:
        await store(catalog, "a", "one")
        clock.advance(seconds=10)
        await catalog.put_blob(blob_of("one"))
        assert catalog.usage(1)[0].last_used_at == NOON

    async def test_an_older_use_does_not_make_a_blob_older(self, catalog: Catalog, clock: SetClock) -> None:
        await store(catalog, "a", "one")
        catalog.note_use(sha256_of("one"), clock.timestamp() - 10)
        await catalog.flush()
        assert catalog.usage(1)[0].last_used_at == NOON

    async def test_what_a_list_had_when_it_was_first_read_is_baseline_and_what_comes_later_is_not(
        self, catalog: Catalog
    ) -> None:
        assert catalog.find_reading("go", "m/@v/list") is None
        await catalog.put_sightings("go", "m/@v/list", "m", ["v1", "v2"], NOON)
        await catalog.put_sightings("go", "m/@v/list", "m", ["v2", "v3"], LATER)
        await catalog.put_sightings("npm", "m/@v/list", "m", ["v4"], NOON)
        assert catalog.find_reading("go", "m/@v/list") == NOON
        old, new = Sighting(first_seen=NOON, baseline=True), Sighting(first_seen=LATER, baseline=False)
        assert catalog.find_sightings("go", "m") == {"v1": old, "v2": old, "v3": new}
        assert catalog.find_sighting("go", "m", "v3") == new
        assert catalog.find_sighting("go", "m", "v4") is None

    async def test_the_earliest_of_all_who_looked_counts(self, catalog: Catalog) -> None:
        await catalog.put_sightings("go", "list", "m", ["v1", "v2"], LATER)
        await catalog.put_sightings("go", "list", "m", ["v1"], NOON)
        await catalog.put_sightings("go", "list", "m", ["v1"], LATER + timedelta(days=1))
        assert catalog.find_sightings("go", "m") == {
            "v1": Sighting(first_seen=NOON, baseline=True),
            # Who came first did not find it: so it appeared since.
            "v2": Sighting(first_seen=LATER, baseline=False),
        }

    async def test_what_one_list_had_from_the_start_another_cannot_make_new(self, catalog: Catalog) -> None:
        await catalog.put_sightings("go", "list", "m", ["v1"], NOON)
        await catalog.put_sightings("go", "main.info", "m", [], NOON)
        await catalog.put_sightings("go", "main.info", "m", ["v1", "v2"], LATER)
        assert catalog.find_sighting("go", "m", "v1") == Sighting(first_seen=NOON, baseline=True)
        assert catalog.find_sighting("go", "m", "v2") == Sighting(first_seen=LATER, baseline=False)

    async def test_a_version_that_a_list_was_found_to_lack_is_no_reading_of_it(self, catalog: Catalog) -> None:
        await catalog.put_sightings("go", "list", "m", ["v1"], NOON, reading=False)
        assert catalog.find_sighting("go", "m", "v1") == Sighting(first_seen=NOON, baseline=False)
        assert catalog.find_reading("go", "list") is None

    async def test_sightings_that_are_not_durable_yet_are_seen(self, catalog: Catalog) -> None:
        async with asyncio.TaskGroup() as puts:
            puts.create_task(catalog.put_sightings("go", "list", "m", ["v1"], LATER))
            puts.create_task(catalog.put_sightings("go", "list", "m", ["v1", "v2"], NOON))
            puts.create_task(catalog.put_sightings("go", "list", "m", ["v3"], LATER))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            before = catalog.find_sightings("go", "m")
        assert before == catalog.find_sightings("go", "m")
        assert {version: one.baseline for version, one in before.items()} == {"v1": True, "v2": True, "v3": False}

    async def test_totals_count_every_row_once(self, catalog: Catalog) -> None:
        await store(catalog, "a", "one", size_bytes=10)
        await store(catalog, "b", "one", size_bytes=10)
        await store(catalog, "b", "two", size_bytes=5)
        assert catalog.totals() == (2, 2, 15)
        await catalog.put_blob(blob_of("two", 6))
        assert catalog.totals() == (2, 2, 16)

    async def test_a_probe_changes_nothing(self, catalog: Catalog) -> None:
        await store(catalog, "a")
        catalog.probe()
        assert catalog.totals() == (1, 1, 7)

    async def test_a_backup_is_a_catalog_with_the_same_facts(
        self, catalog: Catalog, tmp_path: Path, open_copy: Callable[[Path], Catalog]
    ) -> None:
        await store(catalog, "a")
        await catalog.backup(str(tmp_path / "copy.db"))
        await store(catalog, "later")
        await catalog.backup(str(tmp_path / "copy.db"))
        copy = open_copy(tmp_path / "copy.db")
        assert list(copy.entries()) == list(catalog.entries())
        assert copy.totals() == (2, 1, 7)
        await copy.close()

    async def test_a_closed_catalog_fails_clearly(self, catalog: Catalog) -> None:
        await catalog.close()
        await catalog.close()
        with pytest.raises(StoreFailure):
            catalog.find_entry("pypi", "a")
        with pytest.raises(StoreFailure):
            await catalog.put_entry(entry_of())

    async def test_a_stored_404_has_no_blob_and_is_read_as_it_was_put(self, catalog: Catalog) -> None:
        absence = absence_of("gone", said_at=NOON)
        await catalog.put_entry(absence)
        assert catalog.find_entry("pypi", "gone") == absence

    async def test_404s_that_are_too_old_or_too_many_are_deleted_and_nothing_else_is(self, catalog: Catalog) -> None:
        await store(catalog, "kept")
        await catalog.put_entry(replace(entry_of("taken-back"), gone_at=NOON - timedelta(days=30)))
        for days in range(4):
            await catalog.put_entry(absence_of(f"absent-{days}", said_at=NOON - timedelta(days=days)))
        await catalog.delete_absences(NOON - timedelta(days=2), 100)
        assert [entry.key for entry in catalog.entries()] == ["absent-0", "absent-1", "absent-2", "kept", "taken-back"]
        await catalog.delete_absences(NOON - timedelta(days=9), 2)
        assert [entry.key for entry in catalog.entries()] == ["absent-0", "absent-1", "kept", "taken-back"]
