"""What may be asked at `index` and `catalog`."""

from datetime import UTC, datetime

import pytest

from entrepot.errors import BadRequest, MethodRefused
from entrepot.model.listing import BEGINNING, MOST_ROWS, Listing, token_of
from entrepot.model.resource import Request


def ask(path: str, method: str = "GET") -> Listing | None:
    place, _, query = path.partition("?")
    return Listing.at(Request(method=method, path=place, query=query), prefix="-/")


def test_without_parameters_the_list_begins_at_its_beginning() -> None:
    assert ask("-/index") == Listing(kind="index", limit=2000, since=BEGINNING)
    assert ask("-/catalog") == Listing(kind="catalog", limit=1000)
    assert ask("-/catalog?token=&pagesize=") == ask("-/catalog")


@pytest.mark.parametrize("path", ["index", "-/indexes", "-/index/", "-/", "", "index/-/"])
def test_anything_else_is_no_such_question(path: str) -> None:
    assert ask(path) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20T12:00:00Z", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("2026-11-20T12:00:00.5Z", datetime(2026, 11, 20, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-20T12:00:00.123456789Z", datetime(2026, 11, 20, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-11-20T14:00:00%2B02:00", datetime(2026, 11, 20, 12, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_rfc_3339_writes_it(text: str, moment: datetime) -> None:
    found = ask(f"-/index?since={text}&limit=7")
    assert found == Listing(kind="index", limit=7, since=moment)


def test_a_place_in_the_catalog_is_read_as_it_was_told() -> None:
    found = ask(f"-/catalog?token={token_of('@acme/lib', '1.0.0')}")
    assert found is not None
    assert found.after == ("@acme/lib", "1.0.0")


@pytest.mark.parametrize(
    "query",
    [
        "index?since=yesterday",
        "index?since=2026-11-20",
        "index?since=2026-11-20T12:00:00",
        "index?since=2026-11-20T25:00:00Z",
        "index?since=9999-12-31T23:59:59-12:00",
        "index?since=2026-11-20T12:00:00Z&since=2026-11-21T12:00:00Z",
        "index?limit=0",
        "index?limit=-1",
        "index?limit=ten",
        f"index?limit={MOST_ROWS + 1}",
        "catalog?pagesize=0",
        "catalog?pagesize=1.5",
        "catalog?token=nothing",
        "catalog?token=@1.0",
        "catalog?token=%ff",
    ],
)
def test_a_parameter_that_cannot_be_read_is_a_bad_request(query: str) -> None:
    with pytest.raises(BadRequest):
        ask(f"-/{query}")


def test_the_list_can_only_be_read() -> None:
    with pytest.raises(MethodRefused):
        ask("-/index", "POST")
