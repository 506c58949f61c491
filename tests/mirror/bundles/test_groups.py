"""Files that are published together go over together: never one generation's root with another's members."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from entrepot.model.resource import Request, Resource
from tests.cache.works import Shelf, page
from tests.mirror.bundles.site import Site, new_key

pytestmark = pytest.mark.anyio

ROOT, MEMBER, LATE, GONE = "signed/Release", "signed/Packages", "signed/Sources", "signed/Nothing"


class Depot(Shelf):
    """A shelf whose signed files are one group."""

    name: ClassVar[str] = "depot"

    def route(self, request: Request) -> Resource:
        resource = super().route(request)
        return replace(resource, snapshot=ROOT) if resource.key.startswith("signed/") else resource


class Grouped(Site):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.repositories["shelf"] = replace(self.works.shelf, ecosystem=Depot(), _variants={})
        self.works.shelf = self.repositories["shelf"]

    async def publish(self, generation: int) -> None:
        """Upstream has a new generation, and clients ask for it."""
        self.fetcher.on(ROOT, page(b"root %d" % generation))
        self.fetcher.on(MEMBER, page(b"member %d" % generation))
        self.fetcher.on(LATE, page(b"late %d" % generation))
        self.clock.advance(86400)
        for path in (ROOT, MEMBER, GONE):
            await self.status(path)
        await self.works.settle()

    async def seen(self) -> list[bytes | int]:
        """What an offline client gets."""
        self.go_offline()
        found: list[bytes | int] = []
        for path in (ROOT, MEMBER, GONE):
            status = await self.status(path)
            found.append((await self.works.get(path))[1] if status == 200 else status)
        return found


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Grouped]:
    site = Grouped(directory=tmp_path / "here")
    await site.publish(1)
    yield site
    await site.close()


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Grouped]:
    site = Grouped(directory=tmp_path / "there", base="https://mirror.internal.example/")
    yield site
    await site.close()


async def test_a_group_goes_over_with_its_root(here: Grouped, there: Grouped, tmp_path: Path) -> None:
    written = await here.export(tmp_path / "b.tar.zst", keys=[("shelf", MEMBER)])
    assert written.entries == 3
    await there.take(tmp_path / "b.tar.zst", unsigned=True)
    assert await there.seen() == [b"root 1", b"member 1", 404]


async def test_the_next_generation_replaces_the_one_before_as_a_whole(
    here: Grouped, there: Grouped, tmp_path: Path
) -> None:
    private, public = new_key(tmp_path)
    await here.export(tmp_path / "1.tar.zst", key=private)
    await here.publish(2)
    second = await here.export(tmp_path / "2.tar.zst", since=1, key=private)
    assert second.entries == 3
    there.clock.advance(30 * 86400)
    await there.take(tmp_path / "1.tar.zst", trust=public)
    await there.take(tmp_path / "2.tar.zst", trust=public)
    assert await there.seen() == [b"root 2", b"member 2", 404]
    published = there.catalog.generation_of("shelf", ROOT)
    assert published is not None
    assert published.number == 2
    # An older generation that comes later changes nothing.
    await there.take(tmp_path / "1.tar.zst", trust=public)
    assert await there.seen() == [b"root 2", b"member 2", 404]


async def test_a_member_that_came_later_joins_its_generation(here: Grouped, there: Grouped, tmp_path: Path) -> None:
    await here.export(tmp_path / "1.tar.zst")
    await here.works.get(LATE)
    await here.works.settle()
    second = await here.export(tmp_path / "2.tar.zst", since=1)
    assert second.entries == 1
    there.clock.advance(30 * 86400)
    # Without its generation it would be read with another root.
    await there.take(tmp_path / "2.tar.zst", unsigned=True)
    assert there.catalog.find_entry("shelf", LATE) is None
    await there.take(tmp_path / "1.tar.zst", unsigned=True)
    await there.take(tmp_path / "2.tar.zst", unsigned=True)
    there.go_offline()
    assert await there.works.get(LATE) == (200, b"late 1")
