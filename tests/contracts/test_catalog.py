"""Every Catalog passes the suite."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.catalog import Catalog
from tests.contracts.catalog_suite import CatalogSuite, SetClock
from tests.fakes import FakeClock, MemoryCatalog


class TestSqliteCatalog(CatalogSuite):
    @pytest.fixture
    def clock(self) -> SetClock:
        return SetClock()

    @pytest.fixture
    async def catalog(self, tmp_path: Path, clock: SetClock) -> AsyncIterator[Catalog]:
        catalog = SqliteCatalog.open(tmp_path / "catalog.db", clock)
        yield catalog
        await catalog.close()

    @pytest.fixture
    def open_copy(self, clock: SetClock) -> Callable[[Path], Catalog]:
        return lambda path: SqliteCatalog.open(path, clock)


class TestMemoryCatalog(CatalogSuite):
    """The fake that other tests use must keep the contract too."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock(SetClock().now())

    @pytest.fixture
    async def catalog(self, clock: FakeClock) -> AsyncIterator[Catalog]:
        catalog = MemoryCatalog(clock)
        yield catalog
        await catalog.close()

    @pytest.fixture
    def open_copy(self, clock: FakeClock) -> Callable[[Path], Catalog]:
        return lambda path: MemoryCatalog.of_backup(path, clock)
