"""Bundles that were changed, cut, or made to do harm: nothing of them is imported, and what is wrong is named."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.errors import BadRequest, EntrepotError, StoreFailure, UnreadableBundle
from entrepot.mirror.bundles.archive import Writer, header_of
from entrepot.mirror.bundles.records import LISTS, EntryRecord, Manifest, Part, decode_manifest, encode
from entrepot.mirror.bundles.staging import open_bundle, stage
from tests.mirror.bundles.site import ABSENT, GOODS, Site

Members = list[tuple[tarfile.TarInfo, bytes]]


def check(path: Path, directory: Path) -> None:
    """All that an import does before it takes anything over."""
    with open_bundle(path) as opened, stage(opened, directory, lambda record: False, keep=True):
        pass


def members_of(path: Path) -> Members:
    with tarfile.open(fileobj=io.BytesIO(zstd.decompress(path.read_bytes()))) as tar:
        return [(info, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]


def content(path: Path) -> bytes:
    return path.read_bytes()


def pack(path: Path, members: Members, end: bytes = b"") -> Path:
    """As our own writer does it, whatever the members are."""
    with Writer(path) as writer:
        for info, body in members:
            writer.write(info.tobuf(tarfile.GNU_FORMAT))
            writer.write(body + bytes(-len(body) % 512))
        writer.write(end)
        writer.finish()
    return path


def member(name: str, body: bytes = b"", **changes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(body)
    for field, value in changes.items():
        setattr(info, field, value)
    return info, body


@pytest.fixture
async def bundle(here: Site, tmp_path: Path) -> Path:
    await here.export(tmp_path / "b.tar.zst")
    return tmp_path / "b.tar.zst"


@pytest.mark.anyio
async def test_an_ordinary_tar_reads_a_bundle(bundle: Path) -> None:
    names = [info.name for info, _ in members_of(bundle)]
    blobs = sorted(f"blobs/{hashlib.sha256(body).hexdigest()}" for body in GOODS.values())
    assert names == ["manifest.json", "README.txt", "clients.txt", *(f"{name}.jsonl" for name in LISTS), *blobs]
    assert {(info.mtime, info.uid, info.uname) for info, _ in members_of(bundle)} == {(0, 0, "")}


@pytest.mark.anyio
async def test_one_changed_byte_anywhere_imports_nothing(bundle: Path, tmp_path: Path) -> None:
    body = content(bundle)

    @settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(0, len(body) - 1), st.integers(1, 255))
    def changed(offset: int, change: int) -> None:
        other = tmp_path / "changed.tar.zst"
        other.write_bytes(body[:offset] + bytes([body[offset] ^ change]) + body[offset + 1 :])
        with pytest.raises(UnreadableBundle):
            check(other, tmp_path / "stage")

    changed()
    check(bundle, tmp_path / "stage")


@pytest.mark.anyio
async def test_a_changed_byte_is_told_with_its_member_and_changes_nothing_in_the_store(
    bundle: Path, there: Site, tmp_path: Path
) -> None:
    members = members_of(bundle)
    for position, (info, body) in enumerate(members):
        if not body:
            continue
        changed = [*members[:position], (info, bytes([body[0] ^ 1]) + body[1:]), *members[position + 1 :]]
        path = pack(tmp_path / "changed.tar.zst", changed)
        with pytest.raises(UnreadableBundle, match=info.name.replace(".", r"\.")):
            await there.take(path, unsigned=True)
        path.unlink()
    assert there.is_empty()


@pytest.mark.anyio
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
async def test_a_cut_bundle_imports_nothing(bundle: Path, there: Site, tmp_path: Path, share: float) -> None:
    body = content(bundle)
    (tmp_path / "cut").write_bytes(body[: int(len(body) * share)])
    with pytest.raises(UnreadableBundle):
        await there.take(tmp_path / "cut", unsigned=True)
    assert there.is_empty()


HARM: dict[str, Callable[[Members], Members]] = {
    "an extra member": lambda found: [*found, member("extra", b"x")],
    "an extra member in between": lambda found: [*found[:3], member("extra", b"x"), *found[3:]],
    "a member twice": lambda found: [*found, found[-1]],
    "a missing member": lambda found: found[:-1],
    "members in another order": lambda found: [*found[:-2], found[-1], found[-2]],
    "an absolute path": lambda found: [*found[:-1], member("/etc/cron.d/harm", found[-1][1])],
    "a path upwards": lambda found: [*found[:-1], member("blobs/../../harm", found[-1][1])],
    "a symbolic link": lambda found: [*found[:-1], member(found[-1][0].name, type=tarfile.SYMTYPE, linkname="/etc")],
    "a hard link": lambda found: [*found[:-1], member(found[-1][0].name, type=tarfile.LNKTYPE, linkname="README.txt")],
    "a device": lambda found: [*found[:-1], member(found[-1][0].name, type=tarfile.CHRTYPE)],
    "a huge declared size": lambda found: [*found[:-1], member(found[-1][0].name, size=1 << 50)],
    "a huge manifest": lambda found: [member("manifest.json", size=1 << 40), *found[1:]],
    "no manifest": lambda found: found[1:],
}


@pytest.mark.anyio
@pytest.mark.parametrize("harm", HARM)
async def test_harm_in_the_tar_imports_nothing(bundle: Path, there: Site, tmp_path: Path, harm: str) -> None:
    path = pack(tmp_path / "harm.tar.zst", HARM[harm](members_of(bundle)))
    with pytest.raises(UnreadableBundle):
        await there.take(path, unsigned=True)
    assert there.is_empty()
    assert not (tmp_path / "harm").exists()


@dataclass
class Forged:
    """A bundle whose manifest fits what is in it, as only somebody could make it who is trusted, or allowed."""

    members: Members

    @property
    def manifest(self) -> Manifest:
        return decode_manifest(self.members[0][1])

    def with_list(self, name: str, change: Callable[[bytes], bytes]) -> "Forged":
        place = next(n for n, (info, _) in enumerate(self.members) if info.name == f"{name}.jsonl")
        body = change(self.members[place][1])
        part = Part(sha256=hashlib.sha256(body).hexdigest(), size_bytes=len(body), lines=body.count(b"\n"))
        manifest = msgspec.structs.replace(self.manifest, lists=self.manifest.lists | {name: part})
        members = [*self.members[:place], member(f"{name}.jsonl", body), *self.members[place + 1 :]]
        return Forged([member("manifest.json", encode(manifest)), *members[1:]])


def _first_entry(change: Callable[[EntryRecord], EntryRecord]) -> Callable[[bytes], bytes]:
    def apply(body: bytes) -> bytes:
        first, *rest = body.splitlines(keepends=True)
        return encode(change(msgspec.json.decode(first, type=EntryRecord))) + b"\n" + b"".join(rest)

    return apply


FORGERIES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "lines in another order": ("entries", lambda body: b"".join(reversed(body.splitlines(keepends=True)))),
    "a line twice": ("entries", lambda body: body.splitlines(keepends=True)[0] + body),
    "a field that nobody knows": ("entries", lambda body: body.replace(b'{"base"', b'{"admin":true,"base"', 1)),
    "another spelling": ("entries", lambda body: body.replace(b'{"base":', b'{"base": ', 1)),
    "a line without end": ("entries", lambda body: body[:-1]),
    "a field with a line break": (
        "entries",
        _first_entry(lambda one: msgspec.structs.replace(one, headers=(("x", "a\r\nset-cookie: b"),))),
    ),
    "a body that is not there": ("entries", _first_entry(lambda one: msgspec.structs.replace(one, size_bytes=7))),
    "an entry that is both": (
        "entries",
        _first_entry(lambda one: msgspec.structs.replace(one, sha256="0" * 64, size_bytes=0)),
    ),
    "not JSON": ("sightings", lambda body: b"harm\n"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_fitting_manifest_does_not_help_lists_that_make_no_sense(
    bundle: Path, there: Site, tmp_path: Path, forgery: str
) -> None:
    name, change = FORGERIES[forgery]
    if forgery == "a field with a line break":
        with pytest.raises(ValueError, match="control characters"):
            change({info.name: body for info, body in members_of(bundle)}["entries.jsonl"])
        return
    path = pack(tmp_path / "forged.tar.zst", Forged(members_of(bundle)).with_list(name, change).members)
    with pytest.raises(UnreadableBundle, match=name):
        await there.take(path, unsigned=True)
    assert there.is_empty()


@pytest.mark.anyio
async def test_more_than_there_is_room_for_is_refused_before_anything_is_written(
    bundle: Path, there: Site, tmp_path: Path
) -> None:
    forged = Forged(members_of(bundle))
    manifest = msgspec.structs.replace(forged.manifest, bodies_bytes=1 << 60)
    path = pack(tmp_path / "forged.tar.zst", [member("manifest.json", encode(manifest)), *forged.members[1:]])
    with pytest.raises(StoreFailure, match="needs 1152921504606"):
        await there.take(path, unsigned=True)
    assert there.is_empty()


@pytest.mark.anyio
async def test_a_file_that_is_not_there_or_no_bundle_is_told(there: Site, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="No such file"):
        await there.take(tmp_path / "none", unsigned=True)
    for body in (b"", b"hello" * 100, zstd.compress(bytes(10_000_000))):
        (tmp_path / "other").write_bytes(body)
        with pytest.raises(UnreadableBundle, match=r"manifest\.json"):
            await there.take(tmp_path / "other", unsigned=True)


@pytest.mark.anyio
async def test_a_key_that_no_path_has_here_is_passed_over(bundle: Path, there: Site, tmp_path: Path) -> None:
    def rename(one: EntryRecord) -> EntryRecord:
        return msgspec.structs.replace(one, key="loose/a b", snapshot="")

    forged = Forged(members_of(bundle)).with_list("entries", _first_entry(rename))
    taken = await there.take(pack(tmp_path / "f.tar.zst", forged.members), unsigned=True)
    assert taken.tally.told == ["shelf/loose/a b: passed over: this repository serves no such path"]


# --- broken off -------------------------------------------------------------------------------------------------------

KILLED = """
import asyncio, os, signal, sys, threading
from pathlib import Path
from tests.mirror.bundles.site import Site
from entrepot.storage.filesystem import FilesystemBlobs

left, turn = int(sys.argv[3]), threading.Lock()

class Dying(FilesystemBlobs):
    def adopt(self, path, sha256):
        global left
        with turn:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return super().adopt(path, sha256)

async def main():
    site = Site(directory=Path(sys.argv[1]))
    site.importer._kit = site.works.kit.__class__(
        fetcher=site.fetcher, blobs=Dying(site.directory), catalog=site.catalog, clock=site.clock,
        limits=site.works.limits)
    await site.take(Path(sys.argv[2]), unsigned=True)

asyncio.run(main())
"""


@pytest.mark.anyio
@pytest.mark.parametrize("adopted", [0, 2])
async def test_an_import_that_was_killed_is_finished_by_the_next(bundle: Path, tmp_path: Path, adopted: int) -> None:
    directory = tmp_path / "there"
    assert _import_and_die(directory, bundle, adopted) == -signal.SIGKILL
    (staging,) = (directory / "import").iterdir()
    waiting = {file.name for file in (staging / "blobs").iterdir()}
    assert len(waiting) == len(GOODS) - adopted
    inodes = {file.name: file.stat().st_ino for file in (staging / "blobs").iterdir()}
    there = Site(directory=directory)
    taken = await there.take(bundle, unsigned=True)
    assert taken.complete
    assert await there.holds()
    # What was put aside before the end is what is stored now: it was not written again.
    kept = {blob for blob, inode in inodes.items() if _inode(there, blob) == inode}
    assert kept == waiting
    assert not list((directory / "import").iterdir())
    await there.close()


def _import_and_die(directory: Path, bundle: Path, adopted: int) -> int:
    command = [sys.executable, "-c", KILLED, str(directory), str(bundle), str(adopted)]
    return subprocess.run(command, cwd=Path(__file__).parents[3], check=False, timeout=50).returncode


def _inode(site: Site, sha256: str) -> int:
    blob = site.works.blobs.open(sha256)
    assert blob is not None
    blob.close()
    return os.stat(blob.path).st_ino


@pytest.mark.anyio
async def test_two_imports_of_one_bundle_do_not_meet(bundle: Path, there: Site, tmp_path: Path) -> None:
    with open_bundle(bundle) as opened:
        directory = there.directory / "import" / opened.digest[:32]
        with (
            stage(opened, directory, lambda record: False, keep=True),
            pytest.raises(BadRequest, match="imported already"),
        ):
            await there.take(bundle, unsigned=True)


@pytest.mark.anyio
async def test_a_dry_run_checks_everything_and_changes_nothing(bundle: Path, there: Site) -> None:
    taken = await there.take(bundle, unsigned=True, dry=True)
    assert sum(sum(one.values()) for one in taken.tally.fates.values()) == len(GOODS) + 1
    assert there.is_empty()
    assert there.book.taken() == []
    assert not list((there.directory / "import").iterdir())
    assert await there.status(ABSENT) == 404


def test_a_bundle_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(EntrepotError), Writer(tmp_path / "none" / "b.tar.zst"):
        pass
    with Writer(tmp_path / "b.tar.zst") as writer:
        writer.add("manifest.json", b"{}")
    assert list(tmp_path.iterdir()) == []


def test_a_header_says_nothing_but_name_and_size() -> None:
    info = tarfile.TarInfo.frombuf(header_of("blobs/" + "0" * 64, 1 << 40), "utf-8", "strict")
    assert (info.size, info.mtime, info.isreg()) == (1 << 40, 0, True)
