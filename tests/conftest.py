"""What every test may use. Folders keep their own fixtures beside their tests."""

import pytest
from hypothesis import HealthCheck, settings

# By itself it fails examples that take 0.2 s, which is told of a busy machine and not of what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
