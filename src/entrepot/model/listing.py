"""What a client asks who wants to know which versions are stored: Athens's `/index` and `/catalog`."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import parse_qs

from entrepot.errors import BadRequest, MethodRefused
from entrepot.model.resource import Request

MOST_ROWS = 10_000
INDEX_ROWS = 2000
CATALOG_ROWS = 1000
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

# RFC 3339 §5.6; digits beyond the microsecond are cut off, so `since` rather says too much.
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A question and its parameters."""

    kind: Literal["index", "catalog"]
    limit: int
    since: datetime = BEGINNING
    """Index: versions listed then or later."""
    after: tuple[str, str] = ("", "")
    """Catalog: versions behind this package and version."""

    @classmethod
    def at(cls, request: Request, prefix: str = "") -> "Listing | None":
        """The question that a request asks at `index` or `catalog` below a prefix. Raises BadRequest, MethodRefused."""
        name = request.path.removeprefix(prefix) if request.path.startswith(prefix) else ""
        if name not in ("index", "catalog"):
            return None
        if request.method not in ("GET", "HEAD"):
            raise MethodRefused(request.method)
        values = _values_of(request.query)
        if name == "index":
            limit = _count(values, "limit", INDEX_ROWS)
            return cls(kind="index", limit=limit, since=_moment(values.get("since", "")))
        limit = _count(values, "pagesize", CATALOG_ROWS)
        return cls(kind="catalog", limit=limit, after=_place(values.get("token", "")))


def token_of(package: str, version: str) -> str:
    """What names a place in the catalog to whoever reads on from it."""
    return f"{package}@{version}"


def _values_of(query: str) -> dict[str, str]:
    try:
        found = parse_qs(query, keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError as error:
        raise BadRequest(f"the query cannot be read: {error}") from error
    if any(len(values) > 1 for values in found.values()):
        raise BadRequest("a parameter stands twice in the query")
    return {name: values[0] for name, values in found.items()}


def _count(values: dict[str, str], name: str, default: int) -> int:
    text = values.get(name, "")
    if not text:
        return default
    if not _NUMBER.fullmatch(text) or int(text) > MOST_ROWS:
        raise BadRequest(f"{name} = {text[:40]!r}: a number from 1 to {MOST_ROWS} is expected")
    return int(text)


def _moment(text: str) -> datetime:
    if not text:
        return BEGINNING
    found = _TIME.fullmatch(text)
    try:
        if found:
            return datetime.fromisoformat(f"{found[1]}.{found[2] or '0':0<6}{found[3]}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"since = {text[:40]!r} is no time: {error}") from error
    raise BadRequest(f"since = {text[:40]!r}: a time as in RFC 3339 is expected, such as 2026-11-20T12:00:00Z")


def _place(text: str) -> tuple[str, str]:
    package, mark, version = text.rpartition("@")
    if text and not (mark and package and version):
        raise BadRequest(f"token = {text[:80]!r} is none that a catalog of ours gave")
    return package, version
