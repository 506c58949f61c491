"""What lies in a data directory, looked at from outside."""

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.waiting import eventually


@dataclass(slots=True)
class StoreCheck:
    """Reads every stored file once, and again only when it changed."""

    data: Path
    _right: dict[tuple[str, int, int], bool] = field(default_factory=dict)

    def temporary(self) -> list[str]:
        incoming = self.data / "incoming"
        return sorted(path.name for path in incoming.iterdir()) if incoming.exists() else []

    def wrong_blobs(self) -> list[str]:
        """Stored files whose bytes are not what their name says."""
        return [
            name
            for path in self.data.glob("blobs/*/*")
            if not self._is_right(path, name := path.parent.name + path.name)
        ]

    def broken_entries(self) -> list[str]:
        """Entries without a sound file behind them."""
        return [
            f"{repository}/{key}"
            for repository, key, sha256, size in self.entries()
            if not self._is_sound(sha256, size)
        ]

    def entries(self) -> list[tuple[str, str, str, int]]:
        """Repository, key, sha256 and size of each."""
        with closing(sqlite3.connect(f"file:{self.data / 'catalog.db'}?mode=ro", uri=True)) as catalog:
            rows = catalog.execute(
                "SELECT repository, key, sha256, size_bytes FROM entries WHERE sha256 != x''"
            ).fetchall()
        return [(repository, key, sha256.hex(), size) for repository, key, sha256, size in rows]

    def wait_for_entries(self, number: int) -> bool:
        """Until there are so many."""
        return eventually(lambda: len(self.entries()) >= number)

    def blob(self, sha256: str) -> Path:
        return self.data / "blobs" / sha256[:2] / sha256[2:]

    def _is_sound(self, sha256: str, size: int) -> bool:
        path = self.blob(sha256)
        return path.is_file() and path.stat().st_size == size and self._is_right(path, sha256)

    def _is_right(self, path: Path, sha256: str) -> bool:
        status = path.stat()
        known = (sha256, status.st_ino, status.st_mtime_ns)
        if known not in self._right:
            self._right[known] = hashlib.sha256(path.read_bytes()).hexdigest() == sha256
        return self._right[known]
