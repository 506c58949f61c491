"""A store with very many entries, made without a download for each: real files, real rows."""

import hashlib
import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from entrepot.catalog import rows
from entrepot.model.entry import Blob, Entry, Fingerprint, Remembered
from tests.campaign.server import Server

BODY_BYTES = 1024
BATCH = 10_000


@dataclass(slots=True)
class Shelf:
    """Entries named by number; each has a body of its own, made from its number."""

    server: Server
    repository: str

    def fill(self, count: int) -> None:
        """Beside the one entry that was stored by a download, which is the model of the others. The server must be
        stopped."""
        catalog = self.server.data / "catalog.db"
        with closing(sqlite3.connect(catalog, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            model = rows.entry_of(connection.execute(f"{rows.FIND_ENTRIES}", (self.repository, "", 1)).fetchone())
            for folder in range(256):
                (self.server.data / "blobs" / f"{folder:02x}").mkdir(exist_ok=True)
            stored = self._store(model, count)
            while batch := list(islice(stored, BATCH)):
                connection.execute("BEGIN")
                for statement, values in batch:
                    connection.execute(statement, values)
                connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _store(self, model: Entry, count: int) -> Iterator[rows.Statement]:
        now = datetime.now(UTC)
        for number in range(count):
            blob = self._write(body_of(number))
            entry = replace(
                model, key=key_of(number), url=f"{model.url}-{number}", sha256=blob.sha256, size_bytes=blob.size_bytes
            )
            seen = Remembered(sha256=blob.sha256, size_bytes=blob.size_bytes, first_seen=now)
            yield rows.put_blob(blob, now.timestamp())
            yield rows.put_entry(entry)
            yield rows.put_remembered(self.repository, entry.key, seen, replace=False)

    def _write(self, body: bytes) -> Blob:
        sha256 = hashlib.sha256(body).hexdigest()
        path = self.server.data / "blobs" / sha256[:2] / sha256[2:]
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, body)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        mark = Fingerprint(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return Blob(sha256=sha256, size_bytes=len(body), fingerprint=mark)


def body_of(number: int) -> bytes:
    return random.Random(number).randbytes(BODY_BYTES)


def key_of(number: int) -> str:
    """Spread, as names are: neighbours in number are not neighbours in the catalog."""
    name = hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()
    return f"pool/{name[:2]}/{name[2:12]}/{name[12:20]}-{number}.bin"


def open_shelf(directory: Path, upstream_configuration: str, repository: str, first: str) -> Shelf:
    """A stopped server with one downloaded entry (`first`, below the repository), ready to be filled."""
    server = Server(directory, upstream_configuration)
    with server.start():
        status, _ = server.get(f"/{repository}{first}")
        assert status == 200
        server.stop()
    return Shelf(server, repository)
