"""Works off a job's open items, page by page, so that however many there are, few are in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Final

from entrepot.contracts.mirrors import ItemKind, MirrorBook, MirrorItem

PAGE: Final = 500
PAUSE_SECONDS: Final = 0.02
"""What is added one by one is not looked for one by one."""


class Pages:
    """Those of some kinds. `turn` is set by whoever adds to them."""

    def __init__(self, book: MirrorBook, job: str, kinds: Collection[ItemKind], room: int) -> None:
        """`room`: how many are worked on at a time."""
        self._book, self._job, self._kinds = book, job, kinds
        self._room, self._running = asyncio.Semaphore(room), 0
        self.turn = asyncio.Event()

    async def work_off(
        self,
        work: Callable[[MirrorItem], Coroutine[None, None, None]],
        *,
        settled: Callable[[], Awaitable[None]],
        may_come: Callable[[], bool],
    ) -> None:
        """Until none is open, and none `may_come`. `settled` returns when it is written down what became of those that
        were worked on. Whatever `work` raises ends all of it."""
        after = 0
        async with asyncio.TaskGroup() as group:
            while True:
                self.turn.clear()
                ends = not may_come()
                page = await asyncio.to_thread(self._book.open_items, self._job, self._kinds, after, PAGE)
                for item in page:
                    await self._room.acquire()
                    self._running += 1
                    group.create_task(work(item)).add_done_callback(self._leave)
                    after = item.number
                if page:
                    if len(page) < PAGE:
                        await asyncio.sleep(PAUSE_SECONDS)
                    continue
                if self._running or (not after and not ends):
                    await self.turn.wait()
                elif after:
                    # What was opened again meanwhile, and what failed to be written down, has a lower number.
                    await settled()
                    after = 0
                else:
                    return

    def _leave(self, _: "asyncio.Task[None]") -> None:
        self._room.release()
        self._running -= 1
        if not self._running:
            self.turn.set()
