"""The lists of a bundle: one record a line, sorted, written to files beside the work."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import msgspec

from entrepot.cache.repository import Repository
from entrepot.contracts.bundles import BundleBook
from entrepot.contracts.fetcher import Fetcher
from entrepot.errors import StoreFailure
from entrepot.mirror.bundles.records import (
    LISTS,
    AnyRecord,
    BlobRecord,
    EntryRecord,
    GenerationRecord,
    OwnerRecord,
    Part,
    PinRecord,
    ReadingRecord,
    RememberedRecord,
    SightingRecord,
    encode,
)
from entrepot.mirror.bundles.scratch import Scratch

_GROUPS = (
    "SELECT DISTINCT groups.line, groups.repository, groups.root FROM entries CROSS JOIN groups"
    " ON groups.repository = entries.repository AND groups.root = entries.snapshot"
    " WHERE entries.snapshot <> '' ORDER BY groups.repository, groups.root"
)


class Lists:
    def __init__(self, book: BundleBook, fetcher: Fetcher, repositories: Mapping[str, Repository]) -> None:
        self._book, self._fetcher, self._repositories = book, fetcher, repositories

    def write(self, scratch: Scratch, names: Sequence[str], directory: Path) -> dict[str, Part]:
        """`LIST.jsonl` for each list, about what is in the scratch. `names`: of the repositories, in order. Raises
        StoreFailure."""
        records: Mapping[str, Iterable[AnyRecord]] = {
            "blobs": _blobs(scratch),
            "entries": _entries(scratch, "SELECT line FROM entries ORDER BY repository, key"),
            "generations": _generations(scratch),
            "owners": self._owners(scratch, names),
            "pins": self._pins(scratch, names),
            "readings": self._readings(scratch, names),
            "remembered": self._remembered(scratch, names),
            "sightings": self._sightings(scratch, names),
        }
        return {name: _write(directory / f"{name}.jsonl", records[name]) for name in LISTS}

    def _owners(self, scratch: Scratch, names: Sequence[str]) -> Iterator[OwnerRecord]:
        for name in names:
            known = self._repositories[name].upstreams
            for package, upstream in self._book.owners(name):
                if upstream in known and _has_package(scratch, name, package):
                    base = self._fetcher.base_url(upstream)
                    yield OwnerRecord(repository=name, package=package, upstream=upstream, base=base)

    def _pins(self, scratch: Scratch, names: Sequence[str]) -> Iterator[PinRecord]:
        for name in names:
            for key in self._book.pinned(name):
                if _has_entry(scratch, name, key):
                    yield PinRecord(repository=name, key=key)

    def _readings(self, scratch: Scratch, names: Sequence[str]) -> Iterator[ReadingRecord]:
        for name in names:
            for place, read_at in self._book.readings(name):
                if _has_entry(scratch, name, place):
                    yield ReadingRecord(repository=name, place=place, read_at=read_at)

    def _remembered(self, scratch: Scratch, names: Sequence[str]) -> Iterator[RememberedRecord]:
        for name in names:
            for key, one in self._book.remembered(name):
                if _has_entry(scratch, name, key):
                    yield RememberedRecord(
                        repository=name,
                        key=key,
                        sha256=one.sha256,
                        size_bytes=one.size_bytes,
                        first_seen=one.first_seen,
                    )

    def _sightings(self, scratch: Scratch, names: Sequence[str]) -> Iterator[SightingRecord]:
        for name in names:
            for one in self._book.sightings(name):
                if _has_package(scratch, name, one.package):
                    yield SightingRecord(
                        repository=name,
                        package=one.package,
                        version=one.version,
                        place=one.place,
                        first_seen=one.first_seen,
                    )


def _blobs(scratch: Scratch) -> Iterator[BlobRecord]:
    for sha256, size_bytes in scratch.rows("SELECT sha256, size_bytes FROM blobs ORDER BY sha256"):
        yield BlobRecord(sha256=str(sha256), size_bytes=int(size_bytes))


def _entries(scratch: Scratch, statement: str) -> Iterator[EntryRecord]:
    for line, *_ in scratch.rows(statement):
        yield msgspec.json.decode(cast(bytes, line), type=EntryRecord)


def _generations(scratch: Scratch) -> Iterator[GenerationRecord]:
    for root in _entries(scratch, _GROUPS):
        yield GenerationRecord(
            repository=root.repository, root=root.key, sha256=root.sha256, published_at=root.stored_at
        )


def _has_entry(scratch: Scratch, repository: str, key: str) -> bool:
    return scratch.has("SELECT 1 FROM entries WHERE repository = ? AND key = ?", repository, key)


def _has_package(scratch: Scratch, repository: str, package: str) -> bool:
    return scratch.has("SELECT 1 FROM packages WHERE repository = ? AND package = ?", repository, package)


def _write(path: Path, records: Iterable[AnyRecord]) -> Part:
    running, size_bytes, lines = hashlib.sha256(), 0, 0
    try:
        with path.open("xb") as file:
            for record in records:
                line = encode(record) + b"\n"
                file.write(line)
                running.update(line)
                size_bytes, lines = size_bytes + len(line), lines + 1
    except OSError as error:
        raise StoreFailure(f"{path.name}: {error.strerror or error}") from error
    return Part(sha256=running.hexdigest(), size_bytes=size_bytes, lines=lines)
