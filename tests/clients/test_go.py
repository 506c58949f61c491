"""The go command with its checksum database on."""

import json
from dataclasses import replace

import pytest

from tests.clients.conftest import Opener, Standing
from tests.clients.room import ClientFailed, missing

MINE = "module mine.example/mine\n\ngo 1.20\n"
LOOKUP = "sumdb/sum.example/lookup/go.example/hello@v1.1.0"

with_go = pytest.mark.skipif(bool(missing("go")), reason=missing("go"))


@with_go
def test_gop_10_go_asks_the_checksum_database_through_us_and_nobody_else(opened: Opener) -> None:
    shop = opened("golang")
    room = shop.room()
    room.write("go.mod", MINE)

    room.run("go", "get", "go.example/hello@v1.1.0")

    asked = shop.registry.asked()
    assert "/sumdb/sum.example/supported" in asked
    assert f"/{LOOKUP}" in asked
    assert "/sumdb/sum.example/tile/8/0/000.p/6" in asked
    assert "go.example/hello v1.1.0/go.mod h1:" in room.read("go.sum")


def test_gop_08_what_the_database_signed_arrives_byte_for_byte(standing: Standing) -> None:
    shop = standing["golang"]
    for path in ("sumdb/sum.example/latest", LOOKUP, "sumdb/sum.example/tile/8/0/000.p/6"):
        assert shop.get(path).body == shop.registry.files[f"/{path}"][1]


@with_go
def test_a_forged_lookup_is_refused_by_go_itself(opened: Opener) -> None:
    shop = opened("golang")
    kind, lookup = shop.registry.files[f"/{LOOKUP}"]
    shop.registry.files[f"/{LOOKUP}"] = kind, lookup.replace(b"h1:", b"h1:A", 1)
    room = shop.room()
    room.write("go.mod", MINE)

    with pytest.raises(ClientFailed):
        room.run("go", "get", "go.example/hello@v1.1.0")


@with_go
def test_gop_01_capitals_branches_and_versions_without_module_file(standing: Standing) -> None:
    room = standing["golang"].room()
    room.write("go.mod", MINE)

    assert room.run("go", "list", "-m", "-versions", "go.example/Capital").split() == [
        "go.example/Capital",
        "v1.0.0",
        "v1.1.0-RC1",
    ]
    assert json.loads(room.run("go", "list", "-m", "-json", "go.example/hello@main"))["Version"] == "v1.1.0"
    room.run("go", "get", "go.example/old@v2.0.0+incompatible", "go.example/Capital@v1.1.0-RC1")
    assert "go.example/old v2.0.0+incompatible" in room.read("go.mod")


@with_go
def test_gop_10_go_downloads_cold_what_go_sum_locks_and_asks_for_no_list(opened: Opener) -> None:
    shop = opened("golang")
    first = shop.room()
    first.write("go.mod", MINE)
    first.run("go", "get", "go.example/hello@v1.1.0")

    shop.start_anew()
    second = shop.room()
    for name in ("go.mod", "go.sum"):
        second.write(name, first.read(name))
    second.run("go", "mod", "download")

    assert second.installed() == first.installed()
    assert shop.registry.asked("/list") == []


@with_go
def test_gop_10_go_downloads_without_a_checksum_database_too(opened: Opener) -> None:
    shop = opened("golang")
    room = replace(shop.room(), variables={"GOSUMDB": "off"})
    room.write("go.mod", MINE + "\nrequire go.example/hello v1.1.0\n")

    room.run("go", "mod", "download", "all")

    assert "go.example/hello v1.1.0 h1:" in room.read("go.sum")
    assert shop.registry.asked("/sumdb/sum.example/supported") == []


@with_go
def test_a_module_that_upstream_does_not_have_is_absent_for_go_too(standing: Standing) -> None:
    room = standing["golang"].room()
    room.write("go.mod", MINE)

    with pytest.raises(ClientFailed, match=r"404|not found|no matching versions"):
        room.run("go", "get", "go.example/nowhere@latest")


def test_gop_07_the_cached_only_form_makes_no_contact(opened: Opener) -> None:
    shop = opened("golang")
    path = "go.example/world/@v/v0.2.0.mod"

    missing = shop.get(f"cached-only/{path}")
    assert (missing.status, missing.body) == (404, b"golang/go.example/world/@v/v0.2.0.mod: not stored here\n")
    assert shop.registry.requests == []
    got = shop.get(path)
    shop.registry.forget()
    shop.restart(later=0)
    assert shop.get(f"cached-only/{path}").body == got.body
    assert shop.registry.requests == []
