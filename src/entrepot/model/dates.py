"""Days and moments as people write them in settings and addresses. Days are UTC's."""

import re
from datetime import UTC, datetime, timedelta

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(?:[Zz]|[+-]\d{2}:\d{2})\Z", re.ASCII)


def start_of(text: str) -> datetime:
    """The first moment of a day ("2026-08-01"), or the moment that is written (RFC 3339). Raises ValueError."""
    if _DAY.match(text):
        return datetime.fromisoformat(f"{text}T00:00:00+00:00")
    if _MOMENT.match(text):
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    raise ValueError(f'{text!r} is no date; write "2026-08-01", or a moment with its zone, "2026-08-01T12:00:00Z"')


def end_of(text: str) -> datetime:
    """The last moment of a day, or the moment that is written. Raises ValueError."""
    start = start_of(text)
    return start + timedelta(days=1, microseconds=-1) if _DAY.match(text) else start
