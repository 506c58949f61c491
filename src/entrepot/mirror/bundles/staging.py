"""A bundle is read to its last byte, and every byte checked, before anything of it is taken over.

What was checked is put aside on the way, so that an import that was broken off need not write it again.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from entrepot.errors import BadRequest, StoreFailure, UnreadableBundle
from entrepot.mirror.bundles.archive import Reader, sync_directory
from entrepot.mirror.bundles.records import (
    LINE_BYTES,
    LISTS,
    MANIFEST,
    MANIFEST_BYTES,
    SIGNATURE,
    SIGNATURE_BYTES,
    TEXT_BYTES,
    TEXTS,
    AnyRecord,
    BlobRecord,
    EntryRecord,
    GenerationRecord,
    Manifest,
    Part,
    decode,
    decode_manifest,
    encode,
)
from entrepot.mirror.bundles.scratch import Scratch

_R = TypeVar("_R", bound=AnyRecord)
_TABLES = (
    "blobs (sha256 TEXT PRIMARY KEY, size_bytes INTEGER)",
    "members (repository TEXT, root TEXT, key TEXT, line BLOB, PRIMARY KEY (repository, root, key))",
)
_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A bundle of which the manifest and its signature were read."""

    reader: Reader
    manifest: Manifest
    body: bytes
    """The manifest as it stands there."""
    signature: bytes
    """Empty: it is not signed."""

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


@contextmanager
def open_bundle(path: Path) -> Iterator[Opened]:
    """Raises BadRequest where there is no such file, UnreadableBundle, StoreFailure."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise BadRequest(f"{path}: {error.strerror}") from error
    with file, _failing(path.name):
        reader = Reader(file)
        body = reader.read_small(MANIFEST, MANIFEST_BYTES)
        signature = reader.read_small(SIGNATURE, SIGNATURE_BYTES) if reader.has_next(SIGNATURE) else b""
        yield Opened(reader=reader, manifest=decode_manifest(body), body=body, signature=signature)


class Staged:
    """A bundle that was checked from its first to its last byte, as it lies in its directory."""

    def __init__(self, directory: Path, opened: Opened, scratch: Scratch) -> None:
        self.directory, self._scratch = directory, scratch
        self.manifest, self.digest = opened.manifest, opened.digest

    def records(self, name: str, kind: type[_R]) -> Iterator[_R]:
        """Those of a list, in order. Raises UnreadableBundle."""
        with self.list_path(name).open("rb") as file:
            yield from _records_in(file, name, kind)

    def members(self, generation: GenerationRecord) -> Iterator[EntryRecord]:
        """The entries of a group that are in the bundle, its root among them."""
        found = "SELECT line FROM members WHERE repository = ? AND root = ? ORDER BY key"
        for (line,) in self._scratch.rows(found, generation.repository, generation.root):
            yield decode(bytes(line), EntryRecord, "entries")  # type: ignore[arg-type]

    def list_path(self, name: str) -> Path:
        return self.directory / f"{name}.jsonl"

    def blob_path(self, sha256: str) -> Path:
        return self.directory / "blobs" / sha256

    def remove(self) -> None:
        shutil.rmtree(self.directory)


@contextmanager
def stage(opened: Opened, directory: Path, holds: Callable[[BlobRecord], bool], *, keep: bool) -> Iterator[Staged]:
    """Check all of it, and put aside what the store does not hold; with `keep` off the bodies are only checked. The
    directory is this bundle's and may hold what an earlier attempt left. Takes long: to be entered in a thread.

    Raises UnreadableBundle with the name of what is wrong, StoreFailure, BadRequest where another import is at it.
    """
    with _failing(directory.name), _alone(directory), Scratch.open(directory / "scratch.db", *_TABLES) as scratch:
        staged = Staged(directory, opened, scratch)
        _check_room(opened.manifest, directory, keep=keep)
        for name in TEXTS:
            _read_text(opened, name)
        for name in LISTS:
            _stage_list(opened, name, staged.list_path(name))
        _check_lists(staged, scratch)
        staged.blob_path("").mkdir(exist_ok=True)
        for record in staged.records("blobs", BlobRecord):
            _stage_blob(opened.reader, record, staged.blob_path(record.sha256), keep=keep and not holds(record))
        opened.reader.finish()
        sync_directory(staged.blob_path(""))
        yield staged


def _check_room(manifest: Manifest, directory: Path, *, keep: bool) -> None:
    """Sizes are told before anything is written: a bundle that claims more than there is room for stops here."""
    wanted = sum(part.size_bytes for part in manifest.lists.values()) + (manifest.bodies_bytes if keep else 0)
    there = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
    free = shutil.disk_usage(directory).free + there
    if wanted > free:
        raise StoreFailure(f"the bundle needs {wanted} bytes beside the store, and {free} are free")


def _read_text(opened: Opened, name: str) -> None:
    part = opened.manifest.texts[name]
    if part.size_bytes > TEXT_BYTES:
        raise UnreadableBundle(f"{name}: {part.size_bytes} bytes are more than the {TEXT_BYTES} that it may have")
    running = hashlib.sha256()
    for chunk in opened.reader.chunks(name, part.size_bytes):
        running.update(chunk)
    _agree(name, running.hexdigest(), part.sha256)


def _stage_list(opened: Opened, name: str, path: Path) -> None:
    part = opened.manifest.lists[name]
    _write(opened.reader.chunks(path.name, part.size_bytes), path, path.name, part.sha256)


def _stage_blob(reader: Reader, record: BlobRecord, path: Path, *, keep: bool) -> None:
    name = f"blobs/{record.sha256}"
    chunks = reader.chunks(name, record.size_bytes)
    if keep and not path.exists():
        _write(chunks, path, name, record.sha256)
        return
    running = hashlib.sha256()
    for chunk in chunks:
        running.update(chunk)
    _agree(name, running.hexdigest(), record.sha256)


def _write(chunks: Iterator[bytes], path: Path, name: str, sha256: str) -> None:
    """Under its name there is only ever the whole, checked, synced file."""
    running, partial = hashlib.sha256(), path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        for chunk in chunks:
            running.update(chunk)
            file.write(chunk)
        _agree(name, running.hexdigest(), sha256)
        file.flush()
        os.fdatasync(file.fileno())
    partial.replace(path)


def _agree(name: str, got: str, wanted: str) -> None:
    if got != wanted:
        raise UnreadableBundle(f"{name}: it was changed: wanted sha256:{wanted}, found sha256:{got}")


# --- lists ------------------------------------------------------------------------------------------------------------


def _check_lists(staged: Staged, scratch: Scratch) -> None:
    """Each sorted and as long as the manifest says; every entry's body is there."""
    for name, kind in LISTS.items():
        _check_order(staged.list_path(name), name, kind, staged.manifest.lists[name])
    blobs = ((one.sha256, one.size_bytes) for one in staged.records("blobs", BlobRecord))
    scratch.put("INSERT INTO blobs VALUES (?, ?)", blobs)
    for entry in staged.records("entries", EntryRecord):
        _check_body(entry, scratch)
        if entry.snapshot:
            row = (entry.repository, entry.snapshot, entry.key, encode(entry))
            scratch.put("INSERT INTO members VALUES (?, ?, ?, ?)", [row])
    told, found = staged.manifest.bodies_bytes, 0
    for (size_bytes,) in scratch.rows("SELECT coalesce(sum(size_bytes), 0) FROM blobs"):
        found = int(size_bytes)
    if told != found:
        raise UnreadableBundle(f"{MANIFEST}: it tells of {told} bytes of bodies, and the lists of {found}")


def _check_order(path: Path, name: str, kind: type[AnyRecord], part: Part) -> None:
    before: tuple[str, ...] = ()
    lines = 0
    with path.open("rb") as file:
        for record in _records_in(file, name, kind):
            if record.order <= before:
                raise UnreadableBundle(f"{name}.jsonl: line {lines + 1} does not come behind the one before it")
            before, lines = record.order, lines + 1
    if lines != part.lines:
        raise UnreadableBundle(f"{name}.jsonl: it has {lines} lines and not the {part.lines} that the manifest tells")


def _check_body(entry: EntryRecord, scratch: Scratch) -> None:
    known = "SELECT 1 FROM blobs WHERE sha256 = ? AND size_bytes = ?"
    if entry.sha256 and not scratch.has(known, entry.sha256, entry.size_bytes):
        raise UnreadableBundle(f"entries.jsonl: {entry.repository}/{entry.key} has a body that is not in the bundle")


def _records_in(file: BinaryIO, name: str, kind: type[_R]) -> Iterator[_R]:
    number = 0
    while line := file.readline(LINE_BYTES):
        number += 1
        if not line.endswith(b"\n"):
            raise UnreadableBundle(f"{name}.jsonl: line {number} has no end, or is too long")
        yield decode(line[:-1], kind, f"{name}.jsonl: line {number}")


# --- the directory ----------------------------------------------------------------------------------------------------


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (directory / "lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadRequest("this bundle is being imported already") from error
        yield


@contextmanager
def _failing(subject: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreFailure(f"{error.filename or subject}: {error.strerror or error}") from error
