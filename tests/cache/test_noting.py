"""Nobody waits long for the catalog."""

import asyncio

import pytest

from entrepot.cache.noting import note_down
from entrepot.errors import StoreFailure

pytestmark = pytest.mark.anyio


class Put:
    """A put that is durable, or fails, when the test says so."""

    def __init__(self) -> None:
        self.end = asyncio.Event()
        self.failure: StoreFailure | None = None
        self.durable = asyncio.Event()

    async def run(self) -> None:
        await self.end.wait()
        if self.failure is not None:
            raise self.failure
        self.durable.set()


async def test_a_put_that_is_quick_is_durable_when_it_was_noted() -> None:
    put = Put()
    put.end.set()
    await note_down(put.run(), "pypi/flask", patience=60)
    assert put.durable.is_set()


async def test_a_put_that_fails_at_once_is_told() -> None:
    put = Put()
    put.failure = StoreFailure("catalog.db: disk full")
    put.end.set()
    with pytest.raises(StoreFailure, match="disk full"):
        await note_down(put.run(), "pypi/flask", patience=60)


async def test_a_put_that_takes_long_goes_on_behind_the_answer() -> None:
    put = Put()
    await note_down(put.run(), "pypi/flask", patience=0)
    assert not put.durable.is_set()
    put.end.set()
    await asyncio.wait_for(put.durable.wait(), 10)


async def test_a_put_that_fails_behind_the_answer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    put = Put()
    await note_down(put.run(), "pypi/flask", patience=0)
    put.failure = StoreFailure("catalog.db: disk full")
    put.end.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert "pypi/flask could not be noted: catalog.db: disk full" in caplog.text
