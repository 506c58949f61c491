"""Comparisons of versions, and what follows from what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import ConfigError
from entrepot.model.constraints import Constraint, parse_constraint
from entrepot.model.versions import GO, NATURAL, PEP440, SEMVER, VersionOrder

OPERATORS = ["<", "<=", ">", ">=", "=", "!="]
numbers = st.integers(0, 3)
versions = st.builds("{}.{}.{}{}".format, numbers, numbers, numbers, st.sampled_from(["", "-rc1", "-rc2"]))
comparisons = st.builds("{}{}".format, st.sampled_from(OPERATORS), versions)
constraints = st.lists(comparisons, min_size=1, max_size=3).map(", ".join)


def constraint(text: str, order: VersionOrder = SEMVER) -> Constraint:
    return parse_constraint(text, order, "test")


@pytest.mark.parametrize(
    ("text", "version", "admits"),
    [
        ("<1.3.2", "v1.3.1", True),
        ("<1.3.2", "v1.3.2", False),
        # By semver's order: a pre-release comes before its release.
        ("<1.3.2", "v1.3.2-rc1", True),
        (">=1.3.2", "v1.3.2-rc1", False),
        ("<v1.3.2", "v1.3.1", True),
        ("<=1.3.2", "v1.3.2", True),
        (">1.3.2", "v1.3.2", False),
        (">=1.2, <2", "v1.9.0", True),
        (">=1.2,<2", "v2.0.0", False),
        (">=1.2,!=1.4.0", "v1.4.0", False),
        ("=1.4.0", "v1.4.0", True),
        ("1.4.0", "v1.4.0", True),
        ("1.4.0", "v1.4.10", False),
        ("=2.0.0", "v2.0.0+incompatible", True),
        ("<1", "main", None),
        ("<1", "abcdefabcdef", None),
        ("<1", "v1", None),
        ("<1", "", None),
    ],
)
def test_a_go_version_is_compared_by_semver(text: str, version: str, admits: bool | None) -> None:
    assert constraint(text, GO).admits(version) is admits


@pytest.mark.parametrize(
    ("order", "text", "version"),
    [
        (PEP440, ">=1.0rc1,<1.0", "1.0rc2"),
        (PEP440, "=1.0", "1.0.0"),
        (NATURAL, "<1.10", "1.9"),
        (SEMVER, ">1.0.0-alpha", "1.0.0-beta"),
    ],
)
def test_other_ecosystems_have_their_own_order(order: VersionOrder, text: str, version: str) -> None:
    assert constraint(text, order).admits(version) is True


@pytest.mark.parametrize(
    "text", ["", " ", "<", "<1,", ",", "~1.2", "^1", "*", "==1", "=>1", "<1 <2", "main", "<1.2.3.4"]
)
def test_a_bad_constraint_stops_the_start_and_names_its_setting(text: str) -> None:
    with pytest.raises(ConfigError, match=r"rules\[3\]\.version: .* is no constraint: .*semver.* joined by commas"):
        parse_constraint(text, SEMVER, "rules[3].version")


@given(comparisons, versions)
def test_a_comparison_says_what_the_order_says(text: str, version: str) -> None:
    operator = text[:2] if text[1] == "=" else text[0]
    bound, key = SEMVER.key(text.removeprefix(operator)), SEMVER.key(version)
    assert bound is not None
    assert key is not None
    said = {
        "<": key < bound,
        "<=": key <= bound,
        ">": key > bound,
        ">=": key >= bound,
        "=": key == bound,
        "!=": key != bound,
    }
    assert constraint(text).admits(version) is said[operator]


@given(constraints, constraints, versions)
def test_all_comparisons_of_a_constraint_must_hold(one: str, other: str, version: str) -> None:
    both = constraint(one).admits(version) and constraint(other).admits(version)
    assert constraint(f"{one},{other}").admits(version) is both


@given(constraints, constraints, versions)
def test_what_covers_another_admits_whatever_that_one_admits(one: str, other: str, version: str) -> None:
    if constraint(one).covers(constraint(other)) and constraint(other).admits(version):
        assert constraint(one).admits(version)


@pytest.mark.parametrize(
    ("one", "other", "covers"),
    [
        ("<2", "<1", True),
        ("<1", "<2", False),
        ("<2", "<2", True),
        ("<=2", "<2", True),
        ("<2", "<=2", False),
        (">1", ">=1", False),
        (">=1", ">1", True),
        (">=1", ">3,!=4", True),
        ("<2", "=1.5", True),
        ("!=2", "=1.5", True),
        ("<2", ">1", False),
        ("<2,!=1.5", "<2", False),
    ],
)
def test_plain_cases_of_covering_are_found(one: str, other: str, covers: bool) -> None:
    assert constraint(one).covers(constraint(other)) is covers
