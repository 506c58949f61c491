"""Writes down what became of items: many at a time, and none much later than it happened."""

import asyncio
from contextlib import suppress
from typing import Final

from entrepot.contracts.clock import Clock
from entrepot.contracts.mirrors import MirrorBook, Settled

BATCH: Final = 200
LATEST_SECONDS: Final = 0.5


class Ledger:
    """Of one job."""

    def __init__(self, book: MirrorBook, clock: Clock, job: str) -> None:
        self._book, self._clock, self._job = book, clock, job
        self._noted: list[Settled] = []
        self._some, self._many = asyncio.Event(), asyncio.Event()
        self._turn = asyncio.Lock()

    def note(self, settled: Settled) -> None:
        self._noted.append(settled)
        self._some.set()
        if len(self._noted) >= BATCH:
            self._many.set()

    async def work(self) -> None:
        """For as long as the job runs. Raises StoreFailure; what was noted is kept then, for another `flush`."""
        while True:
            await self._some.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._many.wait(), LATEST_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """All that was noted is written down. Raises StoreFailure."""
        async with self._turn:
            self._some.clear()
            self._many.clear()
            batch = self._noted[:]
            if batch:
                await self._book.record(self._job, (), batch, self._clock.now())
                del self._noted[: len(batch)]
