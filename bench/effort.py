"""How much trouble a run takes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    rounds: int
    seconds: int
    """Of one round of load."""
    quick: bool = False


FULL = Effort(rounds=5, seconds=3)
QUICK = Effort(rounds=3, seconds=1, quick=True)
