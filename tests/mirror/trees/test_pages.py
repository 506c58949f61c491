"""Directory pages of ours: what upstream listed last, what of it is held, for browsers and for programs."""

import json
from pathlib import Path

import pytest

from entrepot.cache.freshness import FreshnessRules
from entrepot.errors import NotCached
from entrepot.model.folder_pages import form_of
from tests.cache.works import until
from tests.fakes import Reply
from tests.mirror.trees.forest import Forest, Leaf, Orchard, html, planted, tree

pytestmark = pytest.mark.anyio
OFFLINE = FreshnessRules(network="offline")


async def test_z_15_a_folder_is_json_or_html_as_it_is_asked_for(forest: Forest) -> None:
    page = await forest.ask("sub/", "application/json")
    fields = dict(page.headers)
    assert (fields["content-type"], fields["vary"]) == ("application/json", "Accept")
    assert {one["name"]: one["type"] for one in json.loads(page.body)} == {"b.txt": "file", "deep": "directory"}  # type: ignore[arg-type]
    browsed = await forest.ask("sub/", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
    assert dict(browsed.headers)["content-type"] == "text/html; charset=utf-8"
    assert b'<a href="./deep/">deep/</a>' in await forest.get("sub/")


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "html"),
        ("*/*", "html"),
        ("application/json", "json"),
        ("text/html, application/json;q=0.9", "html"),
        ("application/json, text/html;q=0.9", "json"),
        ("application/json;q=nonsense", "html"),
    ],
)
def test_z_15_what_an_accept_field_asks_for(accept: str, form: str) -> None:
    assert form_of(accept) == form


async def test_z_16_a_walked_folder_is_shown_offline_and_marks_what_is_not_held(forest: Forest) -> None:
    assert await forest.names() == {"a.txt": False, "sub": False}
    await forest.get("a.txt")
    await forest.background.settle(10)
    assert await forest.names() == {"a.txt": True, "sub": False}
    assert b"b.txt</a>  Thu, 01 Jan 2026 00:00:00 GMT  18  (not held)" in await forest.get("sub/")
    await forest.walk()
    async with planted(forest.directory, forest.orchard, rules=OFFLINE, clock=forest.clock) as alone:
        forest.orchard.asked_for()
        assert await alone.names() == {"a.txt": True, "sub": True}
        assert await alone.names("sub/deep/") == {"c.txt": True}
        assert alone.orchard.asked_for() == []


async def test_z_16_a_folder_that_nobody_visited_is_an_outage_and_no_absence(forest: Forest) -> None:
    async with planted(forest.directory, forest.orchard, rules=OFFLINE) as alone:
        with pytest.raises(NotCached):
            await alone.ask("sub/")


async def test_z_16_while_upstream_fails_the_last_whole_listing_is_shown(forest: Forest) -> None:
    await forest.get("sub/")
    await forest.background.settle(10)
    forest.clock.advance(86400)
    forest.orchard.says["sub/"] = html("<html><title>Log in</title><input type=password></html>")
    answer = await forest.ask("sub/")
    assert (answer.trace.outcome, answer.status) == ("stale", 200)
    assert b"b.txt" in await forest.get("sub/")


async def test_z_09_a_listing_is_kept_and_w_17_read_before_it_is(forest: Forest) -> None:
    forest.orchard.says["sub/"] = html("<html><body>It works!</body></html>")
    assert await forest.get("sub/") == b"<html><body>It works!</body></html>"
    await forest.background.settle(10)
    assert forest.keys == []
    del forest.orchard.says["sub/"]
    await forest.get("sub/")
    await until(lambda: forest.keys == ["sub/"])


async def test_a_page_is_given_from_here_while_it_is_fresh_and_has_a_validator_of_its_own(forest: Forest) -> None:
    first = await forest.ask("sub/")
    again = await forest.ask("sub/", if_none_match=dict(first.headers)["etag"])
    assert again.status == 304
    assert forest.orchard.asked_for() == ["sub/"]
    await forest.get("sub/b.txt")
    await forest.background.settle(10)
    assert dict((await forest.ask("sub/")).headers)["etag"] != dict(first.headers)["etag"]


async def test_no_name_can_write_markup_into_a_page(tmp_path: Path) -> None:
    orchard = Orchard().grow(
        "%3Cscript%3Ealert(1)%3C%2Fscript%3E.txt".replace("%2F", "%E2%88%95"), "a%22onclick%3D%22x"
    )
    orchard.leaves["time"] = Leaf(b"x", modified="<img src=x onerror=alert(1)>")
    async with planted(tmp_path, orchard) as forest:
        page = await forest.get("")
        assert b"<script" not in page
        assert b"<img" not in page
        assert b'"onclick' not in page


async def test_outside_of_trees_a_folder_is_what_upstream_makes_of_it(tmp_path: Path, orchard: Orchard) -> None:
    orchard.says["sub/"] = html("<html><body>A page about us</body></html>")
    async with planted(tmp_path, orchard, trees=(tree("/other/"),)) as forest:
        assert await forest.get("sub/") == b"<html><body>A page about us</body></html>"
        assert b'"mtime"' in await forest.get("")
    async with planted(tmp_path, orchard, trees=(), listings=True) as forest:
        assert b"Index of /" in await forest.get("")


async def test_an_absent_folder_is_absent(forest: Forest) -> None:
    forest.orchard.says["nowhere/"] = Reply(status=404)
    with pytest.raises(Exception, match="does not exist"):
        await forest.ask("nowhere/")
    with pytest.raises(Exception, match="does not exist"):
        await forest.ask("nowhere/")
    assert forest.orchard.asked_for() == ["nowhere/"]
