"""What the engine answers: a representation, seen through the request's conditions and ranges."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from math import inf

from entrepot.cache.flight import Flight
from entrepot.cache.ranges import Conditions, Span, Unsatisfiable, precondition, select_span
from entrepot.contracts.blobs import OpenBlob
from entrepot.model.entry import Entry
from entrepot.model.headers import http_date


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored blob; whoever sends it closes it."""

    blob: OpenBlob


@dataclass(frozen=True, slots=True)
class Growing:
    """What is still arriving."""

    flight: Flight


@dataclass(frozen=True, slots=True)
class Streamed:
    """Passed through as it arrives; `close` is always to be called."""

    chunks: AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]]


Body = bytes | Stored | Growing | Streamed


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """What there is to send, before anybody asks for a part of it."""

    body: Body
    size_bytes: int | None
    headers: tuple[tuple[str, str], ...]
    """Besides those that are made from the fields below."""
    etag: str = ""
    modified: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Trace:
    """What the access log and the counters want to know of one request."""

    outcome: str = "hit"
    """hit · stale · miss · joined · revalidated · pass · redirected · absent · refused · error"""
    detail: str = ""
    key: str = ""
    upstream: str = ""
    upstream_status: int = 0
    flight: Flight | None = None
    error: str = ""


@dataclass(slots=True, kw_only=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: Body
    span: Span | None = None
    """Of the body, where only a part of it goes."""
    length: int | None = None
    """Body bytes that will follow (with HEAD: would follow); None: not known."""
    trace: Trace = field(default_factory=Trace)
    entry: Entry | None = None
    """The entry behind the whole, fresh answer: it may be given again."""
    fresh_until: float = 0.0
    """Until when (seconds since the epoch) it may be given again without asking anybody; past: stale since then."""
    valid_until: float = inf
    """Until when policy says the same of it (seconds since the epoch)."""
    representation: Representation | None = None


def respond(representation: Representation, conditions: Conditions) -> Answer:
    """The representation as this request is to get it: 200, 206, 304, 412 or 416."""
    headers = list(representation.headers)
    if representation.etag:
        headers.append(("etag", representation.etag))
    if representation.modified is not None:
        headers.append(("last-modified", http_date(representation.modified)))
    verdict = precondition(conditions, representation.etag, representation.modified)
    if verdict is not None:
        _release(representation.body)
        kept = [item for item in headers if not item[0].startswith("content-")]
        return Answer(status=verdict, headers=kept, body=b"", length=0 if verdict == 412 else None)
    size = representation.size_bytes
    span = select_span(conditions, size, representation.etag, representation.modified)
    if isinstance(span, Unsatisfiable):
        _release(representation.body)
        return Answer(status=416, headers=[("content-range", f"bytes */{size}")], body=b"", length=0)
    if size is not None:
        headers.append(("accept-ranges", "bytes"))
    if span is None:
        return Answer(status=200, headers=headers, body=representation.body, length=size, representation=representation)
    headers.append(("content-range", f"bytes {span.start}-{span.end - 1}/{size}"))
    return Answer(status=206, headers=headers, body=representation.body, span=span, length=span.end - span.start)


def release(answer: Answer) -> None:
    """Of an answer that is not sent."""
    _release(answer.body)


def _release(body: Body) -> None:
    if isinstance(body, Stored):
        body.blob.close()


def etag_of(sha256: str, variant: str = "") -> str:
    """Our strong validator: a change of bytes or coding changes it."""
    return f'"{sha256[:40]}{"-" + variant if variant else ""}"'
