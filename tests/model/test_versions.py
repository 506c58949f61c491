"""Version orders."""

from itertools import pairwise

import pytest

from entrepot.model.versions import GO, NATURAL, PEP440, SEMVER, VersionOrder, parse_go_version, parse_semver

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


# --- orders of the ecosystems ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "ascending"),
    [
        (SEMVER, ["0.9.0", "1.0.0-alpha.2", "1.0.0-alpha.10", "1.0.0", "1.0.1+build", "10.0.0"]),
        (GO, [version for version in ASCENDING if not version.startswith("v1.0.0-0")]),
        (PEP440, ["1.dev0", "1a1", "1rc1", "1", "1.0+local", "1.post1", "v1.1", "1!0.1"]),
        (NATURAL, ["0.9", "1.0-beta2", "1.0-rc1", "1.0", "1.0-fix", "1.0.1", "1.9", "1.10", "v2", "2024-01-02"]),
    ],
    ids=lambda value: value.name if isinstance(value, VersionOrder) else "",
)
def test_each_order_puts_its_versions_in_a_row(order: VersionOrder, ascending: list[str]) -> None:
    keys = [order.key(version) for version in ascending]
    assert None not in keys
    known = [key for key in keys if key is not None]
    assert all(lower < higher for lower, higher in pairwise(known))


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (SEMVER, "latest"),
        (SEMVER, "1.2"),
        (GO, "main"),
        (GO, "1.2.3"),
        (GO, "v1.2"),
        (GO, "abcdefabcdef"),
        (PEP440, "2004d-legacy"),
        (PEP440, "1" * 300),
        (NATURAL, "main"),
        (NATURAL, "1" * 300),
        *((order, "") for order in (SEMVER, GO, PEP440, NATURAL)),
    ],
)
def test_what_has_no_place_in_an_order_has_no_key(order: VersionOrder, text: str) -> None:
    assert order.key(text) is None


@pytest.mark.parametrize("order", [SEMVER, GO], ids=lambda order: order.name)
@pytest.mark.parametrize(
    ("text", "means"), [("1", "v1.0.0"), ("v1.2", "v1.2.0"), ("1.2.3-rc1", "v1.2.3-rc1"), ("v1.2.3", "v1.2.3")]
)
def test_a_bound_may_be_short_and_needs_no_v(order: VersionOrder, text: str, means: str) -> None:
    assert order.bound(text) == GO.key(means)


@pytest.mark.parametrize("text", ["", "v", "1-rc1", "1.2.3.4", "~1", "main", "1."])
def test_what_is_not_even_a_short_version_is_no_bound(text: str) -> None:
    assert SEMVER.bound(text) is None


def test_go_takes_no_notice_of_incompatible() -> None:
    assert GO.key("v2.0.0+incompatible") == GO.key("v2.0.0")
