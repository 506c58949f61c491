"""Conditional and range requests against our own representation (RFC 9110 §13, §14). Pure."""

from dataclasses import dataclass
from datetime import datetime

from entrepot.model.headers import parse_http_date, split_list


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The request's fields; empty where absent."""

    if_match: str = ""
    if_none_match: str = ""
    if_modified_since: str = ""
    if_unmodified_since: str = ""
    if_range: str = ""
    range: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes `start` to `end`, `end` excluded; `partial`: as a 206."""

    start: int
    end: int
    partial: bool


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """416."""


def precondition(conditions: Conditions, etag: str, modified: datetime | None) -> int | None:
    """304 or 412 if a precondition says so, in the order of RFC 9110 §13.2.2; for GET and HEAD."""
    if conditions.if_match:
        if not _matches(conditions.if_match, etag, strong=True):
            return 412
    elif conditions.if_unmodified_since and modified is not None:
        limit = parse_http_date(conditions.if_unmodified_since)
        if limit is not None and modified > limit:
            return 412
    if conditions.if_none_match:
        return 304 if _matches(conditions.if_none_match, etag, strong=False) else None
    if conditions.if_modified_since and modified is not None:
        since = parse_http_date(conditions.if_modified_since)
        if since is not None and modified.replace(microsecond=0) <= since:
            return 304
    return None


def _matches(field: str, etag: str, *, strong: bool) -> bool:
    if field.strip() == "*":
        return True
    if not etag or (strong and etag.startswith("W/")):
        return False
    opaque = etag.removeprefix("W/")
    for candidate in split_list(field):
        if strong and candidate.startswith("W/"):
            continue
        if candidate.removeprefix("W/") == opaque:
            return True
    return False


def select_span(
    conditions: Conditions, size: int | None, etag: str, modified: datetime | None
) -> Span | Unsatisfiable | None:
    """Which bytes to send of a representation; None: all of it, as a 200 (also where the size is not known yet).

    A field that is not one simple byte range is ignored, as RFC 9110 §14.2 allows: several ranges get the whole.
    """
    if not conditions.range or size is None or not _range_applies(conditions.if_range, etag, modified):
        return None
    bounds = _parse_range(conditions.range)
    if bounds is None:
        return None
    first, last = bounds
    if first is None:
        if not last:
            return Unsatisfiable()
        if size == 0:
            # The last bytes of nothing can be had (RFC 9110 §14.1.2), but no Content-Range can say so.
            return None
        return Span(max(0, size - last), size, partial=True)
    if first >= size:
        return Unsatisfiable()
    return Span(first, size if last is None else min(last + 1, size), partial=True)


def _range_applies(if_range: str, etag: str, modified: datetime | None) -> bool:
    if not if_range:
        return True
    value = if_range.strip()
    if value.startswith(('"', "W/")):
        # Strong comparison (RFC 9110 §13.1.5): a weak tag on either side never matches.
        return bool(etag) and value == etag and not value.startswith("W/")
    date = parse_http_date(value)
    return date is not None and modified is not None and date == modified.replace(microsecond=0)


def _parse_range(field: str) -> tuple[int | None, int | None] | None:
    unit, equals, spec = field.partition("=")
    if unit.strip().lower() != "bytes" or not equals or "," in spec:
        return None
    first, dash, last = spec.strip().partition("-")
    if not dash or len(first) > 18 or len(last) > 18:
        return None
    if not all(part == "" or (part.isascii() and part.isdigit()) for part in (first, last)):
        return None
    if first and last and int(last) < int(first):
        return None
    if not first and not last:
        return None
    return (int(first) if first else None), (int(last) if last else None)
