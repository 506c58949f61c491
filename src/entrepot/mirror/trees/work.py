"""Steps that make further steps: some at a time, the newest first, so that what waits stays little."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Stack(Generic[T]):
    def __init__(self, do: Callable[[T], Awaitable[None]], workers: int) -> None:
        self._do, self._workers = do, workers
        self._waiting: list[T] = []
        self._busy = 0
        self._news = asyncio.Event()

    def push(self, step: T) -> None:
        self._waiting.append(step)
        self._news.set()

    def clear(self) -> None:
        """Nothing more is begun."""
        self._waiting.clear()

    async def work_off(self) -> None:
        """Until nothing waits and nobody works. What a step raises ends all of it."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while self._waiting or self._busy:
            if not self._waiting:
                self._news.clear()
                await self._news.wait()
                continue
            self._busy += 1
            try:
                await self._do(self._waiting.pop())
            finally:
                self._busy -= 1
                self._news.set()
            # Many steps find that there is nothing to do; whoever is served meanwhile must not wait for all of them.
            await asyncio.sleep(0)
