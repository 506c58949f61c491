"""What the rogue origin serves while it behaves, and what it saw of a request."""

import hashlib
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from entrepot.model.headers import parse_http_date, split_list

LAST_MODIFIED = "Mon, 05 Jan 2026 10:00:00 GMT"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")


def pattern(size: int, seed: int = 1) -> bytes:
    """`size` bytes that look random and are the same every time."""
    return random.Random(seed).randbytes(size)


class Framing(Enum):
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    body: bytes | Callable[[int], bytes] = b""
    """Or what makes it from the number of the request to this path, counted from 0."""
    status: int = 200
    content_type: str = "application/octet-stream"
    headers: tuple[tuple[str, str], ...] = ()
    etag: str | None = None
    """None: made from the body; empty: no ETag."""
    last_modified: str = LAST_MODIFIED
    """Empty: none."""
    ranges: bool = True
    rate: float | None = None
    """Bytes per second of one answer; None: as fast as it goes."""
    framing: Framing = Framing.LENGTH


@dataclass(slots=True, kw_only=True)
class Seen:
    """One request, as it arrived."""

    method: str
    target: str
    """Exactly as in the request line."""
    headers: Mapping[str, str]
    """Names in lower case; of repeated fields the last."""
    body: bytes
    at: float
    """time.monotonic()."""
    status: int = 0
    sent: int = 0
    """Bytes of body that were written."""
    finished: bool = False
    fields: list[tuple[str, str]] = field(default_factory=list)
    """Every field line in order."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def range(self) -> str:
        return self.headers.get("range", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    fields: list[tuple[str, str]]
    body: memoryview
    start: int
    """Where the body begins in the whole object."""


class Stock:
    """A page and its validator: an ETag of a big body is made once."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked = 0
        self._etag = page.etag
        if page.etag is None and isinstance(page.body, bytes):
            self._etag = _etag(page.body)

    def answer(self, seen: Seen) -> Answer:
        body = self.page.body if isinstance(self.page.body, bytes) else self.page.body(self.asked)
        self.asked += 1
        etag = _etag(body) if self._etag is None else self._etag
        fields = [("Content-Type", self.page.content_type), *self.page.headers]
        if etag:
            fields.append(("ETag", etag))
        if self.page.last_modified:
            fields.append(("Last-Modified", self.page.last_modified))
        if self.page.status != 200:
            return Answer(status=self.page.status, fields=fields, body=memoryview(body), start=0)
        if _is_unchanged(seen, etag, self.page.last_modified):
            return Answer(status=304, fields=fields, body=memoryview(b""), start=0)
        if not self.page.ranges:
            return Answer(status=200, fields=fields, body=memoryview(body), start=0)
        fields.append(("Accept-Ranges", "bytes"))
        return _ranged(seen, body, fields, etag, self.page.last_modified)


def _ranged(seen: Seen, body: bytes, fields: list[tuple[str, str]], etag: str, modified: str) -> Answer:
    condition = seen.headers.get("if-range", "")
    match = _RANGE.match(seen.range)
    whole = Answer(status=200, fields=fields, body=memoryview(body), start=0)
    if not match or match[0] == "bytes=-" or seen.method != "GET" or condition not in ("", etag, modified):
        return whole
    if match[1]:
        start, end = int(match[1]), min(int(match[2] or len(body)), len(body) - 1)
    else:
        start, end = max(0, len(body) - int(match[2])), len(body) - 1
    if start > end:
        return Answer(
            status=416, fields=[*fields, ("Content-Range", f"bytes */{len(body)}")], body=memoryview(b""), start=0
        )
    fields = [*fields, ("Content-Range", f"bytes {start}-{end}/{len(body)}")]
    return Answer(status=206, fields=fields, body=memoryview(body)[start : end + 1], start=start)


def _is_unchanged(seen: Seen, etag: str, modified: str) -> bool:
    tags = seen.headers.get("if-none-match")
    if tags is not None:
        return bool(etag) and etag.removeprefix("W/") in (tag.removeprefix("W/") for tag in split_list(tags))
    since = _moment(seen.headers.get("if-modified-since", ""))
    changed = _moment(modified)
    return since is not None and changed is not None and changed <= since


def _moment(text: str) -> datetime | None:
    return parse_http_date(text) if text else None


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'
