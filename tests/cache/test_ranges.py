"""Preconditions in the order of RFC 9110 §13.2.2, and byte ranges of RFC 9110 §14."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.cache.ranges import Conditions, Span, Unsatisfiable, precondition, select_span
from entrepot.model.headers import http_date

MODIFIED = datetime(2026, 1, 5, 10, 0, 0, 250000, tzinfo=UTC)
SAME, BEFORE, LATER = (http_date(MODIFIED + timedelta(seconds=seconds)) for seconds in (0, -1, 1))
ETAG = '"abc"'


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        (Conditions(), None),
        # 1. If-Match, by strong comparison.
        (Conditions(if_match='"abc"'), None),
        (Conditions(if_match='"x", "abc"'), None),
        (Conditions(if_match=" * "), None),
        (Conditions(if_match='"x"'), 412),
        (Conditions(if_match='W/"abc"'), 412),
        (Conditions(if_match="abc"), 412),
        # 2. If-Unmodified-Since, only without If-Match.
        (Conditions(if_unmodified_since=BEFORE), 412),
        (Conditions(if_unmodified_since=LATER), None),
        (Conditions(if_unmodified_since="yesterday"), None),
        (Conditions(if_match='"abc"', if_unmodified_since=BEFORE), None),
        # 3. If-None-Match, by weak comparison.
        (Conditions(if_none_match='"abc"'), 304),
        (Conditions(if_none_match='W/"abc"'), 304),
        (Conditions(if_none_match='"x",W/"abc" , "y"'), 304),
        (Conditions(if_none_match="*"), 304),
        (Conditions(if_none_match='"x"'), None),
        (Conditions(if_none_match="abc"), None),
        (Conditions(if_none_match='"x,abc"'), None),
        # 4. If-Modified-Since, only without If-None-Match.
        (Conditions(if_modified_since=SAME), 304),
        (Conditions(if_modified_since=LATER), 304),
        (Conditions(if_modified_since=BEFORE), None),
        (Conditions(if_modified_since="today"), None),
        (Conditions(if_none_match='"x"', if_modified_since=SAME), None),
        # The first that fails decides.
        (Conditions(if_match='"x"', if_none_match='"abc"'), 412),
        (Conditions(if_match='"abc"', if_none_match='"abc"'), 304),
    ],
)
def test_preconditions(conditions: Conditions, status: int | None) -> None:
    assert precondition(conditions, ETAG, MODIFIED) == status


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        (Conditions(if_match='"abc"'), 412),
        (Conditions(if_match="*"), None),
        (Conditions(if_none_match='""'), None),
        (Conditions(if_modified_since=LATER), None),
        (Conditions(if_unmodified_since=BEFORE), None),
    ],
)
def test_preconditions_of_what_has_no_validators(conditions: Conditions, status: int | None) -> None:
    assert precondition(conditions, "", None) == status


def test_a_weak_tag_of_ours_matches_only_weakly() -> None:
    assert precondition(Conditions(if_match='W/"abc"'), 'W/"abc"', None) == 412
    assert precondition(Conditions(if_none_match='"abc"'), 'W/"abc"', None) == 304


def wanted(field: str, size: int | None = 100, **conditions: str) -> Span | Unsatisfiable | None:
    return select_span(Conditions(range=field, **conditions), size, ETAG, MODIFIED)


@pytest.mark.parametrize(
    ("field", "span"),
    [
        ("bytes=0-0", Span(0, 1, partial=True)),
        ("bytes=0-", Span(0, 100, partial=True)),
        ("bytes=10-19", Span(10, 20, partial=True)),
        ("bytes=90-200", Span(90, 100, partial=True)),
        ("bytes=99-99", Span(99, 100, partial=True)),
        ("bytes=-1", Span(99, 100, partial=True)),
        ("bytes=-100", Span(0, 100, partial=True)),
        ("bytes=-1000", Span(0, 100, partial=True)),
        ("BYTES = 1-2", Span(1, 3, partial=True)),
        ("bytes=100-", Unsatisfiable()),
        ("bytes=100-200", Unsatisfiable()),
        ("bytes=-0", Unsatisfiable()),
        ("", None),
        ("bytes", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=5", None),
        ("bytes=9-1", None),
        ("bytes=a-b", None),
        ("bytes=1-2x", None),
        ("bytes=--1", None),
        ("bytes=+1-2", None),
        ("bytes=١-٢", None),
        ("bytes=0-1,5-6", None),
        ("items=0-1", None),
        ("bytes=0-" + "9" * 19, None),
        ("bytes=" + "9" * 19 + "-", None),
    ],
)
def test_ranges(field: str, span: Span | Unsatisfiable | None) -> None:
    assert wanted(field) == span


def test_no_range_of_what_has_no_known_size() -> None:
    assert wanted("bytes=0-1", size=None) is None


def test_nothing_has_no_first_byte_and_its_last_bytes_are_all_of_it() -> None:
    assert wanted("bytes=0-", size=0) == Unsatisfiable()
    assert wanted("bytes=-5", size=0) is None


@pytest.mark.parametrize(
    ("if_range", "applies"),
    [
        ("", True),
        ('"abc"', True),
        (' "abc" ', True),
        ('"x"', False),
        ('W/"abc"', False),
        (SAME, True),
        (LATER, False),
        (BEFORE, False),
        ("garbage", False),
    ],
)
def test_a_range_applies_only_to_the_representation_that_was_meant(if_range: str, applies: bool) -> None:
    span = wanted("bytes=0-0", if_range=if_range)
    assert span == (Span(0, 1, partial=True) if applies else None)


def test_without_a_validator_no_condition_on_a_range_holds() -> None:
    for if_range in ('""', SAME):
        assert select_span(Conditions(range="bytes=0-0", if_range=if_range), 9, "", None) is None


def test_a_weak_tag_of_ours_is_no_condition_for_a_range() -> None:
    assert select_span(Conditions(range="bytes=0-0", if_range='W/"abc"'), 9, 'W/"abc"', None) is None


POSITIONS = st.one_of(st.just(""), st.integers(0, 400).map(str))


@given(first=POSITIONS, last=POSITIONS, size=st.integers(0, 300))
def test_a_selected_span_is_what_was_asked_and_lies_inside_the_size(first: str, last: str, size: int) -> None:
    span = wanted(f"bytes={first}-{last}", size=size)
    body = bytes(range(256)) + bytes(range(44))
    if not isinstance(span, Span):
        return
    assert 0 <= span.start < span.end <= size
    if first:
        assert span.start == int(first)
        assert span.end == min(size, int(last) + 1 if last else size)
    else:
        assert body[:size][span.start : span.end] == body[:size][-int(last) :]


@given(st.text(max_size=30), st.integers(0, 50))
def test_no_field_selects_bytes_outside(field: str, size: int) -> None:
    span = wanted("bytes=" + field, size=size)
    assert not isinstance(span, Span) or 0 <= span.start < span.end <= size
