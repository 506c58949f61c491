"""A process that does fills, with a catalog and an upstream of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import FakeClock
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
