"""Two stores: one that reaches an upstream, and one that does not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.mirror.bundles.site import Site


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Site]:
    """Stocked."""
    site = Site(directory=tmp_path / "here")
    await site.stock()
    yield site
    await site.close()


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[Site]:
    """Empty, with another upstream."""
    site = Site(directory=tmp_path / "there", base="https://mirror.internal.example/")
    yield site
    await site.close()
