"""Days and moments as people write them."""

from datetime import UTC, datetime

import pytest

from entrepot.model.dates import end_of, start_of


def test_a_day_begins_and_ends_in_utc() -> None:
    assert start_of("2026-08-01") == datetime(2026, 8, 1, tzinfo=UTC)
    assert end_of("2026-08-01") == datetime(2026, 8, 1, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-08-01T12:00:00Z", "2026-08-01 14:00+02:00", "2026-08-01t12:00:00.000z"])
def test_a_moment_is_itself(text: str) -> None:
    assert start_of(text) == end_of(text) == datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "20260801", "2026-8-1", "2026-02-30", "2026-08-01T12:00:00", "2026-W31-6", "٢٠٢٦-٠٨-٠١"]
)
def test_anything_else_is_no_date(text: str) -> None:
    with pytest.raises(ValueError, match=r"date|day|month"):
        start_of(text)
