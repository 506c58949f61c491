"""Answers that may be given again at once: matched by the raw request, checked by one comparison of time and
generation, sent from memory or an open file."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from entrepot.cache.answer import Representation
from entrepot.cache.counters import Counts
from entrepot.contracts.blobs import OpenBlob
from entrepot.contracts.trees import Touch
from entrepot.model.entry import Fingerprint

Key = tuple[bytes, bytes, bytes, bytes, bytes]
"""Raw path, query, Host, Accept, Accept-Encoding."""
MOST = 20_000
LARGEST_IN_MEMORY = 2 << 20


@dataclass(slots=True, kw_only=True)
class Hot:
    representation: Representation
    headers: list[tuple[bytes, bytes]]
    """Complete but for Age and Cache-Status."""
    size_bytes: int
    sha256: str
    body: dict[str, Any] | None
    """The whole body's message, where it is small; else the blob is read."""
    blob: OpenBlob | None
    fingerprint: Fingerprint | None
    fresh_until: float
    generation: int
    validated_at: float
    """Seconds since the epoch, moved back by the Age that upstream sent."""
    repository: str
    entry_key: str
    entry_sha256: str
    """Of the stored document behind it (`sha256` may be a rendering's)."""
    counts: Counts
    session_counts: Counts | None
    log_head: str
    """The constant parts of the access log's line."""
    session: str = ""
    """What it is booked to."""
    view: str = ""
    """The frozen session whose set it was made from."""
    touch: Touch | None = None
    """What is to be marked each time; None where nobody looks."""
    second: int = -1
    start: dict[str, Any] = field(default_factory=dict)
    """The response's start, made once a second."""

    def message(self, now: float) -> dict[str, Any]:
        second = int(now)
        if second != self.second:
            self.second = second
            age = b"%d" % max(0, second - int(self.validated_at))
            ttl = "" if self.fresh_until == float("inf") else f"; ttl={int(self.fresh_until - now)}"
            status = f"entrepot; hit{ttl}".encode()
            headers = [*self.headers, (b"age", age), (b"cache-status", status)]
            self.start = {"type": "http.response.start", "status": 200, "headers": headers}
        return self.start

    users: int = 0
    """Sends under way; the open file outlives its place in the memory until they are done."""
    dropped: bool = False

    def release(self) -> None:
        """One send is done."""
        self.users -= 1
        self.close_if_idle()

    def close_if_idle(self) -> None:
        if self.dropped and self.users == 0 and self.blob is not None:
            self.blob.close()
            self.blob = None


class Lent:
    """A hot answer's open file, for the request that made it hot; closing it is releasing it."""

    def __init__(self, hot: Hot, blob: OpenBlob) -> None:
        hot.users += 1
        self._hot = hot
        self.sha256, self.size_bytes, self.path = blob.sha256, blob.size_bytes, blob.path
        self.read_now, self.read, self.fingerprint = blob.read_now, blob.read, blob.fingerprint

    def close(self) -> None:
        self._hot.release()


class HotAnswers:
    """Bounded by number, bytes in memory and open files; the least recently used go first."""

    def __init__(self, memory_bytes: int, open_files: int) -> None:
        self._known: OrderedDict[Key, Hot] = OrderedDict()
        self._memory, self._held = memory_bytes, 0
        self._files, self._open = open_files, 0

    def find(self, key: Key) -> Hot | None:
        return self._known.get(key)

    def used(self, key: Key) -> None:
        # It may have been dropped while it was sent.
        if key in self._known:
            self._known.move_to_end(key)

    def add(self, key: Key, hot: Hot) -> None:
        self.drop(key)
        self._known[key] = hot
        self._held += _weight(hot)
        self._open += hot.blob is not None
        while len(self._known) > 1 and (
            self._held > self._memory or self._open > self._files or len(self._known) > MOST
        ):
            self.drop(next(iter(self._known)))

    def drop(self, key: Key) -> None:
        hot = self._known.pop(key, None)
        if hot is not None:
            self._held -= _weight(hot)
            self._open -= hot.blob is not None
            hot.dropped = True
            hot.close_if_idle()

    def clear(self) -> None:
        for key in list(self._known):
            self.drop(key)


def _weight(hot: Hot) -> int:
    return 2048 + (len(hot.body["body"]) if hot.body is not None else 0)
