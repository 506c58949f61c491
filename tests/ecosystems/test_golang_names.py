"""Names of modules that no checksum database may hear, and the databases that are passed on."""

import pytest

from entrepot.ecosystems.golang import Golang
from entrepot.errors import ConfigError, NotServed, Refused
from entrepot.model.listing import Listing
from entrepot.model.names import Reservation, ReservedNames
from entrepot.model.resource import Request, Resource

RESERVED = ReservedNames((Reservation("corp.example/*", "upstreams.corp.owns"),))


def route(path: str, ecosystem: Golang) -> Resource:
    return ecosystem.route(Request(method="GET", path=path))


def passes(name: str, **options: object) -> bool:
    try:
        return route(f"sumdb/{name}/supported", Golang(options)).about == name
    except NotServed:
        return False


def test_ath_09_a_lookup_of_a_private_module_is_refused_by_its_decoded_path_whatever_the_version() -> None:
    private = Golang({"sumdb": "sum.example", "nosumdb": ["corp.example/Private/repo"]})
    for version in ("v1.0.0", "v2.0.0+incompatible", "v0.0.0-20260101000000-abcdefabcdef"):
        with pytest.raises(Refused, match=r"corp\.example/Private/repo.*nosumdb"):
            route(f"sumdb/sum.example/lookup/corp.example/!private/repo@{version}", private)
    small = "sumdb/sum.example/lookup/corp.example/private/repo@v1.0.0"
    assert route(small, private).key == small


def test_ath_09_only_the_named_databases_are_passed_on() -> None:
    assert passes("sum.example", sumdb="sum.example", sumdbs=["second.example+hash+key"])
    assert passes("second.example", sumdb="sum.example", sumdbs=["second.example+hash+key"])
    assert not passes("third.example", sumdb="sum.example", sumdbs=["second.example"])


def test_ath_09_an_empty_list_of_databases_disables_them_all() -> None:
    assert not passes("sum.example", sumdb="off", sumdbs=[])
    assert passes("sum.example", sumdb="off")


def test_reserved_and_owned_modules_are_private_without_being_listed_again() -> None:
    ecosystem = Golang({"sumdb": "sum.example"}, RESERVED)
    assert route("corp.example/lib/@v/v1.0.0.zip", ecosystem).listed_in is None
    assert route("a.example/lib/@v/v1.0.0.zip", ecosystem).listed_in is not None
    with pytest.raises(Refused, match=r"upstreams\.corp\.owns"):
        route("sumdb/sum.example/lookup/corp.example/lib@v1.0.0", ecosystem)


@pytest.mark.parametrize("value", ["sum.example", [1], [""], ["../x"]])
def test_databases_that_cannot_be_told_stop_the_start(value: object) -> None:
    with pytest.raises(ConfigError, match="golang: sumdb"):
        Golang({"sumdbs": value})


@pytest.mark.parametrize("path", ["index", "-/index"])
def test_what_is_stored_is_listed_where_athens_has_it_and_where_all_have_it(path: str) -> None:
    assert Golang().listing(Request(method="GET", path=path)) == Listing(kind="index", limit=2000)
