"""What a frozen session has, and what it leaves out."""

from dataclasses import replace

import pytest

from entrepot.cache.facts import FileFact
from entrepot.cache.frozen import Frozen, plain_key
from entrepot.contracts.sessions import Served, ServedState
from entrepot.errors import Absent, PolicyRefused
from entrepot.model.entry import Entry
from entrepot.model.headers import Headers
from entrepot.model.resource import Kind, Resource, edition_key
from tests.fakes import NOON

ONE, TWO = "1" * 64, "2" * 64


def served(key: str, sha256: str = ONE, version: str = "") -> Served:
    state = ServedState.SERVED if sha256 else ServedState.ABSENT
    return Served(
        session="s", repository="go", key=key, state=state, sha256=sha256, package="m", version=version, served_at=NOON
    )


def file(key: str, *begins: str) -> Resource:
    return Resource(key=key, path=key, kind=Kind.ARTIFACT, begins=begins)


def entry(sha256: str, key: str = "a") -> Entry:
    return Entry(
        repository="go", key=key, sha256=sha256, size_bytes=1, headers=Headers(), url="", upstream="",
        stored_at=NOON, validated_at=NOON,
    )  # fmt: skip


FROZEN = Frozen.of("s", [served("m/v1.zip", version="v1"), served("tile/0"), served("x/y/z"), served("none", "")])


def test_only_what_was_served_passes() -> None:
    FROZEN.check("go/m/v1.zip", file("m/v1.zip"))
    with pytest.raises(PolicyRefused, match="it is not part of session s"):
        FROZEN.check("go/m/v2.zip", file("m/v2.zip"))
    with pytest.raises(Absent):
        FROZEN.check("go/none", file("none"))
    with pytest.raises(PolicyRefused):
        FROZEN.check("go/m/v1.zip", replace(file("m/v1.zip"), kind=Kind.PASS))


def test_what_can_be_cut_off_a_longer_file_that_was_served_passes() -> None:
    assert FROZEN.has(file("tile/0.p/5", "tile/0"))
    assert not FROZEN.has(file("tile/1.p/5", "tile/1"))


def test_folders_are_named_where_something_in_them_was_served() -> None:
    assert [key for key in ("x/", "x/y/", "x/y/z", "x/y", "x/y/z/", "w/", "xx/") if FROZEN.names(key)] == [
        "x/",
        "x/y/",
        "x/y/z",
    ]


def test_files_are_left_out_one_by_one_and_bare_versions_where_nothing_of_them_was_served() -> None:
    facts = {
        "m/v1.zip": FileFact("", "", package="m", version="v1", name="v1.zip"),
        "m/v1.tar": FileFact("", "", package="m", version="v1", name="v1.tar"),
        " v1": FileFact("", "", package="m", version="v1"),
        " v2": FileFact("", "", package="m", version="v2"),
    }
    assert {key: refusal.status for key, refusal in FROZEN.left_out(facts)} == {"m/v1.tar": 403, " v2": 403}


def test_a_file_counts_with_the_bytes_that_were_served_and_what_changes_as_it_was() -> None:
    tile, index = file("tile/0"), Resource(key="list", path="list", kind=Kind.INDEX)
    assert FROZEN.chosen(tile, None, entry(ONE)) == entry(ONE)
    assert FROZEN.chosen(tile, None, entry(TWO)) is None
    assert FROZEN.chosen(index, entry(TWO, "list ~s"), entry(ONE)) == entry(TWO, "list ~s")
    assert FROZEN.chosen(index, None, entry(ONE)) == entry(ONE)


def test_what_upstream_took_back_since_is_still_there() -> None:
    gone = replace(entry(ONE), gone_at=NOON)
    assert FROZEN.chosen(file("tile/0"), None, gone) == entry(ONE)


@pytest.mark.parametrize("key", ["a/b", "left-pad application/json", "left-pad application/json; q=1"])
def test_the_key_of_a_copy_or_a_former_edition_tells_what_it_is_of(key: str) -> None:
    assert plain_key(FROZEN.copy_of(key)) == plain_key(edition_key(key, 12)) == plain_key(key) == key
