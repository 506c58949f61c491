"""Settings of sessions, whose traffic is recorded."""

from pydantic import BaseModel, ConfigDict, Field

from entrepot.config.units import Age


class Sessions(BaseModel):
    """What is kept of sessions ([what did this build use?](sessions.md)). Frozen ones stay until they are dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep: int = Field(default=1000, ge=1, le=100_000, description="Sessions whose record is kept; the oldest go first.")
    keep_for: Age = Field(default=30 * 86400.0, description="How long the record of a session is kept.")
    items: int = Field(
        default=100_000, ge=1, le=10_000_000, description="Things in one record; beyond it says that it is incomplete."
    )
