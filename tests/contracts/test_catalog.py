"""Every Catalog passes the suite."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from entrepot.catalog.sqlite import SqliteCatalog
from entrepot.contracts.catalog import Catalog
from tests.contracts.catalog_suite import CatalogSuite, SetClock


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
