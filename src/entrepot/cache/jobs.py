"""What can be done by another process: jobs as plain, picklable values, from file to file."""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from entrepot.contracts.blobs import OpenBlob
from entrepot.errors import EntrepotError
from entrepot.model.entry import Fingerprint
from entrepot.model.release import Document

AWAY_BYTES = 512 << 10
"""Documents from this size on keep whoever reads them busy for longer than hits may wait."""

PIECE_BYTES = 64 << 10
"""Of what is read and written at once: some kernels let nobody else go on while they copy."""

T_co = TypeVar("T_co", covariant=True)


class Unable(Exception):
    """Not to be done by another process: whoever asked does it himself."""


class Overwhelmed(Unable):
    """Other processes ended over it, or did not end: whoever does it himself may fare no better."""


class Job(Protocol[T_co]):
    """Picklable, and so is what it returns."""

    def run(self) -> T_co:
        """Raises EntrepotErrors, Unable, and OSError for files that cannot be read or written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A document by the file that holds it."""

    path: str
    fingerprint: Fingerprint
    content_type: str
    url: str
    upstream: str
    key: str

    @contextmanager
    def document(self) -> Iterator[Document]:
        """Raises Unable where the path leads to another file by now."""
        with open(self.path, "rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            now = Fingerprint(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            if now != self.fingerprint:
                raise Unable(f"{self.path} is another file now")
            yield Document(
                body=_read(file),
                content_type=self.content_type,
                url=self.url,
                upstream=self.upstream,
                key=self.key,
            )


def _read(file: io.FileIO) -> io.BytesIO:
    body = io.BytesIO()
    while piece := file.read(PIECE_BYTES):
        body.write(piece)
    body.seek(0)
    return body


def paper_of(blob: OpenBlob, document: Document) -> Paper:
    """Raises Unable where no other process can open this blob."""
    fingerprint = blob.fingerprint()
    if not blob.path or fingerprint is None:
        raise Unable(f"{document.url} is in no file")
    return Paper(
        path=blob.path,
        fingerprint=fingerprint,
        content_type=document.content_type,
        url=document.url,
        upstream=document.upstream,
        key=document.key,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A file that a job wrote."""

    sha256: str
    size_bytes: int


def write(path: str, body: bytes) -> Written:
    """Fill a file that is there already. Raises OSError."""
    with open(os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC), "wb", buffering=0) as file:
        rest = memoryview(body)
        while rest:
            rest = rest[file.write(rest[:PIECE_BYTES]) :]
        # Whoever stores it must do so too, and then finds it done.
        os.fdatasync(file.fileno())
    return Written(sha256=hashlib.sha256(body).hexdigest(), size_bytes=len(body))


@dataclass(frozen=True, slots=True)
class Failure:
    """An EntrepotError on its way between processes: unpickled as it is, its text would be made once more."""

    kind: type[EntrepotError]
    args: tuple[object, ...]
    fields: dict[str, object]

    @classmethod
    def of(cls, error: EntrepotError) -> "Failure":
        return cls(type(error), error.args, error.__dict__)

    def error(self) -> EntrepotError:
        error = self.kind.__new__(self.kind)
        error.args = self.args
        error.__dict__.update(self.fields)
        return error
