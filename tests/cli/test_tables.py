import pytest

from entrepot.cli.tables import count_text, share_text, size_text, table


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (812, "812 B"),
        (1023, "1.0 KiB"),
        (3_565_158, "3.4 MiB"),
        (102_400, "100 KiB"),
        (1 << 30, "1.0 GiB"),
        (5 << 50, "5120 TiB"),
    ],
)
def test_sizes_are_told_with_about_three_digits(size_bytes: int, text: str) -> None:
    assert size_text(size_bytes) == text


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(0, "request", "0 requests"), (1, "miss", "1 miss"), (2, "miss", "2 misses"), (3, "entry", "3 entries")],
)
def test_counts_agree_with_their_noun(number: int, noun: str, text: str) -> None:
    assert count_text(number, noun) == text


@pytest.mark.parametrize(("part", "whole", "text"), [(0, 0, "-"), (0, 5, "0 %"), (999, 1000, "99 %"), (5, 5, "100 %")])
def test_a_share_is_all_only_when_it_is(part: int, whole: int, text: str) -> None:
    assert share_text(part, whole) == text


def test_columns_are_aligned() -> None:
    assert table([("name", "size"), ("a", "10"), ("longer", "7")]) == [
        "name    size",
        "a         10",
        "longer     7",
    ]
