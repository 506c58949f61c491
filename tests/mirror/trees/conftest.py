"""A process with one tree, which is all of its repository."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.mirror.trees.forest import Forest, Orchard, planted


@pytest.fixture
def orchard() -> Orchard:
    return Orchard().grow("a.txt", "sub/b.txt", "sub/deep/c.txt")


@pytest.fixture
async def forest(tmp_path: Path, orchard: Orchard) -> AsyncIterator[Forest]:
    async with planted(tmp_path, orchard) as forest:
        yield forest
