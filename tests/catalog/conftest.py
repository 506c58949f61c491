"""A catalog in a file, and somebody else who uses the same file."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from entrepot.catalog.sqlite import SqliteCatalog
from tests.contracts.catalog_suite import SetClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "catalog.db"


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def catalog(path: Path, clock: SetClock) -> AsyncIterator[SqliteCatalog]:
    catalog = SqliteCatalog.open(path, clock)
    yield catalog
    await catalog.close()


@pytest.fixture
def stranger(path: Path, catalog: SqliteCatalog) -> Iterator[sqlite3.Connection]:
    """Another connection to the file, to lock it with."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection
