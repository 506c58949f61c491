"""Clients that use us as their HTTP proxy."""

import base64
from dataclasses import replace

import pytest

from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.repository import Repository
from entrepot.contracts.ecosystem import Limits
from entrepot.errors import BadRequest, NotServed
from entrepot.web.forward import Archive, Forward, proxy_user_of
from entrepot.web.mounts import Mounted, find_mount
from tests.cache.works import Shelf

DEBIAN = Repository(name="deb", ecosystem=Shelf(), upstreams=("main",), rules=FreshnessRules(), limits=Limits())
OTHER = replace(DEBIAN, name="other")
WAY = Forward(
    {
        "deb.example": (Archive(repository=DEBIAN, path="/debian"), Archive(repository=OTHER, path="/more")),
        "all.example:81": (Archive(repository=OTHER, path=""),),
    }
)


def mount(path: str, host: str, user: str = "") -> Mounted:
    mounted = find_mount(path, {"deb": DEBIAN, "other": OTHER}, (WAY,), "", host, user)
    assert isinstance(mounted, Mounted)
    return mounted


@pytest.mark.parametrize(
    ("path", "host", "repository", "rest"),
    [
        ("/debian/dists/x/InRelease", "deb.example", "deb", "dists/x/InRelease"),
        ("/debian/%2b//a", "deb.example", "deb", "%2b//a"),
        ("/more/a", "deb.example", "other", "a"),
        ("/deb/a", "all.example:81", "other", "deb/a"),
        ("/~jane.doe/dists/x", "all.example:81", "other", "~jane.doe/dists/x"),
        ("/@home/dists/x", "all.example:81", "other", "@home/dists/x"),
        ("/deb/a", "localhost", "deb", "a"),
    ],
)
def test_what_is_below_an_upstreams_address_is_in_its_repository(
    path: str, host: str, repository: str, rest: str
) -> None:
    mounted = mount(path, host)
    assert (mounted.repository.name, mounted.path) == (repository, rest)


@pytest.mark.parametrize("path", ["/deb/a", "/debianish/a", "/"])
def test_other_paths_of_such_a_host_are_not_served(path: str) -> None:
    with pytest.raises(NotServed, match=r"http://deb\.example/debian/"):
        mount(path, "deb.example")


def test_the_user_of_the_proxy_is_the_session() -> None:
    assert mount("/debian/a", "deb.example", "abc1").session == "abc1"
    with pytest.raises(BadRequest):
        mount("/debian/a", "deb.example", "../x")


@pytest.mark.parametrize(
    ("field", "user"),
    [
        ("Basic " + base64.b64encode(b"abc1:").decode(), "abc1"),
        ("basic " + base64.b64encode(b"abc1").decode(), "abc1"),
        ("Bearer abc1", ""),
        ("Basic ###", ""),
        ("", ""),
    ],
)
def test_the_user_is_told_as_apt_tells_it(field: str, user: str) -> None:
    assert proxy_user_of(field) == user
