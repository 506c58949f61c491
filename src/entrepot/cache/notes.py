"""What leader and followers of one machine tell each other about a flight."""

import msgspec

from entrepot import errors
from entrepot.cache.flight import Head
from entrepot.errors import Absent, EntrepotError, UpstreamBusy, UpstreamFailure, UpstreamStatus
from entrepot.model.headers import Headers

LONGEST_TEXT = 4096
"""Of a failure, in characters: what an upstream or a parser says can be of any length, a note cannot."""

_decode_head = msgspec.msgpack.Decoder(tuple[str, list[tuple[str, str]], str, int | None, str, bool]).decode
_decode_failure = msgspec.msgpack.Decoder(tuple[str, str, bool, int, float]).decode


def head_note(head: Head, path: str) -> bytes:
    """`path` is where the growing bytes can be read."""
    return msgspec.msgpack.encode((path, list(head.headers), head.url, head.total, head.sha256, head.held))


def read_head_note(note: bytes) -> tuple[str, Head]:
    path, headers, url, total, sha256, held = _decode_head(note)
    return path, Head(headers=Headers(headers), url=url, total=total, sha256=sha256, held=held)


def failure_note(error: EntrepotError) -> bytes:
    gone = isinstance(error, Absent) and error.gone
    status = error.upstream_status if isinstance(error, UpstreamStatus) else 0
    seconds = error.seconds if isinstance(error, UpstreamBusy) else 0.0
    return msgspec.msgpack.encode((type(error).__name__, str(error)[:LONGEST_TEXT], gone, status, seconds))


def read_failure_note(note: bytes) -> EntrepotError:
    """The leader's error as the same error here."""
    name, text, gone, status, seconds = _decode_failure(note)
    kind = getattr(errors, name, UpstreamFailure)
    error: EntrepotError = kind.__new__(kind)
    Exception.__init__(error, text)
    if isinstance(error, Absent):
        error.gone = gone
    if isinstance(error, UpstreamStatus):
        error.upstream_status = status
    if isinstance(error, UpstreamBusy):
        error.seconds = seconds
    return error
