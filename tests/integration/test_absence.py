"""A 404 while upstream can be asked, and while it cannot: upstream's word stands, an outage is never one."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.goods import TARBALL
from tests.clients.shop import HOUR, STOCKS, Shop, open_shop

WEEK = 7 * 24 * HOUR
NOWHERE = "go.example/hello/nested/@v/list"


@pytest.fixture
def go(tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        yield open_shop(stack, tmp_path, "golang")


@pytest.fixture
def npm(tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        yield open_shop(stack, tmp_path, "npm")


def test_what_upstream_did_not_have_is_absent_an_hour_later_without_upstream(go: Shop) -> None:
    """The go command asks every prefix of an import path, and takes other versions where one has no clear answer."""
    assert go.get(NOWHERE).status == 404
    go.registry.go_dark()
    go.restart(later=HOUR)
    got = go.get(NOWHERE)
    assert got.status == 404
    assert b"not to be reached now" in got.body


def test_what_nobody_asked_for_is_no_404_during_an_outage(go: Shop) -> None:
    go.registry.go_dark()
    assert go.get(NOWHERE).status in (502, 503)


def test_a_404_is_too_old_to_be_told_again_after_the_stale_window(go: Shop) -> None:
    assert go.get(NOWHERE).status == 404
    go.registry.go_dark()
    go.restart(later=WEEK + HOUR)
    assert go.get(NOWHERE).status in (502, 503)


def test_a_404_is_asked_again_after_the_negative_lifetime(go: Shop) -> None:
    assert go.get(NOWHERE).status == 404
    go.registry.files = {**go.registry.files, f"/{NOWHERE}": ("text/plain", b"v1.0.0\n")}
    go.restart(later=HOUR)
    got = go.get(NOWHERE)
    assert (got.status, got.body) == (200, b"v1.0.0\n")


def test_a_file_that_the_index_lists_by_now_is_no_404_during_an_outage(npm: Shop) -> None:
    assert npm.get(TARBALL.new).status == 404
    npm.registry.files = TARBALL.later(npm.registry.url)
    npm.restart(later=HOUR)
    assert b"1.2.0" in npm.get("left").body
    npm.registry.go_dark()
    assert npm.get(TARBALL.new).status in (502, 503)


def test_what_was_there_and_was_taken_back_is_absent_without_upstream_too(go: Shop) -> None:
    path = "go.example/hello/@v/list"
    assert go.get(path).status == 200
    go.registry.files = {}
    go.restart(later=HOUR)
    assert go.get(path).status == 404
    go.registry.go_dark()
    go.restart(later=2 * HOUR)
    assert go.get(path).status == 404


def test_a_name_that_appeared_before_the_outage_is_served_stale(go: Shop) -> None:
    path = "go.example/hello/@v/list"
    go.registry.files = {}
    assert go.get(path).status == 404
    go.registry.files = STOCKS["golang"](go.registry.url)
    go.restart(later=HOUR)
    assert go.get(path).status == 200
    go.registry.go_dark()
    go.restart(later=2 * HOUR)
    assert go.get(path).status == 200
