"""Content codings of indexes, undone within their limits."""

import gzip
from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from entrepot.cache.decoding import decoder_of
from entrepot.errors import BadContent, TooBig

MIB = 1 << 20
CODINGS = pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("zstd", zstd.compress)])


def _decoded(coding: str, data: bytes, cap: int, step: int = 10_000) -> bytes:
    decoder = decoder_of(coding, "an index", cap)
    found = b"".join(
        piece for start in range(0, len(data), step) for piece in decoder.decode(data[start : start + step])
    )
    decoder.finish()
    return found


@CODINGS
def test_a_document_comes_out_as_it_went_in(coding: str, pack: Callable[[bytes], bytes]) -> None:
    body = b"".join(b"%d," % number for number in range(500_000))
    assert _decoded(coding, pack(body), len(body)) == body
    assert _decoded(coding, pack(body) + pack(b"more"), 2 * len(body)) == body + b"more"


@CODINGS
def test_a_document_beyond_the_cap_is_refused(coding: str, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(TooBig, match="larger than 999 bytes"):
        _decoded(coding, pack(b"a" * 1000), 999)


@CODINGS
def test_what_is_made_to_burst_is_refused_long_before_the_cap(coding: str, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(TooBig, match="a bomb"):
        _decoded(coding, pack(bytes(64 * MIB)), 512 * MIB)


@CODINGS
def test_a_short_document_may_expand_as_much_as_it_likes(coding: str, pack: Callable[[bytes], bytes]) -> None:
    assert _decoded(coding, pack(bytes(16 * MIB)), 512 * MIB) == bytes(16 * MIB)


@CODINGS
def test_a_document_without_its_end_is_refused(coding: str, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BadContent):
        _decoded(coding, pack(b"a document" * 100)[:-3], MIB)


def test_a_coding_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(BadContent):
        decoder_of("br", "an index", MIB)


@CODINGS
@given(parts=st.lists(st.binary(max_size=200), min_size=1, max_size=4), step=st.integers(1, 64))
def test_pieces_of_any_size_and_several_streams_in_a_row_are_one_document(
    coding: str, pack: Callable[[bytes], bytes], parts: list[bytes], step: int
) -> None:
    data = b"".join(map(pack, parts))
    assert _decoded(coding, data, MIB, step) == b"".join(parts)


@CODINGS
def test_a_stream_that_ends_where_a_piece_ends_is_followed_by_the_next(
    coding: str, pack: Callable[[bytes], bytes]
) -> None:
    first = pack(b"one")
    assert _decoded(coding, first + pack(b"two"), MIB, step=len(first)) == b"onetwo"


@CODINGS
@given(data=st.binary(max_size=100))
def test_garbage_is_told_as_such(coding: str, pack: Callable[[bytes], bytes], data: bytes) -> None:
    try:
        found = _decoded(coding, data, MIB)
    except BadContent:
        return
    assert len(found) <= MIB


def test_what_is_not_coded_only_has_a_cap() -> None:
    for coding in ("", "identity"):
        assert _decoded(coding, b"abc", 3) == b"abc"
        with pytest.raises(TooBig):
            _decoded(coding, b"abcd", 3)
