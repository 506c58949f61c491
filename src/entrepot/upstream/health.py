"""The health of origins: a breaker and Retry-After, shared by all workers through the catalog."""

import asyncio
import contextlib
from typing import Protocol

from entrepot.contracts.catalog import OriginState
from entrepot.contracts.clock import Clock
from entrepot.errors import StoreFailure, UpstreamBusy

OPENS_AFTER = 3
"""Failures in a row."""
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 60.0
LONGEST_RETRY_AFTER = 3600.0
PROBE_LIMIT = 60.0
"""Seconds after which a probe that was never reported (its process was killed) stops keeping others out."""
PROBE_PATIENCE = 1.0
"""Seconds that others wait for a probe to end before they are told to come later."""
SAVE_LIMIT = 0.25
"""Seconds that an answer waits for the state to be durable."""
_PROBING = "a probe is under way"
_LOOK_AGAIN = 0.02


class OriginStore(Protocol):
    """The part of the Catalog that is needed here."""

    def find_origin(self, origin: str) -> OriginState | None: ...

    async def put_origin(self, state: OriginState) -> None: ...


class Health:
    """Opens after three failures in a row; then one probe at a time, 5 s later, growing to 60 s."""

    def __init__(self, store: OriginStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, OriginState] = {}

    async def admit(self, origin: str) -> bool:
        """Ask before contact. True: this is the probe of an open breaker, to be reported like any other, and to be
        `released` if it was neither a success nor a failure. Raises UpstreamBusy."""
        state = await self._after_probe(origin)
        now = self._clock.timestamp()
        if state.closed_until > now:
            most = FIRST_PAUSE if state.reason == _PROBING else LONGEST_RETRY_AFTER
            raise UpstreamBusy(origin, min(most, state.closed_until - now), state.reason)
        if state.failures < OPENS_AFTER:
            return False
        await self._put(origin, now + PROBE_LIMIT, _PROBING, state.failures)
        return True

    async def _after_probe(self, origin: str) -> OriginState:
        """The state behind a probe that is under way: when upstream is back, a client's further requests, which come
        at the same moment, must not fail for that."""
        waited = 0.0
        state = self._find(origin)
        while self._is_probing(state) and waited < PROBE_PATIENCE:
            # The probe may be another process's, which tells nobody when it ends.
            await asyncio.sleep(_LOOK_AGAIN)
            waited += _LOOK_AGAIN
            state = self._find(origin)
        return state

    def _is_probing(self, state: OriginState) -> bool:
        return state.reason == _PROBING and state.closed_until > self._clock.timestamp()

    async def succeeded(self, origin: str) -> None:
        # A running Retry-After has no failures: a success that was under way does not end it. Most requests have been
        # admitted without any, and need not ask the catalog again.
        known = self._known.get(origin)
        if known is not None and known.failures and self._find(origin).failures:
            await self._put(origin, 0.0, "", 0)

    async def failed(self, origin: str, reason: str, *, probe: bool) -> None:
        state = self._find(origin)
        now = self._clock.timestamp()
        if state.closed_until > now and not probe:
            return  # Many requests that were under way when it opened are still one outage.
        failures = state.failures + 1
        pause = 0.0
        if failures >= OPENS_AFTER:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - OPENS_AFTER, 10))
        await self._put(origin, now + pause if pause else 0.0, f"failed {failures} times, last: {reason}", failures)

    async def released(self, origin: str) -> None:
        """A probe was abandoned: the next request may be one."""
        await self._put(origin, 0.0, "", self._find(origin).failures)

    async def asked_to_wait(self, origin: str, seconds: float, status: int) -> UpstreamBusy:
        """Note a Retry-After; the error to raise."""
        seconds = min(seconds, LONGEST_RETRY_AFTER)
        reason = f"asked us to wait ({status} with Retry-After)"
        until = max(self._find(origin).closed_until, self._clock.timestamp() + seconds)
        await self._put(origin, until, reason, 0)
        return UpstreamBusy(origin, seconds, reason)

    def _find(self, origin: str) -> OriginState:
        try:
            found = self._store.find_origin(origin)
        except StoreFailure:
            found = None  # Without the catalog, what this process has seen must do.
        if found is not None:
            self._known[origin] = found
        return self._known.get(origin) or OriginState(origin=origin, closed_until=0.0, reason="", failures=0)

    async def _put(self, origin: str, closed_until: float, reason: str, failures: int) -> None:
        state = OriginState(origin=origin, closed_until=closed_until, reason=reason, failures=failures)
        self._known[origin] = state
        # Readers see it at once. Neither a slow disk nor a lost catalog may hold up the answer that it is about.
        with contextlib.suppress(StoreFailure, TimeoutError):
            async with asyncio.timeout(SAVE_LIMIT):
                await self._store.put_origin(state)
