"""Durations and sizes."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.config.units import (
    format_backoff,
    format_duration,
    format_size,
    parse_backoff,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        (0, 0.0),
        ("250ms", 0.25),
        ("30s", 30.0),
        ("5m", 300.0),
        ("1.5h", 5400.0),
        ("7d", 604800.0),
        ("2w", 1209600.0),
        ("forever", inf),
    ],
)
def test_a_duration_is_read_as_seconds(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", 300, True, False, None, "5 m", "-5m", "5M", "5min", "m", "1h30m", "5m ", "٥m"]
)
def test_an_unreadable_duration_is_refused_with_how_to_write_it(text: object) -> None:
    with pytest.raises(ValueError, match='write a number and a unit, such as "30s"'):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("0", 0), ("1B", 1), ("64KiB", 65536), ("64MiB", 64 << 20), ("10GB", 10**10), ("1.5KiB", 1536)],
)
def test_a_size_is_read_as_bytes(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "64", 64, "64mb", "64 MiB", "MiB", "-1B", "forever", "64M"])
def test_an_unreadable_size_is_refused_with_how_to_write_it(text: object) -> None:
    with pytest.raises(ValueError, match='write a number and a unit, such as "64MiB"'):
        parse_size(text)


def test_a_range_of_durations_is_read_as_first_and_longest() -> None:
    assert parse_backoff("30s..5m") == (30.0, 300.0)


@pytest.mark.parametrize("text", ["30s", "30s-5m", 30, "..", "30s..", "5m..30s"])
def test_an_unreadable_range_of_durations_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_backoff(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_what_is_printed_reads_back_as_the_same_value(number: int) -> None:
    assert parse_duration(format_duration(float(number))) == number
    assert parse_size(format_size(number)) == number


def test_values_are_printed_in_the_largest_unit_that_fits() -> None:
    assert [format_duration(value) for value in (0.0, 0.2, 90.0, 604800.0, inf)] == [
        "0",
        "200ms",
        "90s",
        "7d",
        "forever",
    ]
    assert [format_size(value) for value in (0, 1000, 1024, 64 << 20)] == ["0", "1KB", "1KiB", "64MiB"]
    assert format_backoff((30.0, 300.0)) == "30s..5m"
