"""Which generation of a signed group is served, where what is too young may not be: an older one that still is whole.

Pure: the caller brings generations and time. What is signed cannot be filtered, so it is served as it was (policy §5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

from entrepot.policy.cooldown import Cooldown, Dated
from entrepot.policy.verdict import Refusal

OLDER = "older-generation"
"""Marks an answer from a generation that is not the current one."""
TOO_YOUNG = "too-young"
"""Marks an answer from the oldest generation that is held, because none is old enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One generation."""

    number: int
    published_at: datetime
    """When we first had it: what a root says of itself can be set back."""
    expires: datetime | None = None
    """From when on clients refuse it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    number: int
    published_at: datetime
    detail: str = ""
    """How the answer is marked."""
    refusal: Refusal | None = None
    """Why it is not the current one."""
    until: float = inf
    """Seconds since the epoch: when this must be reckoned anew."""


def choose(generations: Sequence[Held], cooldown: Cooldown, now: datetime, as_of: datetime | None = None) -> Choice:
    """The latest that is old enough and that clients still take; where there is none, the oldest that they take.
    `generations`: the latest first, at least one."""
    valid = [one for one in generations if one.expires is None or now < one.expires] or [generations[0]]
    refusals = [(one, _refusal_of(one, cooldown, now, as_of)) for one in valid]
    ripe = next((one for one, refusal in refusals if refusal is None), None)
    chosen = ripe or valid[-1]
    detail = TOO_YOUNG if ripe is None else OLDER if ripe is not generations[0] else ""
    younger = [refusal for one, refusal in refusals if refusal is not None and one.number >= chosen.number]
    ends = [refusal.until.timestamp() for refusal in younger if refusal.until is not None]
    expiry = chosen.expires.timestamp() if chosen.expires is not None and now < chosen.expires else inf
    return Choice(
        number=chosen.number,
        published_at=chosen.published_at,
        detail=detail,
        refusal=younger[0] if younger else None,
        until=min([expiry, *ends]),
    )


def _refusal_of(one: Held, cooldown: Cooldown, now: datetime, as_of: datetime | None) -> Refusal | None:
    dated = Dated(published=one.published_at, source="registry")
    return cooldown.judge("", f"generation {one.number}", dated, now, as_of)
