"""Work that outlives the request that began it, and ends with the server."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_log = logging.getLogger("entrepot")


class Background:
    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work failed: %s", task.get_name(), exc_info=error)

    async def settle(self, seconds: float) -> None:
        """Wait for what is running now, at most so long."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def drain(self, seconds: float) -> None:
        """Wait for what is running, then end it."""
        await self.settle(seconds)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)
