"""The cache in a directory of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cache.works import Works, works_in


@pytest.fixture
async def works(tmp_path: Path) -> AsyncIterator[Works]:
    works = works_in(tmp_path)
    yield works
    await works.background.drain(0)
