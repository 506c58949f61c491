"""Every MirrorBook and every Pins passes its suite."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.catalog.leases import SqliteLeases
from entrepot.catalog.mirrors import SqliteMirrors
from entrepot.catalog.opening import prepare
from entrepot.catalog.pins import SqlitePins
from entrepot.catalog.sqlite import SqliteCatalog
from tests.contracts.mirrors_suite import MirrorsSuite
from tests.fakes import FakeClock

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated already."""
    path = tmp_path_factory.mktemp("empty") / "catalog.db"
    prepare(path, FakeClock().now())
    return path


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def catalog(tmp_path: Path, empty: Path, clock: FakeClock) -> AsyncIterator[SqliteCatalog]:
    shutil.copyfile(empty, tmp_path / "catalog.db")
    catalog = SqliteCatalog.open(tmp_path / "catalog.db", clock)
    yield catalog
    await catalog.close()


@pytest.fixture
def book(catalog: SqliteCatalog) -> SqliteMirrors:
    return SqliteMirrors(catalog)


@pytest.fixture
def pins(catalog: SqliteCatalog) -> SqlitePins:
    return SqlitePins(catalog)


@pytest.fixture
def leases(catalog: SqliteCatalog) -> SqliteLeases:
    return SqliteLeases(catalog)


class TestSqliteMirrors(MirrorsSuite):
    """In the catalog's file."""
