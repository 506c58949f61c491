"""Settings of what is fetched behind answers (policy §3, last paragraph)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from entrepot.config.units import Age, Backoff


class Fills(BaseModel):
    """What is fetched behind answers: for the modes `async` and `async_redirect`, and for `store = "behind"`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workers: int = Field(default=4, ge=1, le=64, description="Fills at the same time, in each process that serves.")
    allow_trigger: Literal["any", "authenticated", "none"] = Field(
        default="any",
        description="Whose misses start a fill: everybody's, those of tokens with the right `trigger`, or nobody's.",
    )
    per_client: int = Field(default=1000, ge=1, description="Fills of one client that may wait at the same time.")
    per_repository: int = Field(default=5000, ge=1, description="Fills of one repository that may wait.")
    total: int = Field(default=10_000, ge=1, le=1_000_000, description="Fills that may wait; beyond it none is taken.")
    quiet_period: Age = Field(
        default=3600.0, description="Time from the start of a fill that succeeded to the next of the same."
    )
    backoff: Backoff = Field(
        default=(30.0, 3600.0), description="Pause after a fill that failed; it doubles each time, up to the second."
    )
    failed_for: Age = Field(
        default=86400.0,
        description="How long nothing is tried after a failure that trying again cannot mend; "
        "`entrepot fills clear` ends it.",
    )
