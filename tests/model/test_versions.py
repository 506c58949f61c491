"""Version orders."""

from itertools import pairwise

import pytest

from entrepot.model.versions import parse_go_version, parse_semver

# Semver §11, the specification's own example, and Go's three forms of pseudo-versions among it.
ASCENDING = [
    "v0.0.0-20200101000000-abcdefabcdef",
    "v0.0.0",
    "v1.0.0-0.20200101000000-abcdefabcdef",
    "v1.0.0-1",
    "v1.0.0-2",
    "v1.0.0-10",
    "v1.0.0-alpha",
    "v1.0.0-alpha.1",
    "v1.0.0-alpha.beta",
    "v1.0.0-beta",
    "v1.0.0-beta.2",
    "v1.0.0-beta.11",
    "v1.0.0-rc.1",
    "v1.0.0-rc.1.0.20200101000000-abcdefabcdef",
    "v1.0.0",
    "v1.2.0",
    "v1.10.0",
    "v2.0.0+incompatible",
]


def test_go_versions_have_the_order_of_semver() -> None:
    parsed = [version for text in ASCENDING if (version := parse_go_version(text))]
    assert len(parsed) == len(ASCENDING)
    assert [(low, high) for low, high in pairwise(parsed) if not low < high] == []


def test_build_metadata_does_not_count_in_the_order() -> None:
    one, other = parse_semver("1.0.0+a"), parse_semver("1.0.0+b")
    assert one is not None
    assert other is not None
    assert one.rank == other.rank
    assert one != other


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.0",
        "01.0.0",
        "1.0.00",
        "1.0.0-",
        "1.0.0-01",
        "1.0.0-a..b",
        "1.0.0+",
        "1.0.0 ",
        "1.0.0\n",
        "v1.0.0",
        "9" * 5000 + ".0.0",
        "١.0.0",
    ],
)
def test_what_is_no_complete_semantic_version_is_none(text: str) -> None:
    assert parse_semver(text) is None


@pytest.mark.parametrize("text", ["1.0.0", "v1", "v1.2", "main", "latest", "v1.0.0+meta", "vv1.0.0", "abcdefabcdef"])
def test_what_go_calls_a_query_is_no_version(text: str) -> None:
    assert parse_go_version(text) is None
