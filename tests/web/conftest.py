"""A front door over a cache in a directory of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.cache.works import Works, works_in
from tests.web.front import Front
from tests.web.served import Served, serving


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


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server for all tests that ask one over HTTP."""
    with serving(tmp_path_factory.mktemp("served")) as served:
        yield served
