"""An order as it is kept: a row for what is small, and files for its papers."""

import hashlib
import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from entrepot.errors import StoreFailure
from entrepot.mirror.bundles.archive import sync_directory
from entrepot.model.order import MirrorOrder, Paper, PaperKind
from entrepot.model.selection import Extent

DIRECTORY: Final = "mirror"
"""Below the data directory."""
REHEARSAL: Final = "rehearsal-"
"""How directories of rehearsals begin, which are beside those of jobs."""
ABANDONED_SECONDS: Final = 86400.0
MOST_PURLS: Final = 100
"""Of more of them a paper is made: the row of a job is written anew each time that something of it is counted."""


class PaperNote(msgspec.Struct, frozen=True, array_like=True):
    kind: PaperKind
    name: str
    sha256: str


class OrderNote(msgspec.Struct, frozen=True, kw_only=True):
    """An order without the bodies of its papers."""

    purls: tuple[str, ...] = ()
    papers: tuple[PaperNote, ...] = ()
    trees: tuple[str, ...] = ()
    extent: Extent = msgspec.field(default_factory=Extent)
    repositories: tuple[str, ...] = ()
    concurrency: int | None = None
    validate: bool = False


_decode = msgspec.msgpack.Decoder(OrderNote).decode
encode_order = msgspec.msgpack.Encoder().encode


def compact(order: MirrorOrder) -> MirrorOrder:
    """The same order, with many package URLs as a paper."""
    if len(order.purls) <= MOST_PURLS:
        return order
    # A text in which nothing is replaced is not copied: there may be very many.
    body = "\n".join(purl.replace("\n", " ") for purl in order.purls).encode(errors="replace")
    listed = Paper(kind=PaperKind.PURLS, name=f"{len(order.purls)} package URLs", body=body)
    return replace(order, purls=(), papers=(listed, *order.papers))


def note_of(order: MirrorOrder) -> OrderNote:
    return OrderNote(
        purls=order.purls,
        papers=tuple(PaperNote(one.kind, one.name, hashlib.sha256(one.body).hexdigest()) for one in order.papers),
        trees=order.trees,
        extent=order.extent,
        repositories=order.repositories,
        concurrency=order.concurrency,
        validate=order.validate,
    )


def order_note(body: bytes) -> OrderNote:
    """Raises StoreFailure."""
    try:
        return _decode(body)
    except msgspec.MsgspecError as error:
        raise StoreFailure(f"catalog: unreadable order of a mirror job: {error}") from error


def digest_of(note: OrderNote, client: str, repositories: Collection[str] | None) -> str:
    """The same for two orders of one client of which one would do nothing that the other does not: each client sees
    its own jobs only."""
    allowed = None if repositories is None else sorted(repositories)
    return hashlib.sha256(msgspec.msgpack.encode((note, client, allowed))).hexdigest()


class Dossiers:
    """The papers of all jobs, in a directory for each. Reads and writes files: call it in a thread."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def place(self, job: str, number: int) -> Path:
        return self.directory / job / str(number)

    def room(self, job: str) -> Path:
        """Of a file for what was read of the papers. Raises StoreFailure."""
        self._make(job)
        return self.directory / job / "read"

    def keep(self, job: str, papers: Collection[Paper]) -> None:
        """On the disk when it returns: the job's row will be. Raises StoreFailure."""
        if not papers:
            return
        self._make(job)
        try:
            for number, paper in enumerate(papers):
                with self.place(job, number).open("wb") as file:
                    file.write(paper.body)
                    file.flush()
                    os.fsync(file.fileno())
            for directory in (self.directory / job, self.directory):
                sync_directory(directory)
        except OSError as error:
            self.drop(job)
            raise StoreFailure(f"the papers of a mirror job cannot be stored: {error.strerror}") from error

    def _make(self, job: str) -> None:
        try:
            (self.directory / job).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreFailure(f"no directory can be made for a mirror job: {error.strerror}") from error

    def drop(self, job: str) -> None:
        shutil.rmtree(self.directory / job, ignore_errors=True)

    def old(self, now: float) -> list[str]:
        """The names of directories that nothing was put into for a day. `now` in seconds since the epoch."""
        if not self.directory.is_dir():
            return []
        found = []
        for one in self.directory.iterdir():
            with suppress(FileNotFoundError):
                if now - one.stat().st_mtime > ABANDONED_SECONDS:
                    found.append(one.name)
        return found
