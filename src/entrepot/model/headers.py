"""HTTP header fields: a small map, dates and directives (RFC 9110, RFC 9111)."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime


class Headers:
    """Header fields in order; names are lower-case; repeated ones are joined on reading (RFC 9110 §5.3)."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = tuple((name.lower(), value) for name, value in items)

    def get(self, name: str, default: str = "") -> str:
        """The value of a field, repeated lines joined with ", "."""
        values = [value for key, value in self._items if key == name]
        return ", ".join(values) if values else default

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self._items)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._items == other._items

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        return f"Headers({list(self._items)!r})"

    def replaced(self, changes: Iterable[tuple[str, str]]) -> "Headers":
        """These fields, where each field named in `changes` has only the values given there."""
        new = [(name.lower(), value) for name, value in changes]
        names = {name for name, _ in new}
        return Headers([*(item for item in self._items if item[0] not in names), *new])


def parse_http_date(text: str) -> datetime | None:
    """An HTTP date in any of the three forms of RFC 9110 §5.6.7, in UTC; or None."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def parse_directives(text: str) -> dict[str, str]:
    """Cache-Control directives, names lower-case; the first of a repeated one counts (RFC 9111 §4.2.1)."""
    found: dict[str, str] = {}
    for part in split_list(text):
        name, _, value = part.partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return found


def split_list(text: str) -> list[str]:
    """The members of a comma list; a comma in a quoted string does not separate."""
    return [part.strip() for part in _split_list(text) if part.strip()]


def _split_list(text: str) -> Iterator[str]:
    start, quoted = 0, False
    for position, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            yield text[start:position]
            start = position + 1
    yield text[start:]
