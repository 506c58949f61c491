"""URL paths as they came over the wire: decoded once, and refused where they could mean two things."""

import re
from urllib.parse import unquote_to_bytes

from entrepot.errors import BadRequest

_WIRE = re.compile(r"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*\Z")
_NEVER = re.compile(r"[\x00-\x1f\x7f-\x9f/\\]")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_LITERAL = _UNRESERVED | frozenset("!$&'()*+,;=:@")
_UNIT = re.compile(r"%[0-9A-Fa-f]{2}|.")


def decode_segment(raw: str) -> str:
    """One path segment, percent-decoded once. Raises BadRequest for what has no single meaning: broken escapes, bytes
    that are not UTF-8, control characters, encoded separators, `.` and `..`."""
    if not _WIRE.match(raw):
        raise BadRequest(f"{raw[:80]!a}: a path may only hold visible ASCII and complete percent escapes")
    try:
        text = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"{raw[:80]}: the escapes in this path are not UTF-8") from error
    if _NEVER.search(text) or text in (".", ".."):
        raise BadRequest(f"{raw[:80]}: dot segments, separators and control characters are not served")
    return text


def normalise_segment(raw: str) -> str:
    """The one spelling of a segment that `decode_segment` accepts (RFC 3986 §6.2.2): what needs no escape has none,
    an escaped reserved character stays escaped (it may mean something else to the origin), hex is upper-case."""
    return "".join(_normalise_unit(unit) for unit in _UNIT.findall(raw))


def _normalise_unit(unit: str) -> str:
    if len(unit) == 1:
        return unit if unit in _LITERAL else f"%{ord(unit):02X}"
    character = chr(int(unit[1:], 16))
    return character if character in _UNRESERVED else unit.upper()
