"""A front door over a cache in a directory of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cache.works import Works, works_in
from tests.web.front import Front


@pytest.fixture
async def works(tmp_path: Path) -> AsyncIterator[Works]:
    works = works_in(tmp_path / "data")
    yield works
    await works.background.drain(0)


@pytest.fixture
async def front(works: Works, tmp_path: Path) -> AsyncIterator[Front]:
    front = Front(works, tmp_path)
    yield front
    front.close()
