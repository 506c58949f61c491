"""Path segments: one meaning, one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import BadRequest
from entrepot.model.paths import decode_segment, encode_segment, is_segment


@pytest.mark.parametrize(
    "raw",
    [
        "",
        ".",
        "..",
        "%2e",
        "%2E%2e",
        ".%2e",
        "..;",
        "..;x=1",
        "%2e%2e%3b",
        "a%2fb",
        "a%2Fb",
        "a%5cb",
        "a\\b",
        "a/b",
        "%00",
        "a%0ab",
        "%7f",
        "%c2%85",
        "%",
        "%2",
        "%zz",
        "a b",
        "é",
        "\x00",
        "\n",
        "%ff",
        "%c0%ae",
        "a#b",
        "a?b",
    ],
)
def test_a_segment_that_could_mean_two_things_is_refused(raw: str) -> None:
    with pytest.raises(BadRequest):
        decode_segment(raw)


@pytest.mark.parametrize(
    ("raw", "text"),
    [("a%20b", "a b"), ("%252e", "%2e"), ("...", "..."), ("a+b", "a+b"), ("%C3%A9", "é"), ("%21a", "!a")],
)
def test_a_segment_is_decoded_exactly_once(raw: str, text: str) -> None:
    assert decode_segment(raw) == text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_what_is_a_segment_survives_encoding(text: str) -> None:
    if is_segment(text):
        assert decode_segment(encode_segment(text)) == text
