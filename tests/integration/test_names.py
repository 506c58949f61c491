"""What the configuration says of names, with everything in between."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.fixture_npm import npm_registry
from tests.clients.registry import Registry
from tests.faults.served import Served

CONFIG = """\
[upstreams.corp]
url = "{corp}/"
owns = ["left"]

[repositories.npm]
ecosystem = "npm"
upstreams = ["{public}/"]
reserved = ["pkg:npm/%40acme/*"]

[repositories.both]
ecosystem = "npm"
upstreams = ["{public}/", "corp"]
"""


@dataclass(kw_only=True)
class House:
    public: Registry
    corp: Registry
    served: Served


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with ExitStack() as stack:
        public, corp = (stack.enter_context(Registry()) for _ in range(2))
        public.files, corp.files = npm_registry(public.url), npm_registry(corp.url)
        config = CONFIG.format(public=public.url, corp=corp.url)
        directory: Path = tmp_path_factory.mktemp("names")
        yield House(public=public, corp=corp, served=stack.enter_context(Served(directory, config)))


def test_a_name_that_an_upstream_of_another_repository_owns_is_refused(house: House) -> None:
    house.public.forget()
    got = house.served.get("/npm/left")
    assert got.status == 403
    assert b"upstreams.corp.owns" in got.body
    assert house.public.requests == []


def test_a_name_that_its_repository_reserves_is_refused(house: House) -> None:
    house.public.forget()
    got = house.served.get("/npm/@acme%2flib")
    assert got.status == 403
    assert b"repositories.npm.reserved" in got.body
    assert house.public.requests == []


def test_the_owner_is_asked_where_it_is_among_the_upstreams(house: House) -> None:
    house.public.forget()
    assert house.served.get("/both/left").status == 200
    assert house.public.requests == []
    assert house.corp.asked("/left") == ["/left"]
