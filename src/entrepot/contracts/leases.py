"""Claims on work that several processes or nodes could do, and when it may be done again (policy §6)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

CLOCKS_APART = timedelta(minutes=1)
"""A record that was written further in the future comes from before a clock was set back: its times count as now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who does the work `key`, and what came of it so far. What `Leases.keep` makes durable is one of the values that
    the methods here give; they take the time and seconds."""

    key: str
    holder: str
    fence: int
    """Grows with every acquisition: who presents an older one lost the work to somebody else."""
    expires_at: datetime
    started_at: datetime
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    failures: int = 0
    """Since the last success."""
    not_before: datetime
    result: str = ""
    """Why it failed last; empty after a success."""
    written_at: datetime
    """When any of this changed last, on the clock of whoever changed it."""

    def renewed(self, now: datetime, ttl: float) -> "Lease":
        return replace(self, written_at=now, expires_at=now + timedelta(seconds=ttl))

    def released(self, now: datetime) -> "Lease":
        """Given up without a result: anybody may go on at once."""
        return replace(self, written_at=now, expires_at=now)

    def succeeded(self, now: datetime, quiet_period: float, jitter: float = 0.0) -> "Lease":
        """`jitter` is added to the quiet period, which begins with the work."""
        not_before = self.started_at + timedelta(seconds=quiet_period + jitter)
        return replace(self.released(now), last_success_at=now, failures=0, not_before=max(now, not_before), result="")

    def failed(self, now: datetime, base: float, cap: float, reason: str) -> "Lease":
        """To be tried again, each time after twice the pause."""
        # Beyond 2^60 every pause is the longest one, and a float still holds it.
        pause = min(cap, base * 2.0 ** min(self.failures, 60))
        return self.failed_for_good(now, pause, reason)

    def failed_for_good(self, now: datetime, pause: float, reason: str) -> "Lease":
        return replace(
            self.released(now),
            last_failure_at=now,
            failures=self.failures + 1,
            not_before=now + timedelta(seconds=pause),
            result=reason,
        )


class Leases(Protocol):
    """All raise StoreFailure when the catalog cannot be used."""

    async def acquire(self, key: str, holder: str, now: datetime, ttl: float) -> Lease | None:
        """The lease, for `ttl` seconds; None while somebody holds it, or where it is not time yet. Of several that
        ask at once, in whatever process, one gets it."""

    async def keep(self, lease: Lease) -> bool:
        """Write down what became of a lease that was acquired. False, and nothing is written, when somebody acquired
        it since, or it was cleared."""

    def find(self, key: str) -> Lease | None:
        """What was written last."""

    async def reclaim(self, is_living: Callable[[str], bool], now: datetime) -> None:
        """Release what holders have that live no more: anybody may go on at once."""

    async def clear(self, key: str) -> None:
        """Forget all of it: the work may be done at once, and whoever does it now has lost it."""

    async def forget(self, before: datetime) -> None:
        """Drop those that have had no holder and no effect since then."""
