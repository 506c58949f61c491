"""Who is believed: signed bundles, unsigned ones, and those of strangers."""

from datetime import timedelta
from pathlib import Path

import pytest

from entrepot.errors import ConfigError, UnreadableBundle
from entrepot.mirror.bundles import signing
from entrepot.mirror.bundles.taking import Fate
from tests.cache.works import listing, page
from tests.fakes import NOON
from tests.mirror.bundles.site import GOODS, Site, new_key

pytestmark = pytest.mark.anyio


def test_keys_are_read_and_written_by_their_owner_only(tmp_path: Path) -> None:
    private, public = new_key(tmp_path)
    assert private.stat().st_mode & 0o777 == 0o600
    assert private.read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    signature = signing.sign(b"a manifest", private)
    key = signing.load_public_file(public)
    assert signing.check(b"a manifest", signature, [key]) == signing.Signer(key, True)
    assert signing.check(b"a manifest", signature, []).trusted is False
    with pytest.raises(UnreadableBundle, match="not the signature of this manifest"):
        signing.check(b"b manifest", signature, [key])


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    new_key(tmp_path)
    with pytest.raises(ConfigError, match="File exists"):
        new_key(tmp_path)


@pytest.mark.parametrize("text", ["", "ssh-rsa AAAA", "not a key", "-----BEGIN PUBLIC KEY-----\nAAAA\n"])
def test_what_is_no_public_key_is_told_with_its_place(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^keys\.pub: "):
        signing.load_public(text, "keys.pub")


async def test_nothing_unsigned_or_of_strangers_is_taken_without_being_allowed(
    here: Site, there: Site, tmp_path: Path
) -> None:
    mine, _ = new_key(tmp_path, "mine")
    _, other = new_key(tmp_path, "other")
    await here.export(tmp_path / "signed.tar.zst", key=mine)
    await here.export(tmp_path / "plain.tar.zst")
    for name, reason in (("signed", "not trusted"), ("plain", "it is not signed")):
        with pytest.raises(UnreadableBundle, match=reason):
            await there.take(tmp_path / f"{name}.tar.zst", trust=other)
        assert there.is_empty()
        assert not (there.directory / "import").exists()


async def test_an_unsigned_bundle_brings_no_dates_and_no_pins_and_replaces_nothing(
    here: Site, there: Site, tmp_path: Path
) -> None:
    await here.catalog.put_sightings("shelf", "tools/", "tools", ["1"], NOON - timedelta(days=40))
    await here.pins.pin("job", [("shelf", "loose/nail")], NOON)
    here.clock.advance(3600)
    await here.export(tmp_path / "b.tar.zst")
    there.clock.advance(-86400)
    there.fetcher.on("tools/", page(GOODS["tools/"] + b" "))
    await there.works.get("tools/")
    await there.works.settle()
    there.clock.advance(86400 + 3600)
    taken = await there.take(tmp_path / "b.tar.zst", unsigned=True)
    assert taken.signer == ""
    sighting = there.catalog.find_sighting("shelf", "tools", "1")
    assert sighting is not None
    assert sighting.first_seen == NOON - timedelta(days=1)
    assert list(there.book.pinned("shelf")) == []
    ours = there.catalog.find_entry("shelf", "tools/")
    assert ours is not None
    assert ours.upstream == there.fetcher.identity("main")
    remembered = there.catalog.find_remembered("shelf", "loose/nail")
    assert remembered is not None
    assert remembered.first_seen == there.clock.now()
    assert taken.tally.total(Fate.NEWER_HERE) == 1
    assert await there.holds()


async def test_a_signed_bundle_replaces_what_is_older_and_never_what_is_newer(
    here: Site, there: Site, tmp_path: Path
) -> None:
    private, public = new_key(tmp_path)
    there.fetcher.on("tools/", page(GOODS["tools/"] + b" "))
    await here.export(tmp_path / "b.tar.zst", key=private)
    there.clock.advance(60)
    await there.works.get("tools/")
    await there.works.settle()
    await there.take(tmp_path / "b.tar.zst", trust=public)
    newer = there.catalog.find_entry("shelf", "tools/")
    assert newer is not None
    assert newer.upstream == there.fetcher.identity("main")
    here.clock.advance(86400)
    there.clock.advance(86400)
    here.fetcher.on("tools/", page(GOODS["tools/"] + b"  "))
    await here.works.get("tools/")
    await here.works.settle()
    await here.export(tmp_path / "c.tar.zst", key=private)
    await there.take(tmp_path / "c.tar.zst", trust=public)
    assert await there.holds()
    latest = there.catalog.find_entry("shelf", "tools/")
    assert latest is not None
    assert latest.upstream.startswith("bundle:")


async def test_a_file_that_is_remembered_to_be_another_is_refused_and_told(
    here: Site, there: Site, tmp_path: Path
) -> None:
    private, public = new_key(tmp_path)
    there.fetcher.on("loose/nail", page(b"another nail"))
    await there.works.get("loose/nail")
    await there.works.settle()
    here.clock.advance(60)
    await here.export(tmp_path / "b.tar.zst", key=private)
    taken = await there.take(tmp_path / "b.tar.zst", trust=public)
    assert taken.tally.total(Fate.REFUSED) == 1
    assert taken.tally.told == [
        "shelf/loose/nail: refused: this name is remembered to stand for other bytes",
    ]
    assert not taken.complete
    assert await there.works.get("loose/nail") == (200, b"another nail")


async def test_unsigned_a_file_gives_way_to_the_digest_that_is_published_here(tmp_path: Path, there: Site) -> None:
    goods = {"tools/": listing(hammer_txt=b"forged", saw_txt=b"a saw"), "tools/hammer.txt": b"forged"}
    forger = Site(directory=tmp_path / "forger")
    await forger.stock({**goods, "tools/saw.txt": b"a saw"})
    await forger.export(tmp_path / "b.tar.zst")
    await forger.close()
    there.fetcher.on("tools/", page(GOODS["tools/"]))
    await there.works.get("tools/")
    taken = await there.take(tmp_path / "b.tar.zst", unsigned=True)
    assert taken.tally.told == ["shelf/tools/hammer.txt: refused: it is published with another digest"]
    assert (taken.complete, taken.tally.fates["shelf"][Fate.NEWER_HERE]) == (False, 1)
    there.fetcher.on("tools/hammer.txt", page(b"a hammer"))
    assert (await there.works.get("tools/hammer.txt"))[1] == b"a hammer"
    there.go_offline()
    assert (await there.works.get("tools/saw.txt"))[1] == b"a saw"
