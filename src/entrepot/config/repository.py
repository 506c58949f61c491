"""Settings of one repository: a mounted endpoint of ours, its upstreams and its policy."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from entrepot.config.names import UpstreamReference
from entrepot.config.units import Backoff, Duration, Lifetime


class Freshness(BaseModel):
    """How long stored answers are used without asking: `[repositories.NAME.freshness]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mutable_ttl: Lifetime = Field(
        default=300.0,
        description='For what changes (indexes); "upstream" honours s-maxage, max-age and Expires, "0" always asks.',
    )
    immutable_ttl: Duration = Field(default=float("inf"), description="For what never changes under its name.")
    revalidate: Literal["conditional", "unconditional"] = Field(
        default="conditional",
        description="Whether an expired answer is asked about by its validators, or fetched anew.",
    )
    negative_ttl: Duration = Field(default=45.0, description="For upstream's 404 and 410, and for its errors.")


class Stale(BaseModel):
    """When an expired answer is used all the same (RFC 5861): `[repositories.NAME.stale]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    while_revalidate: Duration = Field(default=300.0, description="After expiry: answer now, ask upstream behind.")
    if_error: Duration = Field(
        default=7 * 86400.0,
        description="After expiry, when upstream cannot be reached or answers 429, 500, 502, 503 or 504.",
    )
    patience: Duration = Field(
        default=1.5,
        description="How long a client waits for upstream's first word before it gets the expired answer.",
    )
    error_backoff: Backoff = Field(
        default=(30.0, 300.0), description="Pause before the next try after a failed one, growing."
    )


class Repository(BaseModel):
    """A named endpoint of ours: `[repositories.NAME]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ecosystem: str = Field(description="Which package managers it speaks with.")
    upstreams: tuple[UpstreamReference, ...] = Field(
        default=("default",),
        description='Names from [upstreams] or plain URLs, asked in order; "default" is discovered.',
    )
    on_gone: Literal["follow", "serve"] = Field(
        default="follow",
        description="When upstream says 404 or 410 of what is stored: say so too, or go on serving it.",
    )
    on_forbidden: Literal["stale", "drop"] = Field(
        default="stale",
        description="When upstream says 401 or 403 of what is stored: serve it within if_error, or drop it.",
    )
    verify: Literal["always", "when-known"] = Field(
        default="always",
        description="Whether a file whose index cannot be read is refused, or served where no digest of it is known.",
    )
    honour_client_no_cache: bool = Field(
        default=False, description="Whether a client's no-cache and max-age make us ask upstream."
    )
    obey_no_store: bool | None = Field(
        default=None,
        description="Whether upstream's no-store and private keep an answer out of the store; unset: for generic only.",
    )
    freshness: Freshness = Freshness()
    stale: Stale = Stale()
    options: dict[str, object] = Field(
        default={}, description="Options of the ecosystem; they may also stand beside the other keys."
    )
