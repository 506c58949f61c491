"""What every test may use. Folders keep their own fixtures beside their tests."""

import signal

import pytest
from hypothesis import HealthCheck, settings

# By itself it fails examples that take 0.2 s, which is told of a busy machine and not of what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
# Where tests run in the background it is ignored, and would be by every program that they interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
