"""A registry with a few Python and npm packages, and a person's Entrepot in front of it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.house import House, fetch
from tests.cli.registry import Files, Registry
from tests.clients.fixture_npm import npm_registry
from tests.clients.fixture_pypi import distributions, pypi_index

CONFIG = """\
[server]
access_log = "off"

[repositories.pypi]
ecosystem = "pypi"
upstreams = ["{url}/simple/"]

[repositories.npm]
ecosystem = "npm"
upstreams = ["{url}/npm/"]

[repositories.plain]
ecosystem = "pypi"
upstreams = ["{url}/plain/simple/"]
"""

THING = "/plain/files/thing-1.0.tar.gz"
FILE = f"plain/files/thing{THING}"
"""Where we serve it."""
WHEELS = [one for one in distributions() if one.filename.endswith(".whl")]
STOCK = (
    "pypi/simple/acme-app/",
    "pypi/simple/acme-core/",
    *(f"pypi/files/{one.project}{one.path}" for one in WHEELS),
    "npm/left",
    "npm/left/-/left-1.0.0.tgz",
    "npm/left/-/left-1.1.0.tgz",
    FILE,
)
"""What a stocked house was asked for."""


@pytest.fixture(scope="session")
def origin() -> Iterator[Registry]:
    """One for all tests: what is stored belongs to an upstream's address."""
    with Registry().open() as registry:
        yield registry


@pytest.fixture
def registry(origin: Registry) -> Registry:
    origin.files = goods(origin.url)
    origin.asked.clear()
    origin.held.clear()
    origin.let_go.clear()
    return origin


def goods(url: str) -> Files:
    found = pypi_index(url) | npm_registry(f"{url}/npm")
    # An index that publishes no digests: what a file was can only be remembered.
    found["/plain/simple/thing/"] = "text/html", b'<a href="../../files/thing-1.0.tar.gz">thing-1.0.tar.gz</a>'
    found[THING] = "application/octet-stream", b"the first thing"
    return found


@pytest.fixture(scope="session")
def stock(origin: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with something in it, to be copied."""
    directory = tmp_path_factory.mktemp("stock")
    origin.files = goods(origin.url)
    house = House(directory=directory / "house", config=CONFIG.format(url=origin.url), data=directory / "data")
    house.furnish()
    with house.serving() as address:
        for path in STOCK:
            fetch(f"{address}/{path}")
    return house.data


@pytest.fixture
def house(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> House:
    """An empty one, whose environment is this process's as well."""
    house = House(directory=tmp_path / "house", config=CONFIG.format(url=registry.url), data=tmp_path / "data")
    house.furnish()
    environment = house.environment
    for name in [name for name in os.environ if name not in environment]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(house.directory)
    return house


@pytest.fixture
def stocked(house: House, stock: Path) -> House:
    """With something in it, and no server."""
    shutil.copytree(stock, house.data)
    return house
