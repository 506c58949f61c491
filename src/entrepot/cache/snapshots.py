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
    """A generation that could be served."""

    number: int
    published_at: datetime
    """When we first had it: what a root says of itself can be set back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    held: Held
    detail: str = ""
    """How the answer is marked."""
    refusal: Refusal | None = None
    """Why the current one is not served, or should not be."""
    until: float = inf
    """Seconds since the epoch: when this must be reckoned anew."""


def candidates(
    generations: Sequence[Held], cooldown: Cooldown, now: datetime, as_of: datetime | None = None
) -> list[Choice]:
    """In the order in which they are wanted: those that are old enough, the latest first; then the others, the oldest
    first. `generations`: the latest first, at least one."""
    refusals = {one.number: _refusal_of(one, cooldown, now, as_of) for one in generations}
    ends = [refusal.until.timestamp() for refusal in refusals.values() if refusal is not None and refusal.until]
    current = generations[0]
    why, until = refusals[current.number], min(ends, default=inf)
    ripe = [one for one in generations if refusals[one.number] is None]
    unripe = [one for one in reversed(generations) if refusals[one.number] is not None]
    return [
        *(Choice(held=one, detail="" if one is current else OLDER, refusal=why, until=until) for one in ripe),
        *(Choice(held=one, detail=TOO_YOUNG, refusal=why, until=until) for one in unripe),
    ]


def _refusal_of(one: Held, cooldown: Cooldown, now: datetime, as_of: datetime | None) -> Refusal | None:
    dated = Dated(published=one.published_at, source="registry")
    return cooldown.judge("", f"generation {one.number}", dated, now, as_of)


def kept_seconds(cooldown: Cooldown | None) -> float:
    """For how long a generation may still be wanted that another one took the place of."""
    if cooldown is None:
        return 0.0
    return inf if cooldown.as_of is not None else cooldown.default
