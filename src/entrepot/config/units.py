"""How durations and sizes are written ("5m", "64MiB"), and the types of settings that hold them."""

import re
from datetime import date, datetime
from math import inf
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from entrepot.model.dates import end_of, start_of

_SECONDS: Final = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_BYTES: Final = {
    "TiB": 1 << 40, "GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10,
    "TB": 10**12, "GB": 10**9, "MB": 10**6, "KB": 10**3, "B": 1,
}  # fmt: skip
_NUMBER_UNIT: Final = re.compile(r"(\d+(?:\.\d+)?)([A-Za-z]+)\Z", re.ASCII)

DURATION_HELP: Final = 'write a number and a unit, such as "30s", "5m", "1.5h" or "7d" (ms, s, m, h, d, w), or "0"'
LONGEST_AGE: Final = 100 * 365 * 86400.0
"""Seconds; beyond it dates have no years."""
SIZE_HELP: Final = 'write a number and a unit, such as "64MiB" or "10GB" (B, KB, MB, GB, TB, KiB, MiB, GiB, TiB)'


def parse_duration(value: object) -> float:
    """Seconds; "forever" is infinite. Raises ValueError, which says how to write it."""
    if value == "forever":
        return inf
    return _parse(value, _SECONDS, f"no duration; {DURATION_HELP}")


def parse_age(value: object) -> float:
    """Seconds that something can be old. Raises ValueError, which says how to write it."""
    seconds = parse_duration(value)
    if seconds > LONGEST_AGE:
        raise ValueError(f'{value!r} is older than anything; write up to 36500d, or mode = "deny" to refuse everything')
    return seconds


def parse_size(value: object) -> int:
    """Bytes. Raises ValueError, which says how to write it."""
    return round(_parse(value, _BYTES, f"no size; {SIZE_HELP}"))


def parse_backoff(value: object) -> tuple[float, float]:
    """First and longest pause in seconds, from "30s..5m". Raises ValueError, which says how to write it."""
    first, dots, last = value.partition("..") if isinstance(value, str) else ("", "", "")
    if not dots:
        raise ValueError(f'{value!r} is no range of durations; write the first and the longest, such as "30s..5m"')
    pauses = parse_duration(first), parse_duration(last)
    if pauses[0] > pauses[1]:
        raise ValueError(f"{value!r} ends before it starts; write the shorter duration first")
    return pauses


def _parse(value: object, units: dict[str, float] | dict[str, int], complaint: str) -> float:
    if value in ("0", 0) and value is not False:
        return 0.0
    match = _NUMBER_UNIT.match(value) if isinstance(value, str) else None
    factor = units.get(match[2]) if match else None
    if not match or factor is None:
        raise ValueError(f"{value!r} is {complaint}")
    return float(match[1]) * factor


def format_duration(seconds: float) -> str:
    """The shortest spelling that `parse_duration` reads back."""
    if seconds == inf:
        return "forever"
    return _format(seconds, _SECONDS)


def format_size(size_bytes: float) -> str:
    """The shortest spelling that `parse_size` reads back."""
    return _format(size_bytes, _BYTES)


def _format(value: float, units: dict[str, float] | dict[str, int]) -> str:
    for unit, factor in units.items():
        if unit != "w" and value and value % factor == 0:
            return f"{value / factor:.0f}{unit}"
    # Fractions of the smallest unit end here.
    unit, factor = list(units.items())[-1]
    return f"{value / factor:g}{unit}" if value else "0"


def format_backoff(pauses: tuple[float, float]) -> str:
    return f"{format_duration(pauses[0])}..{format_duration(pauses[1])}"


def _size_or_off(value: object) -> int | None:
    return None if value == "off" else parse_size(value)


def _duration_or_upstream(value: object) -> float | None:
    return None if value == "upstream" else parse_duration(value)


def _rule_lifetime(value: object) -> float | Literal["upstream"]:
    return "upstream" if value == "upstream" else parse_duration(value)


def _format_lifetime(value: float | Literal["upstream"] | None) -> str | None:
    return value if value is None or value == "upstream" else format_duration(value)


def _date_text(value: object) -> str:
    """TOML has dates of its own."""
    return value.isoformat() if isinstance(value, date) else str(value)


def _start_of_day(value: object) -> datetime:
    return start_of(_date_text(value))


def _end_of_day(value: object) -> datetime | None:
    return None if value in ("", None) else end_of(_date_text(value))


def _written(kind: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "title": kind, "examples": [example]})


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    _written("duration", "5m"),
]
"""Seconds."""

Age = Annotated[
    float,
    BeforeValidator(parse_age),
    PlainSerializer(format_duration, return_type=str),
    _written("duration", "3d"),
]
"""Seconds, finite."""

Lifetime = Annotated[
    float | None,
    BeforeValidator(_duration_or_upstream),
    PlainSerializer(lambda value: "upstream" if value is None else format_duration(value), return_type=str),
    _written('duration or "upstream"', "5m"),
]
"""Seconds; None: what upstream says."""

Backoff = Annotated[
    tuple[float, float],
    BeforeValidator(parse_backoff),
    PlainSerializer(format_backoff, return_type=str),
    _written("range of durations", "30s..5m"),
]
"""First and longest pause, in seconds."""

Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str),
    _written("size", "64MiB"),
]
"""Bytes."""

SizeOrOff = Annotated[
    int | None,
    BeforeValidator(_size_or_off),
    PlainSerializer(lambda value: "off" if value is None else format_size(value), return_type=str),
    _written('size or "off"', "10GB"),
]
"""Bytes; None: no limit."""

RuleLifetime = Annotated[
    float | Literal["upstream"] | None,
    BeforeValidator(_rule_lifetime),
    PlainSerializer(_format_lifetime, return_type=str | None),
    _written('duration or "upstream"', "5m"),
]
"""Seconds, or what upstream says; None: unset."""

StartOfDay = Annotated[
    datetime,
    BeforeValidator(_start_of_day),
    PlainSerializer(lambda value: value.isoformat(), return_type=str),
    _written("date", "2026-08-01"),
]
"""A day stands for its first moment."""

EndOfDay = Annotated[
    datetime | None,
    BeforeValidator(_end_of_day),
    PlainSerializer(lambda value: value.isoformat() if value else "", return_type=str),
    _written("date", "2026-08-01"),
]
"""A day stands for its last moment; empty: none."""
