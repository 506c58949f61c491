"""How much is fetched behind answers, for whom, and when again."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRules:
    """Times are seconds."""

    workers: int = 4
    """Fills at the same time, in this process."""
    allow_trigger: Literal["any", "authenticated", "none"] = "any"
    per_client: int = 1000
    per_repository: int = 5000
    total: int = 10_000
    quiet_period: float = 3600.0
    backoff: tuple[float, float] = (30.0, 3600.0)
    failed_for: float = 86400.0
