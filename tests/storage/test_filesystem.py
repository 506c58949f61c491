"""What only a directory can do, and what can happen to it."""

import errno
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from entrepot.errors import StoreFailure
from entrepot.storage.filesystem import FilesystemBlobs
from tests.contracts.blobs_suite import content, digest_of, opened, store

BODY = b"a wheel"
SHA256 = digest_of(BODY)

WRITER = """
import sys
from pathlib import Path
from entrepot.storage.filesystem import FilesystemBlobs
growing = FilesystemBlobs(Path(sys.argv[1])).create()
growing.append(b"half a body")
print(growing.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def blobs(directory: Path) -> FilesystemBlobs:
    return FilesystemBlobs(directory)


def place_of(directory: Path, sha256: str) -> Path:
    return directory / "blobs" / sha256[:2] / sha256[2:]


def files_below(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if not path.is_dir()]


@contextmanager
def limited(kind: int, limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


@contextmanager
def writer_process(directory: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A process in the middle of writing a blob, and the path it writes to."""
    command = [sys.executable, "-c", WRITER, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_what_somebody_else_wrote_to_a_growing_file_is_stored(blobs: FilesystemBlobs) -> None:
    growing = blobs.create()
    Path(growing.path).write_bytes(BODY)
    assert growing.commit(SHA256).size_bytes == len(BODY)
    assert content(blobs, SHA256) == BODY


def test_an_open_blob_tells_where_it_was_opened(blobs: FilesystemBlobs, directory: Path) -> None:
    store(blobs, BODY)
    blob = opened(blobs, SHA256)
    assert Path(blob.path) == place_of(directory, SHA256)
    blob.close()


def test_a_blob_lies_in_one_of_256_directories(blobs: FilesystemBlobs, directory: Path) -> None:
    store(blobs, BODY)
    assert files_below(directory) == [place_of(directory, SHA256)]


def test_others_on_the_machine_cannot_read_the_store(blobs: FilesystemBlobs, directory: Path) -> None:
    store(blobs, BODY)
    assert {path.stat().st_mode & 0o077 for path in directory.rglob("*")} == {0}


def test_a_malformed_digest_cannot_leave_the_store(blobs: FilesystemBlobs) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        blobs.open("../../etc/passwd")


def test_a_temporary_file_of_another_store_is_not_opened(blobs: FilesystemBlobs, tmp_path: Path) -> None:
    growing = FilesystemBlobs(tmp_path / "other").create()
    assert blobs.open_growing(growing.path) is None
    growing.discard()


def test_a_killed_writers_file_is_tidied(blobs: FilesystemBlobs, directory: Path) -> None:
    with writer_process(directory) as (process, path):
        assert Path(path).read_bytes() == b"half a body"
        process.kill()
        process.wait()
        assert blobs.tidy() == 1
    assert files_below(directory) == []


def test_a_living_writers_file_is_not_tidied(blobs: FilesystemBlobs, directory: Path) -> None:
    with writer_process(directory) as (_, path):
        assert blobs.tidy() == 0
        reader = blobs.open_growing(path)
        assert reader is not None
        assert reader.read(0, 100) == b"half a body"
        reader.close()


def test_tidying_a_store_that_was_never_used_finds_nothing(blobs: FilesystemBlobs) -> None:
    assert blobs.tidy() == 0
    assert blobs.digests() == []


def test_strange_files_are_not_digests(blobs: FilesystemBlobs, directory: Path) -> None:
    store(blobs, BODY)
    (directory / "blobs" / "README").write_text("hello")
    (directory / "blobs" / SHA256[:2] / "notes.txt").write_text("hello")
    (directory / "blobs" / SHA256[:2] / ("0" * 62)).mkdir()
    assert blobs.digests() == [SHA256]


@pytest.mark.parametrize(
    "change",
    [
        lambda place: place.write_bytes(b"A wheel"),
        lambda place: place.write_bytes(b"a whe"),
        lambda place: place.write_bytes(b""),
        lambda place: place.chmod(0),
        lambda place: os.utime(place, ns=(0, 0)),
    ],
    ids=["flipped", "truncated", "emptied", "mode 000", "touched"],
)
def test_a_changed_file_is_missing_or_has_another_fingerprint(
    blobs: FilesystemBlobs, directory: Path, change: Callable[[Path], None]
) -> None:
    stored = store(blobs, BODY)
    change(place_of(directory, SHA256))
    blob = blobs.open(SHA256)
    if blob:
        assert blob.fingerprint() != stored.fingerprint
        blob.close()
    store(blobs, BODY)
    assert content(blobs, SHA256) == BODY


def put_directory(place: Path) -> None:
    place.mkdir()
    (place / "inside").write_text("something")


def put_socket(place: Path) -> None:
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listener:
        # The address of a socket is at most 108 bytes long; that of the place may be longer.
        listener.bind(f"{short}/s")
        os.rename(f"{short}/s", place)


@pytest.mark.parametrize(
    "put",
    [
        put_directory,
        lambda place: place.symlink_to("/etc/hostname"),
        lambda place: place.symlink_to("nowhere"),
        os.mkfifo,
        put_socket,
    ],
    ids=["directory", "symlink", "dangling symlink", "pipe", "socket"],
)
def test_what_stands_in_a_blobs_place_is_not_the_blob_and_gives_way(
    blobs: FilesystemBlobs, directory: Path, put: Callable[[Path], None]
) -> None:
    store(blobs, BODY)
    place_of(directory, SHA256).unlink()
    put(place_of(directory, SHA256))
    assert blobs.open(SHA256) is None
    assert blobs.digests() == []
    stored = store(blobs, BODY)
    assert content(blobs, SHA256) == BODY
    blob = opened(blobs, SHA256)
    assert blob.fingerprint() == stored.fingerprint
    blob.close()


def test_a_file_in_place_of_a_fan_out_directory_gives_way(blobs: FilesystemBlobs, directory: Path) -> None:
    (directory / "blobs").mkdir(parents=True)
    (directory / "blobs" / SHA256[:2]).write_text("something")
    assert blobs.open(SHA256) is None
    assert blobs.remove(SHA256) == 0
    blobs.quarantine(SHA256)
    store(blobs, BODY)
    assert content(blobs, SHA256) == BODY


def test_removing_a_directory_in_a_blobs_place_frees_the_place(blobs: FilesystemBlobs, directory: Path) -> None:
    place_of(directory, SHA256).mkdir(parents=True)
    assert blobs.remove(SHA256) == 0
    assert not place_of(directory, SHA256).exists()


def test_bytes_in_the_page_cache_need_no_waiting(blobs: FilesystemBlobs, directory: Path) -> None:
    store(blobs, BODY)
    descriptor = os.open(place_of(directory, SHA256), os.O_RDONLY)
    try:
        os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT)
    except (OSError, AttributeError) as error:
        pytest.skip(f"this system cannot read without waiting: {error}")
    finally:
        os.close(descriptor)
    blob = opened(blobs, SHA256)
    assert (blob.read_now(0, 4), blob.read_now(4, 100), blob.read_now(100, 4)) == (b"a wh", b"eel", b"")
    blob.close()


def test_quarantine_keeps_the_bytes_for_a_look(blobs: FilesystemBlobs, directory: Path) -> None:
    store(blobs, BODY)
    blobs.quarantine(SHA256)
    (kept,) = (directory / "quarantine").iterdir()
    assert kept.name.startswith(SHA256)
    assert kept.read_bytes() == BODY


def test_a_vanished_temporary_file_fails_the_commit_only(blobs: FilesystemBlobs, directory: Path) -> None:
    growing = blobs.create()
    growing.append(BODY)
    Path(growing.path).unlink()
    with pytest.raises(StoreFailure, match=r"^incoming/.*: No such file"):
        growing.commit(SHA256)
    assert files_below(directory) == []
    store(blobs, BODY)


def test_a_failed_write_names_the_file_and_the_reason(blobs: FilesystemBlobs, directory: Path) -> None:
    growing = blobs.create()
    growing.append(b"0123")
    reader = growing.reader()
    with limited(resource.RLIMIT_FSIZE, 6), pytest.raises(StoreFailure, match=r"^incoming/.*: File too large$"):
        growing.append(b"456789")
    with pytest.raises(StoreFailure, match="a write failed"):
        growing.append(b"now there would be room")
    with pytest.raises(StoreFailure, match="a write failed"):
        growing.commit(SHA256)
    assert reader.read(0, 4) == b"0123"
    reader.close()
    growing.discard()
    assert files_below(directory) == []


def test_a_full_disk_is_a_failure_that_leaves_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "full"
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(directory)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        blobs = FilesystemBlobs(directory)
        growing = blobs.create()
        with pytest.raises(StoreFailure, match=os.strerror(errno.ENOSPC)):
            growing.append(bytes(1 << 20))
        growing.discard()
        assert files_below(directory) == []
        store(blobs, BODY)
        assert content(blobs, SHA256) == BODY
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def test_without_a_free_descriptor_the_store_fails_and_recovers(blobs: FilesystemBlobs) -> None:
    store(blobs, BODY)
    with open(os.devnull) as lowest_free, limited(resource.RLIMIT_NOFILE, lowest_free.fileno()):
        with pytest.raises(StoreFailure, match="Too many open files"):
            blobs.create()
        with pytest.raises(StoreFailure, match="Too many open files"):
            blobs.open(SHA256)
        with pytest.raises(StoreFailure, match="Too many open files"):
            blobs.digests()
    assert content(blobs, SHA256) == BODY


def test_a_place_that_cannot_be_written_fails_with_its_name(tmp_path: Path) -> None:
    # A file where the store should be refuses everybody, root included, as a read-only disk would.
    (tmp_path / "store").write_text("not a directory")
    blobs = FilesystemBlobs(tmp_path / "store")
    with pytest.raises(StoreFailure, match=r"^incoming/.*: Not a directory$"):
        blobs.create()
    with pytest.raises(StoreFailure):
        blobs.probe()
    assert blobs.open(SHA256) is None


def test_a_read_only_store_still_serves(tmp_path: Path) -> None:
    directory = tmp_path / "store"
    store(FilesystemBlobs(directory), BODY)
    bind = ["mount", "--bind", str(directory), str(directory)]
    mounted = subprocess.run(bind, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a directory cannot be mounted read-only here: {mounted.stderr.strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(directory)], check=True)
        blobs = FilesystemBlobs(directory)
        assert content(blobs, SHA256) == BODY
        for attempt in (blobs.create, blobs.probe, lambda: blobs.remove(SHA256), lambda: blobs.quarantine(SHA256)):
            with pytest.raises(StoreFailure, match="Read-only file system"):
                attempt()
    finally:
        subprocess.run(["umount", str(directory)], check=True)


# --- reading is not writing -------------------------------------------------------------------------------------------

READER = """
import sys
from pathlib import Path
from entrepot.storage.filesystem import FilesystemBlobs
blob = FilesystemBlobs(Path(sys.argv[1])).open(sys.argv[2])
print(blob.read(0, 100).decode())
"""


def test_a_read_leaves_the_time_of_access_alone(blobs: FilesystemBlobs, directory: Path) -> None:
    store(blobs, BODY)
    place = place_of(directory, SHA256)
    os.utime(place, ns=(0, place.stat().st_mtime_ns))
    assert opened(blobs, SHA256).read(0, 100) == BODY
    assert place.stat().st_atime_ns == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can give files away")
def test_a_file_of_another_owner_that_may_be_read_is_read(blobs: FilesystemBlobs, directory: Path) -> None:
    store(blobs, BODY)
    place = place_of(directory, SHA256)
    os.chown(place, 65534, 65534)
    place.chmod(0o644)
    without_privilege = ["setpriv", "--bounding-set", "-fowner"]
    command = [*without_privilege, sys.executable, "-c", READER, str(directory), SHA256]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{BODY.decode()}\n"
