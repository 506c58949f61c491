"""How often something is tried: what passes is tried again, after a pause, and never before upstream wants it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from entrepot.errors import (
    BodyCut,
    EntrepotError,
    NotStorable,
    StoreFailure,
    Unreachable,
    UpstreamBusy,
    UpstreamStatus,
    UpstreamTimeout,
)
from entrepot.mirror.ground import Ground

LONGEST_PAUSE: Final = 600.0
"""Seconds. What upstream wants to be asked for later than that fails, and `retry` asks for it again."""

_T = TypeVar("_T")


class Persistence:
    """Of one job, with as many attempts at a time as it may make."""

    def __init__(self, ground: Ground, concurrency: int) -> None:
        self._rules, self._pause = ground.rules, ground.pause
        self._slots = asyncio.Semaphore(concurrency)

    async def of(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """What the first attempt gives that succeeds. Raises what the last one did."""
        for number in range(self._rules.attempts):
            try:
                async with self._slots:
                    return await attempt()
            except EntrepotError as error:
                pause = self._pause_after(error, number)
                if pause is None:
                    raise
            await self._pause(pause)
        raise AssertionError("the last attempt returns or raises")

    def _pause_after(self, error: EntrepotError, number: int) -> float | None:
        """Seconds; None: it is over."""
        if number + 1 >= self._rules.attempts or not passes(error):
            return None
        first, most = self._rules.backoff
        pause = min(most, first * 2.0**number) * random.uniform(0.5, 1.0)
        if error.retry_after is None:
            return pause
        return max(pause, error.retry_after) if error.retry_after <= LONGEST_PAUSE else None


def passes(error: EntrepotError) -> bool:
    """Whether trying again may mend it."""
    if isinstance(error, UpstreamStatus):
        return error.upstream_status >= 500 or error.upstream_status in (408, 425, 429)
    return isinstance(error, Unreachable | UpstreamTimeout | UpstreamBusy | BodyCut)


def stops(error: EntrepotError) -> bool:
    """Whether it is our disk or catalog that failed: the job waits then, and nothing of it has failed."""
    return isinstance(error, StoreFailure) and not isinstance(error, NotStorable)
