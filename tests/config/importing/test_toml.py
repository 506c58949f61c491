"""TOML that is read back as it was."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from entrepot.config.importing.toml import write_toml

TEXTS = st.text()
PLAIN = st.one_of(TEXTS, st.booleans(), st.integers(0, 10**12))
VALUES = PLAIN | st.lists(PLAIN, max_size=3)
TABLES = st.recursive(
    st.dictionaries(TEXTS, VALUES, max_size=3),
    lambda inner: st.dictionaries(
        TEXTS, VALUES | inner | st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), max_size=2), max_size=3
    ),
    max_leaves=8,
)


def without_empty_tables(table: dict[str, object]) -> dict[str, object]:
    """They say nothing, and are not written."""
    cut = {key: without_empty_tables(value) if isinstance(value, dict) else value for key, value in table.items()}
    return {key: value for key, value in cut.items() if value != {}}


def test_what_is_no_text_is_written_as_a_question() -> None:
    assert write_toml({"a": "\ud800"}) == 'a = "?"\n'


@given(TABLES)
def test_what_is_written_is_read_back(tree: dict[str, object]) -> None:
    assert without_empty_tables(tomllib.loads(write_toml(tree))) == without_empty_tables(tree)
