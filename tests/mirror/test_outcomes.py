"""What is made of a fill that ended."""

import pytest

from entrepot.contracts.fills import FillState
from entrepot.contracts.leases import Lease
from entrepot.errors import (
    Absent,
    BodyCut,
    DigestMismatch,
    EgressRefused,
    NotCached,
    NotServed,
    PolicyHidden,
    PolicyRefused,
    PolicyUnknown,
    StoreFailure,
    TooBig,
    Unreachable,
    UnreadableIndex,
    UpstreamStatus,
    VersionChanged,
)
from entrepot.mirror.outcomes import Outcome, lease_after, outcome_of, state_after
from entrepot.mirror.rules import FillRules
from tests.fakes import NOON

RULES = FillRules(quiet_period=3600.0, backoff=(30.0, 100.0), failed_for=86400.0)


@pytest.mark.parametrize(
    ("error", "first", "later"),
    [
        (None, Outcome.DONE, Outcome.DONE),
        (Unreachable("a"), Outcome.AGAIN, Outcome.AGAIN),
        (BodyCut("a"), Outcome.AGAIN, Outcome.AGAIN),
        (UpstreamStatus("a", 500), Outcome.AGAIN, Outcome.AGAIN),
        (UnreadableIndex("a"), Outcome.AGAIN, Outcome.AGAIN),
        (StoreFailure("a"), Outcome.AGAIN, Outcome.AGAIN),
        (PolicyUnknown("a", "no date", ""), Outcome.AGAIN, Outcome.AGAIN),
        (KeyError("a"), Outcome.AGAIN, Outcome.AGAIN),
        (DigestMismatch("a", "b", "c"), Outcome.AGAIN, Outcome.FOR_GOOD),
        (Absent("a"), Outcome.OVER, Outcome.OVER),
        (Absent("a", gone=True), Outcome.OVER, Outcome.OVER),
        (NotCached("a"), Outcome.OVER, Outcome.OVER),
        (PolicyRefused("a", "too young", ""), Outcome.OVER, Outcome.OVER),
        (PolicyHidden("a", "excluded", ""), Outcome.OVER, Outcome.OVER),
        (VersionChanged("a", "b", "c"), Outcome.FOR_GOOD, Outcome.FOR_GOOD),
        (TooBig("a"), Outcome.FOR_GOOD, Outcome.FOR_GOOD),
        (EgressRefused("a"), Outcome.FOR_GOOD, Outcome.FOR_GOOD),
        (NotServed("a"), Outcome.FOR_GOOD, Outcome.FOR_GOOD),
    ],
    ids=lambda value: value.name if isinstance(value, Outcome) else type(value).__name__,
)
def test_what_can_mend_itself_is_tried_again(error: Exception | None, first: Outcome, later: Outcome) -> None:
    assert outcome_of(error, 0) is first
    assert outcome_of(error, 1) is later


def test_only_what_is_tried_again_by_itself_stays_open() -> None:
    assert {outcome: state_after(outcome) for outcome in Outcome} == {
        Outcome.DONE: FillState.DONE,
        Outcome.AGAIN: FillState.OPEN,
        Outcome.OVER: FillState.FAILED,
        Outcome.FOR_GOOD: FillState.FAILED,
    }


@pytest.mark.parametrize(
    ("outcome", "failures", "seconds"),
    [
        (Outcome.DONE, 3, 3660),
        (Outcome.AGAIN, 0, 30),
        (Outcome.AGAIN, 1, 60),
        (Outcome.AGAIN, 2, 100),
        (Outcome.OVER, 0, 30),
        (Outcome.OVER, 9, 100),
        (Outcome.FOR_GOOD, 0, 86400),
    ],
)
def test_how_long_it_waits_depends_on_how_it_ended(outcome: Outcome, failures: int, seconds: int) -> None:
    lease = Lease(
        key="a",
        holder="one",
        fence=1,
        expires_at=NOON,
        started_at=NOON,
        not_before=NOON,
        written_at=NOON,
        failures=failures,
        result="before",
    )
    after = lease_after(lease, outcome, NOON, RULES, "why", 60.0)
    assert (after.not_before - NOON).total_seconds() == seconds
    done = outcome is Outcome.DONE
    assert (after.result, after.failures) == (("", 0) if done else ("why", failures + 1))
    assert (after.last_success_at, after.last_failure_at) == ((NOON, None) if done else (None, NOON))
