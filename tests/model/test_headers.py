"""Header fields, HTTP dates and directives."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.model.headers import Headers, http_date, parse_directives, parse_http_date, split_list

MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


def test_names_are_found_in_lower_case_and_repeated_fields_are_joined() -> None:
    headers = Headers([("Vary", "Accept"), ("ETag", '"1"'), ("VARY", "Accept-Encoding")])
    assert headers.get("vary") == "Accept, Accept-Encoding"
    assert headers.get("etag") == '"1"'
    assert "etag" in headers
    assert "ETag" not in headers
    assert list(headers) == [("vary", "Accept"), ("etag", '"1"'), ("vary", "Accept-Encoding")]


def test_an_absent_field_has_the_default() -> None:
    assert Headers().get("age") == ""
    assert Headers().get("age", "0") == "0"


def test_an_empty_field_is_there() -> None:
    assert "age" in Headers([("age", "")])
    assert Headers([("age", "")]).get("age", "0") == ""


def test_headers_are_values() -> None:
    one, same, other = Headers([("A", "1")]), Headers([("a", "1")]), Headers([("a", "2")])
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != [("a", "1")]
    assert repr(one) == "Headers([('a', '1')])"


def test_replaced_fields_have_only_their_new_values() -> None:
    headers = Headers([("a", "1"), ("b", "1"), ("a", "2")])
    assert headers.replaced([("A", "3"), ("c", "1"), ("a", "4")]) == Headers(
        [("b", "1"), ("a", "3"), ("c", "1"), ("a", "4")]
    )


@pytest.mark.parametrize(
    "text", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_the_three_forms_of_a_date_are_read(text: str) -> None:
    assert parse_http_date(text) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "tomorrow",
        "Sun, 99 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Fri, 31 Dec 9999 23:59:59 -0100",
        "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +999999",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_http_date(text) is None


@given(st.text(max_size=40))
def test_no_text_makes_a_date_that_cannot_be_written(text: str) -> None:
    moment = parse_http_date(text)
    assert moment is None or http_date(moment).endswith("GMT")


@given(st.integers(0, 253_000_000_000))
def test_a_written_date_is_read_again(seconds: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    assert parse_http_date(http_date(moment)) == moment


def test_a_date_is_written_in_gmt() -> None:
    assert http_date(MOMENT.astimezone(timezone(timedelta(hours=2)))) == "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("text", "directives"),
    [
        ("", {}),
        (" , no-store,", {"no-store": ""}),
        ("no-cache", {"no-cache": ""}),
        ("Max-Age=5, PUBLIC", {"max-age": "5", "public": ""}),
        ('max-age="5" , private="a, b"', {"max-age": "5", "private": "a, b"}),
        ("max-age=1, max-age=2", {"max-age": "1"}),
        ("max-age = 7", {"max-age": "7"}),
    ],
)
def test_directives(text: str, directives: dict[str, str]) -> None:
    assert parse_directives(text) == directives


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("", []),
        (" , ,", []),
        ("a,b", ["a", "b"]),
        ('"a,b", W/"c"', ['"a,b"', 'W/"c"']),
        ('"open, to the end', ['"open, to the end']),
    ],
)
def test_lists(text: str, members: list[str]) -> None:
    assert split_list(text) == members
