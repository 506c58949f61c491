"""URL paths as they came over the wire: decoded once, refused where they could mean two things, spelled one way."""

import re
from urllib.parse import quote, unquote_to_bytes

from entrepot.errors import BadRequest

_WIRE = re.compile(r"(?:[!\"$&->@-~]|%[0-9A-Fa-f]{2})*\Z")
_NEVER = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\ud800-\udfff]")
# Some stores read a bare `+` as a space, and a bare `:` can look like a scheme: both are always escaped.
_LITERAL = "!$&'()*,;=@~"


def is_segment(text: str) -> bool:
    """Whether a decoded text can be one segment of a path that never leaves its prefix. Some servers, and Python's
    urljoin, cut off what follows a semicolon before they look for dots (RFC 2396 §3.3)."""
    return bool(text) and text.partition(";")[0] not in (".", "..") and not _NEVER.search(text)


def decode_segment(raw: str) -> str:
    """One path segment, percent-decoded once. Raises BadRequest for what has no single meaning: an empty segment,
    broken escapes, bytes that are not UTF-8, control characters, encoded separators, `.` and `..`."""
    if not _WIRE.match(raw):
        raise BadRequest(f"{raw[:80]!a}: a path may only hold visible ASCII and complete percent escapes")
    try:
        text = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"{raw[:80]}: the escapes in this path are not UTF-8") from error
    if not is_segment(text):
        raise BadRequest(f"{raw[:80]!r}: empty and dot segments, separators and control characters are not served")
    return text


def encode_segment(text: str) -> str:
    """The one spelling that we use for a segment (RFC 3986 §3.3)."""
    return quote(text, safe=_LITERAL)
