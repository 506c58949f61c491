"""Ranges of npm, compared with what node-semver says of them (tests/corpus/npm/ranges.cjs asked it)."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from entrepot.ecosystems.npm_ranges import parse_range, parse_version

TABLE = json.loads((Path(__file__).parents[1] / "corpus" / "npm" / "ranges.json").read_text())
SIGNS = st.text(alphabet="0123459xX*.-+^~<>=| vab\t", max_size=40)


def test_each_range_admits_what_node_semver_admits_in_it() -> None:
    versions = [parse_version(text) for text in TABLE["versions"]]
    said, wrong = 0, []
    for text, wanted in TABLE["ranges"].items():
        found = parse_range(text)
        admitted = [place for place, one in enumerate(versions) if found and one and found.admits(one)]
        said += len(versions)
        if (None if found is None else admitted) != wanted:
            wrong.append(text)
    assert wrong == []
    assert said > 40_000


@given(SIGNS, SIGNS)
def test_no_text_is_too_odd_to_be_read(range_text: str, version_text: str) -> None:
    found, version = parse_range(range_text), parse_version(version_text)
    if found and version:
        assert found.admits(version) in (True, False)


@given(st.tuples(*[st.integers(0, 9)] * 3), st.tuples(*[st.integers(0, 9)] * 3))
def test_a_caret_keeps_the_first_number_that_is_not_zero(low: tuple[int, ...], other: tuple[int, ...]) -> None:
    caret, version = parse_range(f"^{'.'.join(map(str, low))}"), parse_version(".".join(map(str, other)))
    place = next((place for place, number in enumerate(low) if number), 2)
    assert caret
    assert version
    assert caret.admits(version) == (other >= low and other[: place + 1] == low[: place + 1])


def test_a_text_that_is_too_long_is_no_range() -> None:
    assert parse_range("^1 || " * 2000) is None
    assert parse_version("1" * 5000) is None
