"""Every Leases and every FillBook passes its suite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.catalog.fills import SqliteFills
from entrepot.catalog.leases import SqliteLeases
from entrepot.catalog.sqlite import SqliteCatalog
from tests.contracts.fills_suite import FillsSuite
from tests.contracts.leases_suite import LeasesSuite
from tests.fakes import FakeClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def catalog(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteCatalog]:
    catalog = SqliteCatalog.open(tmp_path / "catalog.db", clock)
    yield catalog
    await catalog.close()


@pytest.fixture
def leases(catalog: SqliteCatalog) -> SqliteLeases:
    return SqliteLeases(catalog)


@pytest.fixture
def book(catalog: SqliteCatalog) -> SqliteFills:
    return SqliteFills(catalog)


class TestSqliteLeases(LeasesSuite):
    """In the catalog's file."""


class TestSqliteFills(FillsSuite):
    """In the catalog's file."""
