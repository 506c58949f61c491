"""What is made of a fill that ended. Pure: the caller brings the time."""

from datetime import datetime
from enum import Enum

from entrepot.contracts.fills import FillState
from entrepot.contracts.leases import Lease
from entrepot.errors import (
    Absent,
    BadContent,
    BadRequest,
    EgressRefused,
    NotCached,
    NotServed,
    PolicyHidden,
    PolicyRefused,
    TooBig,
    UnreadableIndex,
    VersionChanged,
)
from entrepot.mirror.rules import FillRules


class Outcome(Enum):
    DONE = "done"
    AGAIN = "again"
    """It failed, and is tried again by itself."""
    OVER = "over"
    """It failed; after a pause a miss may have it tried again, because whoever said no may say yes then."""
    FOR_GOOD = "for good"
    """It failed, and trying again cannot mend it."""


_OVER = (Absent, NotCached, PolicyHidden, PolicyRefused)
_FOR_GOOD = (BadContent, BadRequest, EgressRefused, NotServed, TooBig)


def outcome_of(error: BaseException | None, failures: int) -> Outcome:
    """`failures`: how often it had failed before."""
    if error is None:
        return Outcome.DONE
    if isinstance(error, _OVER):
        return Outcome.OVER
    # What an index is unreadable for (a login page) passes. Bytes may have been damaged on their way or by a cache in
    # between, which the next attempt asks past; a changed version stays what it is.
    passes = isinstance(error, UnreadableIndex) or (
        isinstance(error, BadContent) and not isinstance(error, VersionChanged) and not failures
    )
    return Outcome.FOR_GOOD if isinstance(error, _FOR_GOOD) and not passes else Outcome.AGAIN


def state_after(outcome: Outcome) -> FillState:
    match outcome:
        case Outcome.DONE:
            return FillState.DONE
        case Outcome.AGAIN:
            return FillState.OPEN
    return FillState.FAILED


def lease_after(lease: Lease, outcome: Outcome, now: datetime, rules: FillRules, reason: str, jitter: float) -> Lease:
    """`jitter` in seconds, for the quiet period."""
    match outcome:
        case Outcome.DONE:
            return lease.succeeded(now, rules.quiet_period, jitter)
        case Outcome.FOR_GOOD:
            return lease.failed_for_good(now, rules.failed_for, reason)
    return lease.failed(now, *rules.backoff, reason)
