"""Groups whose roots name their members: digests, generations, ages (policy §4, §5). The archives are Debian's."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

import pytest

from entrepot.cache.answer import Answer
from entrepot.cache.ask import ClientAsk
from entrepot.cache.freshness import FreshnessRules
from entrepot.contracts.blobs import GrowingBlob
from entrepot.contracts.fetcher import Ask
from entrepot.ecosystems.apt import Apt
from entrepot.ecosystems.rpm import Rpm
from entrepot.errors import DigestMismatch, EntrepotError, PolicyError, PolicyRefused
from entrepot.model.entry import Blob
from entrepot.model.resource import Request, Resource
from entrepot.policy.cooldown import Cooldown
from entrepot.policy.gate import Gate
from entrepot.storage.filesystem import FilesystemBlobs
from tests.cache.works import Works, body_of, page, works_in
from tests.fakes import Reply

pytestmark = pytest.mark.anyio

TTL, DAY = 300.0, 86400.0
RULES = FreshnessRules(mutable_ttl=TTL, while_revalidate=0.0, if_error=3600.0, patience=60.0, backoff=(30.0, 30.0))
"""With the patience of whoever waits for a disk, however slow: what is asserted is what a renewal brings."""
FOLDER = "dists/stable/"
ROOT = f"{FOLDER}InRelease"
INDEX, OTHER = "main/binary-amd64/Packages", "main/i18n/Translation-en"
POOL = "pool/tool_{}_all.deb"


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def deb(number: int) -> bytes:
    return f"package {number}".encode()


def packages(number: int) -> bytes:
    body = deb(number)
    return (
        f"Package: tool\nVersion: {number}\nFilename: {POOL.format(number)}\nSize: {len(body)}\n"
        f"SHA256: {sha256(body)}\n"
    ).encode()


@dataclass
class House:
    works: Works
    by_hash: bool = False
    fields: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.archive = replace(self.works.shelf, name="deb", ecosystem=Apt())

    def files(self, number: int) -> dict[str, bytes]:
        return {INDEX: packages(number), OTHER: f"edition {number}".encode()}

    def root(self, number: int) -> bytes:
        lines = [f" {sha256(body)} {len(body)} {path}" for path, body in self.files(number).items()]
        more = {"Acquire-By-Hash": "yes"} if self.by_hash else {}
        head = "".join(f"{key}: {value}\n" for key, value in (more | self.fields).items())
        return f"Suite: {number}\n{head}SHA256:\n{chr(10).join(lines)}\n".encode()

    def upstream_has(self, number: int, *, root: int = 0) -> None:
        """An edition; `root`: of another one."""
        self.works.fetcher.on(ROOT, page(self.root(root or number)))
        for path, body in self.files(number).items():
            self.works.fetcher.on(f"{FOLDER}{path}", page(body))
            if self.by_hash:
                self.works.fetcher.on(self.named(path, body), page(body))
        self.works.fetcher.on(POOL.format(number), page(deb(number)))

    def named(self, path: str, body: bytes) -> str:
        return f"{FOLDER}{path.rpartition('/')[0]}/by-hash/SHA256/{sha256(body)}"

    async def fetch(self, path: str, client: str = "") -> Answer:
        resource = self.archive.ecosystem.route(Request(method="GET", path=path))
        assert isinstance(resource, Resource)
        ask = ClientAsk(client=client, connection=client and f"{client} 1", base="http://x")
        return await self.works.engine.fetch(self.archive, resource, ask)

    async def get(self, path: str, client: str = "") -> bytes:
        body = await body_of(await self.fetch(path, client))
        await self.works.settle()
        return body

    async def has_read(self, number: int) -> None:
        self.upstream_has(number)
        assert await self.get(ROOT) == self.root(number)
        for path, body in self.files(number).items():
            name = self.named(path, body) if self.by_hash else f"{FOLDER}{path}"
            assert await self.get(name) == body

    def asked(self, path: str) -> list[Ask]:
        return self.works.fetcher.asked(path)

    def age(self, seconds: float, **more: object) -> None:
        cooldown = Cooldown(default=seconds, unknown_date="first-seen", **more)  # type: ignore[arg-type]
        self.archive = replace(self.archive, gate=Gate(cooldown=cooldown), _variants={})

    def employ_janitor(self) -> None:
        """Who knows the archive with the ages of now."""
        works = self.works
        works.janitor = type(works.janitor)(works.kit, works.generation, works.counters, None, {"deb": self.archive})


class HeldGrowth:
    """Is stored when it may be."""

    def __init__(self, inner: GrowingBlob, free: Event) -> None:
        self._inner, self._free, self.path = inner, free, inner.path
        self.append, self.reader, self.discard = inner.append, inner.reader, inner.discard

    def commit(self, sha256: str) -> Blob:
        self._free.wait()
        return self._inner.commit(sha256)


class HeldBlobs(FilesystemBlobs):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.free = Event()
        self.free.set()

    def create(self) -> GrowingBlob:
        return HeldGrowth(super().create(), self.free)


Houses = Callable[..., House]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    works = works_in(tmp_path, rules=RULES)
    yield House(works)
    await works.background.drain(0)


@pytest.fixture(params=[True, False], ids=["by-hash", "plain"])
def either(house: House, request: pytest.FixtureRequest) -> House:
    house.by_hash = request.param
    return house


async def test_a_new_root_is_published_with_what_was_held_under_its_new_names(either: House) -> None:
    await either.has_read(1)
    either.upstream_has(2)
    either.works.clock.advance(TTL + 1)
    assert await either.get(ROOT) == either.root(2)
    before = len(either.works.fetcher.asks)
    for path, body in either.files(2).items():
        assert await either.get(either.named(path, body) if either.by_hash else f"{FOLDER}{path}") == body
    assert len(either.works.fetcher.asks) == before


async def test_members_with_plain_names_come_from_names_that_never_change(house: House) -> None:
    house.by_hash = True
    house.upstream_has(1)
    await house.get(ROOT)
    await house.get(f"{FOLDER}{INDEX}")
    assert house.asked(f"{FOLDER}{INDEX}") == []
    assert len(house.asked(house.named(INDEX, packages(1)))) == 1


async def test_a_root_whose_members_were_replaced_meanwhile_is_overtaken_by_the_next(house: House) -> None:
    await house.has_read(1)
    house.upstream_has(3, root=2)
    roots = iter([house.root(2), house.root(3)])
    house.works.fetcher.on(ROOT, lambda _: page(next(roots)))
    house.works.clock.advance(TTL + 1)
    assert await house.get(ROOT) == house.root(3)
    assert await house.get(f"{FOLDER}{INDEX}") == packages(3)


async def test_a_root_that_never_fits_its_members_is_not_published(house: House) -> None:
    await house.has_read(1)
    house.upstream_has(3, root=2)
    house.works.clock.advance(TTL + 1)
    answer = await house.fetch(ROOT)
    assert (answer.trace.outcome, await body_of(answer)) == ("stale", house.root(1))
    assert await house.get(f"{FOLDER}{INDEX}") == packages(1)


async def test_a_mirror_that_has_only_the_root_yet_leaves_clients_with_the_generation_before(either: House) -> None:
    house = either
    await house.has_read(1)
    house.upstream_has(2)
    index = house.named(INDEX, packages(2)) if house.by_hash else f"{FOLDER}{INDEX}"
    house.works.fetcher.on(f"{FOLDER}{INDEX}", Reply(status=404))
    house.works.fetcher.on(index, Reply(status=404))
    house.works.clock.advance(TTL + 1)
    assert await house.get(ROOT) == house.root(1)
    house.upstream_has(2)
    house.works.clock.advance(31.0)
    assert await house.get(ROOT) == house.root(2)
    assert await house.get(index) == packages(2)


async def test_a_signature_may_come_after_its_root(house: House) -> None:
    release, signature = f"{FOLDER}Release", f"{FOLDER}Release.gpg"
    house.works.fetcher.on(ROOT, Reply(status=404))
    house.works.fetcher.on(release, page(house.root(1)))
    house.works.fetcher.on(signature, page(b"signature 1"))
    assert await house.get(release) == house.root(1)
    assert await house.get(signature) == b"signature 1"
    house.works.fetcher.on(release, page(house.root(2)))
    house.works.fetcher.on(signature, Reply(status=404))
    house.works.clock.advance(TTL + 1)
    assert await house.get(release) == house.root(1)
    assert await house.get(signature) == b"signature 1"


async def test_what_upstream_no_longer_has_keeps_no_root_from_being_published_for_long(house: House) -> None:
    await house.has_read(1)
    house.upstream_has(2)
    house.works.fetcher.on(f"{FOLDER}{OTHER}", Reply(status=404))
    house.works.clock.advance(TTL + 1)
    root = house.works.catalog.find_entry("deb", ROOT)
    assert root is not None
    await house.works.catalog.put_entry(replace(root, failures=6))
    # Clients do not wait for all attempts: the first one may get what there was.
    assert await house.get(ROOT) in (house.root(1), house.root(2))
    assert await house.get(ROOT) == house.root(2)


async def test_a_member_must_be_what_its_root_names(house: House) -> None:
    house.upstream_has(2, root=1)
    await house.get(ROOT)
    with pytest.raises(DigestMismatch):
        await house.get(f"{FOLDER}{INDEX}")
    assert not [one for one in house.works.catalog.entries("deb") if one.key.endswith("Packages")]


async def test_a_login_page_never_replaces_a_root(house: House) -> None:
    await house.has_read(1)
    house.works.fetcher.on(ROOT, page(b"<html>Log in: here</html>"))
    house.works.clock.advance(TTL + 1)
    assert await house.get(ROOT) == house.root(1)


async def test_two_connections_of_one_address_each_get_the_generation_that_they_read(house: House) -> None:
    await house.has_read(1)
    resource = house.archive.ecosystem.route(Request(method="GET", path=ROOT))
    assert isinstance(resource, Resource)

    async def get(path: str, connection: str) -> bytes:
        named = house.archive.ecosystem.route(Request(method="GET", path=path))
        assert isinstance(named, Resource)
        ask = ClientAsk(client="10.0.0.1", connection=connection, base="http://x")
        body = await body_of(await house.works.engine.fetch(house.archive, named, ask))
        await house.works.settle()
        return body

    await get(ROOT, "first")
    house.upstream_has(2)
    house.works.clock.advance(TTL + 1)
    # The first one has been away for too long to be remembered, and reads the root once more.
    house.works.fetcher.on(ROOT, page(house.root(1)))
    assert await get(ROOT, "first") == house.root(1)
    house.upstream_has(2)
    house.works.clock.advance(TTL / 10)
    root = house.works.catalog.find_entry("deb", ROOT)
    assert root is not None
    await house.works.catalog.put_entry(replace(root, expired=True))
    assert await get(ROOT, "second") == house.root(2)
    assert await get(f"{FOLDER}{INDEX}", "first") == packages(1)
    assert await get(f"{FOLDER}{INDEX}", "second") == packages(2)


async def test_a_suite_without_inrelease_belongs_to_its_release(house: House) -> None:
    house.upstream_has(1)
    house.works.fetcher.on(ROOT, Reply(status=404))
    release, signature = f"{FOLDER}Release", f"{FOLDER}Release.gpg"
    house.works.fetcher.on(release, page(house.root(1)))
    house.works.fetcher.on(signature, page(b"signature 1"))
    with pytest.raises(EntrepotError):
        await house.get(ROOT)
    for path in (release, signature, f"{FOLDER}{INDEX}"):
        await house.get(path)
    members = [one.key for one in house.works.catalog.members_of("deb", release)]
    assert members == [signature, f"{FOLDER}{INDEX}"]


# --- files that indexes name ------------------------------------------------------------------------------------------


async def test_a_package_must_be_what_a_stored_index_names(either: House) -> None:
    await either.has_read(1)
    either.works.fetcher.on(POOL.format(1), page(b"not the package"))
    with pytest.raises(DigestMismatch):
        await either.get(POOL.format(1))
    either.works.fetcher.on(POOL.format(1), page(deb(1)))
    assert await either.get(POOL.format(1)) == deb(1)


async def test_a_package_that_no_index_names_has_the_roots_asked_about_once(either: House) -> None:
    await either.has_read(1)
    either.upstream_has(2)
    either.works.fetcher.on(POOL.format(2), page(b"not the package"))
    either.works.clock.advance(60.0)
    with pytest.raises(DigestMismatch):
        await either.get(POOL.format(2))
    assert await either.get(ROOT) == either.root(2)


async def test_a_package_that_is_named_nowhere_is_kept_with_the_digest_that_it_had_first(house: House) -> None:
    await house.has_read(1)
    stray = "pool/stray_1_all.deb"
    house.works.fetcher.on(stray, page(b"first"))
    assert await house.get(stray) == b"first"
    assert house.works.catalog.find_remembered("deb", stray) is not None


async def test_other_bytes_under_a_name_are_fetched_when_the_index_names_them(house: House) -> None:
    await house.has_read(1)
    assert await house.get(POOL.format(1)) == deb(1)
    other = b"package one, built again"
    old, new = (f"Size: {len(body)}\nSHA256: {sha256(body)}" for body in (deb(1), other))
    index = packages(1).replace(old.encode(), new.encode())
    told, tells = (f"{sha256(body)} {len(body)}".encode() for body in (packages(1), index))
    house.works.fetcher.on(ROOT, page(house.root(1).replace(told, tells)))
    house.works.fetcher.on(f"{FOLDER}{INDEX}", page(index))
    house.works.fetcher.on(POOL.format(1), page(other))
    house.works.clock.advance(TTL + 1)
    await house.get(ROOT)
    assert await house.get(POOL.format(1)) == other


async def test_they_are_fetched_also_where_the_index_tells_another_digest(house: House) -> None:
    path, pool = f"{FOLDER}{INDEX}", POOL.format(1)
    for body in (deb(1), b"package one, built again"):
        index = f"Package: tool\nVersion: 1\nFilename: {pool}\nSHA512: {hashlib.sha512(body).hexdigest()}\n".encode()
        house.works.fetcher.on(ROOT, page(f"Suite: 1\nSHA256:\n {sha256(index)} {len(index)} {INDEX}\n".encode()))
        house.works.fetcher.on(path, page(index))
        house.works.fetcher.on(pool, page(body))
        house.works.clock.advance(TTL + 1)
        for name in (ROOT, path):
            await house.get(name)
        assert await house.get(pool) == body
        assert await house.get(pool) == body
    assert len(house.asked(pool)) == 2


async def test_a_list_that_no_root_names_any_more_does_not_spoil_what_the_current_one_names(house: House) -> None:
    house.by_hash = True
    await house.has_read(1)
    old = packages(1).replace(sha256(deb(1)).encode(), sha256(b"before it was built again").encode())
    house.works.fetcher.on(house.named(INDEX, old), page(old))
    house.works.clock.advance(60.0)
    assert await house.get(house.named(INDEX, old)) == old
    assert await house.get(POOL.format(1)) == deb(1)


async def test_another_repository_of_the_same_upstream_has_no_say_in_what_is_not_its_own(house: House) -> None:
    house.archive = replace(house.archive, name="rpm", ecosystem=Rpm())
    common = 'xmlns="http://linux.duke.edu/metadata/common"'
    house.works.fetcher.on("good/a.rpm", page(b"good"))
    for place, href, body in (("good", "a.rpm", b"good"), ("evil", "../good/a.rpm", b"evil")):
        told = f'<checksum type="sha256">{sha256(body)}</checksum><location href="{href}"/>'
        primary = f"<metadata {common}><package><name>a</name>{told}</package></metadata>"
        house.works.fetcher.on(f"{place}/repodata/primary.xml", page(primary.encode()))
        await house.get(f"{place}/repodata/primary.xml")
        house.works.clock.advance(1.0)
    assert await house.get("good/a.rpm") == b"good"


async def test_a_login_page_never_replaces_a_signature(house: House) -> None:
    release, signature = f"{FOLDER}Release", f"{FOLDER}Release.gpg"
    house.works.fetcher.on(ROOT, Reply(status=404))
    for number, body in ((1, b"signature 1"), (2, b"<html>Log in: here</html>")):
        house.works.fetcher.on(release, page(house.root(number)))
        house.works.fetcher.on(signature, page(body))
        house.works.clock.advance(TTL + 1)
        assert await house.get(release) == house.root(1)
        assert await house.get(signature) == b"signature 1"


# --- ages -------------------------------------------------------------------------------------------------------------


async def test_until_a_generation_is_old_enough_the_oldest_is_served_and_marked(house: House) -> None:
    house.age(DAY)
    await house.has_read(1)
    answer = await house.fetch(ROOT)
    assert (answer.trace.detail, await body_of(answer)) == ("too-young", house.root(1))
    house.upstream_has(2)
    house.works.clock.advance(TTL + 1)
    assert await house.get(ROOT) == house.root(1)
    assert await house.get(f"{FOLDER}{INDEX}") == packages(1)
    assert await house.get(POOL.format(1)) == deb(1)


async def test_the_latest_generation_that_is_old_enough_is_served_as_a_whole(house: House) -> None:
    house.age(DAY)
    await house.has_read(1)
    for number in (2, 3):
        house.works.clock.advance(DAY * 0.75)
        house.upstream_has(number)
        await house.get(ROOT)
    house.works.clock.advance(DAY * 0.5)
    answer = await house.fetch(ROOT)
    assert (answer.trace.detail, await body_of(answer)) == ("older-generation", house.root(2))
    assert await house.get(f"{FOLDER}{INDEX}") == packages(2)


async def test_packages_of_generations_that_are_too_young_are_refused(house: House) -> None:
    house.age(DAY)
    await house.has_read(1)
    house.upstream_has(2)
    house.works.clock.advance(TTL + 1)
    await house.get(ROOT)
    with pytest.raises(PolicyRefused, match="first seen"):
        await house.get(POOL.format(2))
    house.works.clock.advance(DAY)
    assert await house.get(POOL.format(2)) == deb(2)


async def test_a_package_whose_index_was_sent_and_is_still_being_stored_has_the_age_that_this_gives_it(
    tmp_path: Path,
) -> None:
    blobs = HeldBlobs(tmp_path)
    works = works_in(tmp_path, rules=RULES, blobs=blobs)
    house = House(works)
    house.age(DAY)
    house.upstream_has(1)
    assert await house.get(ROOT) == house.root(1)
    blobs.free.clear()
    assert await body_of(await house.fetch(f"{FOLDER}{INDEX}")) == packages(1)
    # Whoever does not wait for it is done, and refused, by then.
    asyncio.get_running_loop().call_later(0.2, blobs.free.set)
    assert await house.get(POOL.format(1)) == deb(1), "its generation is the oldest that is held"
    await works.background.drain(0)


async def test_a_generation_that_clients_refuse_is_not_served(house: House) -> None:
    house.age(DAY)
    house.fields = {"Valid-Until": "Fri, 20 Nov 2026 13:00:00 UTC"}
    await house.has_read(1)
    house.fields = {}
    house.upstream_has(2)
    house.works.clock.advance(2 * 3600.0)
    answer = await house.fetch(ROOT)
    assert (answer.trace.detail, await body_of(answer)) == ("too-young", house.root(2))


async def test_a_view_as_of_a_day_shows_what_was_valid_then(house: House) -> None:
    house.fields = {"Valid-Until": "Fri, 20 Nov 2026 23:00:00 UTC"}
    await house.has_read(1)
    first = house.root(1)
    house.age(0.0, as_of=house.works.clock.now())
    house.fields = {}
    house.upstream_has(2)
    house.works.clock.advance(30 * DAY)
    assert await house.get(ROOT) == first, "nothing newer exists"
    with pytest.raises(PolicyError):
        await house.get(POOL.format(2))


async def test_generations_are_kept_as_long_as_an_age_may_want_them(house: House) -> None:
    house.age(DAY)
    house.employ_janitor()
    await house.has_read(1)
    house.upstream_has(2)
    house.works.clock.advance(TTL + 1)
    await house.get(ROOT)
    house.works.clock.advance(DAY)
    await house.works.janitor.forget_generations()
    assert len(house.works.catalog.former_roots("deb", ROOT)) == 1
    house.works.clock.advance(2 * 3600.0)
    await house.works.janitor.forget_generations()
    assert house.works.catalog.former_roots("deb", ROOT) == []


async def test_indexes_of_generations_that_are_gone_go_with_what_was_made_of_them(house: House) -> None:
    house.by_hash = True
    house.employ_janitor()
    await house.has_read(1)
    house.upstream_has(2)
    house.works.clock.advance(TTL + 1)
    await house.get(ROOT)
    assert len([one for one in house.works.catalog.entries("deb") if "by-hash" in one.key]) == 4
    house.works.clock.advance(2 * 3600.0)
    await house.works.janitor.forget_generations()
    assert len([one for one in house.works.catalog.entries("deb") if "by-hash" in one.key]) == 2
    assert house.works.blobs.open(sha256(packages(1))) is None
    assert [one.sha256 for one in house.works.kit.listings.of("deb")] == [sha256(packages(2))]
