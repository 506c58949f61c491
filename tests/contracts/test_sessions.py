"""Every SessionBook keeps the promises of its contract."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.catalog.sessions import SqliteSessions
from entrepot.catalog.sqlite import SqliteCatalog
from tests.contracts.sessions_suite import SessionsSuite
from tests.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.mark.anyio
class TestSqliteSessions(SessionsSuite):
    @pytest.fixture
    async def book(self, tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteSessions]:
        catalog = SqliteCatalog.open(tmp_path / "catalog.db", clock)
        yield SqliteSessions(catalog)
        await catalog.close()
