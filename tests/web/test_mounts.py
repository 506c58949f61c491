"""Which repository a raw path belongs to."""

import pytest

from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.repository import Repository
from entrepot.contracts.ecosystem import Limits
from entrepot.errors import BadRequest, NotServed
from entrepot.web.mounts import LONGEST_PATH, Mounted, find_mount
from tests.cache.works import Shelf

SHELF = Repository(name="shelf", ecosystem=Shelf(), upstreams=("main",), rules=FreshnessRules(), limits=Limits())
KNOWN = {"shelf": SHELF}


@pytest.mark.parametrize(
    ("raw", "path", "prefix", "session"),
    [
        ("/shelf/a/b", "a/b", "/shelf", ""),
        ("/shelf/", "", "/shelf", ""),
        ("/shelf", "", "/shelf", ""),
        ("/shelf//a", "/a", "/shelf", ""),
        ("/shelf/%2e%2e/a", "%2e%2e/a", "/shelf", ""),
        ("/~abc123/shelf/a", "a", "/~abc123/shelf", "abc123"),
        ("/~" + "a" * 64 + "/shelf/a", "a", "/~" + "a" * 64 + "/shelf", "a" * 64),
    ],
)
def test_the_first_segment_names_the_repository_and_the_rest_is_left_as_it_came(
    raw: str, path: str, prefix: str, session: str
) -> None:
    mounted = find_mount(raw, KNOWN)
    assert isinstance(mounted, Mounted)
    assert (mounted.repository, mounted.path, mounted.prefix, mounted.session) == (SHELF, path, prefix, session)


@pytest.mark.parametrize("raw", ["/", "", "*", "/other/a", "/Shelf/a", "/%73helf/a", "//shelf/a", "/~abc/other/a"])
def test_other_names_are_not_served_and_the_known_ones_are_told(raw: str) -> None:
    with pytest.raises(NotServed, match="/shelf/"):
        find_mount(raw, KNOWN)


def test_a_server_without_repositories_says_that_there_are_none() -> None:
    with pytest.raises(NotServed, match="none"):
        find_mount("/shelf/a", {})


@pytest.mark.parametrize(
    "raw", ["/~/shelf/a", "/~a-b/shelf/a", "/~" + "a" * 65 + "/shelf/a", "/~é/shelf/a", "/~a%20/x"]
)
def test_a_session_has_a_plain_short_name(raw: str) -> None:
    with pytest.raises(BadRequest):
        find_mount(raw, KNOWN)


def test_a_path_has_a_longest_length() -> None:
    find_mount("/shelf/" + "a" * (LONGEST_PATH - 7), KNOWN)
    with pytest.raises(BadRequest):
        find_mount("/shelf/" + "a" * (LONGEST_PATH - 6), KNOWN)
