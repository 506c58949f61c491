"""Indexes as clients get them: rendered once, in the coding they take, for every address of ours."""

import asyncio
import gzip
import hashlib
import json
import zlib
from pathlib import Path

import pytest
from backports import zstd

from entrepot.cache.answer import Stored
from entrepot.cache.plan import Wish
from entrepot.contracts.ecosystem import Limits as Caps
from entrepot.errors import Absent, BadContent, TooBig
from tests.cache.works import Works, body_of, listing, page, sha256, works_in

pytestmark = pytest.mark.anyio
BODY = b"x"


def many(count: int) -> tuple[bytes, bytes]:
    """An index of so many files, and what clients see of it."""
    names = [f"file{number:05}" for number in range(count)]
    index = json.dumps({name: hashlib.sha256(name.encode()).hexdigest() for name in names}).encode()
    return index, "".join(f"{name}\n" for name in names).encode()


async def test_many_readers_cost_one_rendering(works: Works) -> None:
    index, shown = many(5000)
    works.fetcher.on("pkg/", page(index))
    assert await asyncio.gather(*(works.get("pkg/") for _ in range(20))) == [(200, shown)] * 20
    assert works.counts.rendered == 1
    works.clock.advance(1000)
    works.fetcher.on("pkg/", page(index))
    assert await works.get("pkg/") == (200, shown)
    assert works.counts.rendered == 1


async def test_a_document_that_came_again_unchanged_is_neither_read_nor_rendered(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    await works.get("pkg/")
    await works.settle()
    generation = works.generation.value()
    works.clock.advance(1000)
    await works.get("pkg/")
    await works.settle()
    assert works.counts.rendered == 1
    assert works.generation.value() == generation


async def test_each_form_is_rendered_from_the_one_stored_document(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing(a=BODY, b=BODY)))
    assert await works.get("pkg/") == (200, b"a\nb\n")
    assert await works.get("pkg/", accept="b") == (200, b"b\n")
    assert len(works.fetcher.asks) == 1


async def test_a_document_that_nothing_need_be_changed_in_goes_as_it_is(works: Works) -> None:
    index = listing(a=BODY)
    works.fetcher.on("pkg/", page(index, content_type="application/json"))
    answer = await works.fetch("pkg/", accept="raw")
    shown = dict(answer.headers)
    assert (shown["content-type"], shown["vary"]) == ("application/json", "Accept")
    assert await body_of(answer) == index
    assert (await works.fetch("pkg/", accept="raw", if_none_match=shown["etag"])).status == 304


@pytest.mark.parametrize("count", [200, 5000])
async def test_the_compressed_view_has_a_validator_of_its_own(works: Works, count: int) -> None:
    index, shown = many(count)
    works.fetcher.on("pkg/", page(index))
    plain, packed = await works.fetch("pkg/"), await works.fetch("pkg/", gzip=True)
    assert dict(packed.headers)["content-encoding"] == "gzip"
    assert "content-encoding" not in dict(plain.headers)
    assert dict(plain.headers)["etag"] != dict(packed.headers)["etag"]
    assert dict(plain.headers)["vary"] == dict(packed.headers)["vary"] == "Accept, Accept-Encoding"
    data = await body_of(packed)
    assert (gzip.decompress(data), len(data)) == (shown, packed.length)
    assert await body_of(plain) == shown
    assert works.counts.rendered == 1


async def test_a_tiny_view_is_not_compressed(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    answer = await works.fetch("pkg/", gzip=True)
    assert "content-encoding" not in dict(answer.headers)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_a_document_is_asked_for_compressed_and_kept_plain(works: Works, coding: str) -> None:
    index, shown = many(300)
    packed = gzip.compress(index) if coding == "gzip" else zstd.compress(index)
    works.fetcher.on("pkg/", page(packed, content_encoding=coding))
    assert await works.get("pkg/") == (200, shown)
    await works.settle()
    assert works.fetcher.asks[0].headers.get("accept-encoding") == "zstd, gzip"
    assert sha256(index) in works.blobs.digests()
    entry = works.catalog.find_entry("shelf", "pkg/")
    assert entry is not None
    assert "content-encoding" not in entry.headers


async def test_a_coding_that_was_not_asked_for_is_refused(works: Works) -> None:
    works.fetcher.on("pkg/", page(zlib.compress(listing(a=BODY)), content_encoding="deflate"))
    with pytest.raises(BadContent):
        await works.get("pkg/")


async def test_a_rendering_beyond_its_cap_is_refused(tmp_path: Path) -> None:
    works = works_in(tmp_path, caps=Caps(rendered_index_bytes=100))
    works.fetcher.on("pkg/", page(many(200)[0]))
    with pytest.raises(TooBig):
        await works.get("pkg/")


async def test_a_big_rendering_is_found_again_after_a_restart(works: Works) -> None:
    index, shown = many(5000)
    works.fetcher.on("pkg/", page(index))
    await works.get("pkg/")
    await works.settle()
    again = works.sibling()
    answer = await again.fetch("pkg/")
    assert isinstance(answer.body, Stored)
    assert await body_of(answer) == shown
    assert again.counts.rendered == 0


@pytest.mark.parametrize("damage", ["delete", "change"])
async def test_a_stored_rendering_that_is_not_what_it_was_is_made_again(
    works: Works, tmp_path: Path, damage: str
) -> None:
    index, shown = many(5000)
    works.fetcher.on("pkg/", page(index))
    await works.get("pkg/")
    await works.settle()
    for digest in (sha256(shown), *[digest for digest in works.blobs.digests() if digest != sha256(index)]):
        path = tmp_path / "blobs" / digest[:2] / digest[2:]
        if damage == "delete":
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(b"?" * path.stat().st_size)
    again = works.sibling()
    assert await again.get("pkg/") == (200, shown)
    assert await again.get("pkg/", gzip=True) != (200, b"")
    assert len(works.fetcher.asks) == 1


async def test_what_a_view_does_not_show_is_looked_for_upstream_once(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    await works.get("pkg/")
    await works.settle()
    works.clock.advance(20)
    works.fetcher.on("pkg/", page(listing(a=BODY, b=BODY)))
    assert await works.get("pkg/", accept="b") == (200, b"b\n")
    with pytest.raises(Absent):
        await works.get("pkg/", accept="c")
    assert len(works.fetcher.asks) == 2


async def test_what_a_view_does_not_show_makes_no_contact_where_none_is_wished(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    await works.get("pkg/")
    await works.settle()
    works.clock.advance(20)
    with pytest.raises(Absent):
        await works.get("pkg/", accept="c", wish=Wish(stored_only=True))
    assert len(works.fetcher.asks) == 1


async def test_what_one_form_lacks_is_no_word_about_the_document(works: Works) -> None:
    works.fetcher.on("pkg/", page(listing(a=BODY)))
    with pytest.raises(Absent):
        await works.get("pkg/", accept="c")
    assert await works.get("pkg/") == (200, b"a\n")


async def test_facts_of_big_documents_are_kept_and_those_of_lost_ones_read_again(works: Works) -> None:
    index, _ = many(5000)
    works.fetcher.on("pkg/", page(index))
    works.fetcher.on("pkg/file00001", page(b"file00001"))
    assert await works.get("pkg/file00001") == (200, b"file00001")
    await works.settle()
    for digest in works.blobs.digests():
        if digest != sha256(index):
            works.blobs.remove(digest)
    again = works.sibling()
    works.fetcher.on("pkg/file00002", page(b"file00002"))
    assert await again.get("pkg/file00002") == (200, b"file00002")
    assert len(works.fetcher.asked("pkg/")) == 1
