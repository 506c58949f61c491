"""Processes that do fills and mirror jobs, with a catalog and an upstream of their own."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.catalog.opening import prepare
from tests.fakes import FakeClock
from tests.mirror.site import Site
from tests.mirror.stand import Process, Upstream


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


@pytest.fixture
async def process(path: Path, clock: FakeClock, upstream: Upstream) -> AsyncIterator[Process]:
    process = Process(path, clock, upstream)
    yield process
    await process.close()


@pytest.fixture(scope="session")
def empty_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog that was migrated already, to be copied: migrating one takes half a second."""
    path = tmp_path_factory.mktemp("catalog") / "catalog.db"
    prepare(path, FakeClock().now())
    return path


@pytest.fixture
def directory(tmp_path: Path, empty_catalog: Path) -> Path:
    """A data directory with an empty catalog."""
    shutil.copyfile(empty_catalog, tmp_path / "catalog.db")
    return tmp_path


@pytest.fixture
async def site(directory: Path) -> AsyncIterator[Site]:
    site = Site(directory=directory)
    yield site
    await site.close()
