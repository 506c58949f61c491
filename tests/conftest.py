"""What every test may use. Folders keep their own fixtures beside their tests."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
