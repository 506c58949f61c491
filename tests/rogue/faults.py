"""Ways to misbehave. All are values; most differ from a good answer in one field."""

import gzip
import itertools
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache

from tests.rogue.page import Framing, Page, pattern

When = Callable[[int, float], bool]
"""Whether a fault strikes, from the number of requests and the seconds since it was set."""


class End(Enum):
    NORMAL = "normal"
    RESET = "reset"
    STALL = "stall"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    end: End = End.NORMAL
    at: int | None = None
    """Where in the object the end comes; negative: counted from its end. An answer that begins behind it is good."""
    seed: int | None = None
    """The end comes anywhere in the answer, by chance."""
    framing: Framing | None = None
    trailing: bytes = b""
    """Sent behind the body, beyond its Content-Length."""
    delay: float = 0.0
    """Seconds before the first byte."""
    drip: float = 0.0
    """Seconds between the bytes of the head."""
    silent: bool = False
    """Takes the request and says nothing."""
    drop: bool = False
    """Takes the request and resets the connection."""
    flip: int | None = None
    """The byte of the object that has a wrong bit."""
    page: Page | None = None
    """Served instead."""
    unchanged: bool = False
    """304 whatever was asked."""
    endless: bool = False
    """The body repeats for ever."""


def reset_at(at: int) -> Fault:
    """RST when so many bytes of the object have been sent (and received)."""
    return Fault(end=End.RESET, at=at)


def reset_anywhere(seed: int) -> Fault:
    return Fault(end=End.RESET, seed=seed)


def stall_at(at: int) -> Fault:
    return Fault(end=End.STALL, at=at)


def close_at(at: int) -> Fault:
    """A clean end of the connection at this offset."""
    return Fault(end=End.CLOSE, at=at)


def short_body(by: int) -> Fault:
    return Fault(end=End.CLOSE, at=-by)


def long_body(trailing: bytes = b"more than was said") -> Fault:
    return Fault(trailing=trailing)


def unending_chunks() -> Fault:
    """All of the body in chunks, but the connection ends without the last chunk."""
    return Fault(end=End.CLOSE, framing=Framing.CHUNKED)


def undelimited_cut(at: int | None = None) -> Fault:
    """A body that only the end of the connection ends, and it ends early (None: in time)."""
    return Fault(end=End.CLOSE, framing=Framing.CLOSE, at=at)


def silence() -> Fault:
    return Fault(silent=True)


def reset_before_answer() -> Fault:
    return Fault(drop=True)


def drip_head(seconds: float = 0.2) -> Fault:
    return Fault(drip=seconds)


def slow_first_byte(seconds: float) -> Fault:
    return Fault(delay=seconds)


def flip_bit(at: int = 0) -> Fault:
    return Fault(flip=at)


def instead(page: Page) -> Fault:
    return Fault(page=page)


def answers(status: int, retry_after: str | int = "", body: bytes = b"no\n") -> Fault:
    """`retry_after` in seconds or as an HTTP date."""
    fields = (("Retry-After", str(retry_after)),) if retry_after != "" else ()
    page = Page(status=status, body=body, content_type="text/plain", headers=fields, etag="", last_modified="")
    return instead(page)


def redirect(to: str, status: int = 302) -> Fault:
    """To its own path, it is a loop."""
    return instead(Page(status=status, headers=(("Location", to),), etag="", last_modified=""))


def login_page() -> Fault:
    body = b"<!doctype html><html><body><form action=/login>Who are you?</form></body></html>"
    return instead(Page(body=body, content_type="text/html", etag="", last_modified=""))


def not_modified() -> Fault:
    return Fault(unchanged=True)


def endless(chunked: bool = True) -> Fault:
    return Fault(endless=True, framing=Framing.CHUNKED if chunked else Framing.CLOSE)


def changing(size: int) -> Fault:
    """Other bytes at every request."""
    numbers = itertools.count(1)
    return instead(Page(body=lambda _: pattern(size, seed=next(numbers))))


def gzip_bomb(size: int = 1 << 30) -> Fault:
    """So many zeros in about a thousandth of it; said to be encoded."""
    return instead(_encoded(_zeros(size)))


def truncated_gzip(body: bytes) -> Fault:
    return instead(_encoded(gzip.compress(body)[:-12]))


def with_rate(fault: Fault, rate: float) -> Fault:
    """The same at so many bytes per second, for a fault that brings its own page."""
    return replace(fault, page=replace(fault.page, rate=rate)) if fault.page else fault


def every(number: int) -> When:
    """Every so many requests, from the first."""
    return lambda asked, _: asked % number == 0


def flapping(up: float, down: float) -> When:
    """Good for `up` seconds, then bad for `down`, and so on."""
    return lambda _, elapsed: elapsed % (up + down) >= up


@cache
def _zeros(size: int) -> bytes:
    packer = zlib.compressobj(level=1, wbits=31)
    pieces = [packer.compress(bytes(min(1 << 20, size - start))) for start in range(0, size, 1 << 20)]
    return b"".join(pieces) + packer.flush()


def _encoded(body: bytes) -> Page:
    return Page(body=body, content_type="application/json", headers=(("Content-Encoding", "gzip"),))
