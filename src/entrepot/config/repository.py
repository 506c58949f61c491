"""Settings of one repository: a mounted endpoint of ours, its upstreams and its policy."""

from collections.abc import Container
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from entrepot.config.names import OptionalUrl, UpstreamReference
from entrepot.config.policy import Cooldown, NetworkMode, OfflineMiss, RedirectStatus, RepositoryMode, Rule
from entrepot.config.trees import TreeSettings
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
    mode: RepositoryMode = Field(
        default="sync",
        description="What a miss gets: `sync`, `async`, `redirect`, `async_redirect`, `none` or `deny`; or a download "
        'file that says so: `"file:policy.hcl"` (relative to the configuration) or `"custom:<base64>"`.',
    )
    redirect_url: OptionalUrl = Field(
        default="", description="Where a redirect leads; the path below the repository is appended. Rules inherit it."
    )
    redirect_status: RedirectStatus = Field(default=302, description="Status of a redirect; Athens answers 301.")
    unmatched: Literal["allow", "deny"] = Field(
        default="allow", description="What a path gets that no rule names: deny refuses it with 403."
    )
    reserved: tuple[str, ...] = Field(
        default=(),
        description="Package names (globs or purls) that are sent to no upstream but one that owns them.",
    )
    network: NetworkMode | None = Field(
        default=None,
        description="As the setting `network` of all repositories, for this one; unset: that one.",
    )
    offline_miss: OfflineMiss = Field(
        default="504",
        description="Status for what is not stored while offline; 404 is true only where the repository is complete.",
    )
    store: Literal["on", "off", "behind"] = Field(
        default="on",
        description="Whether what is fetched is stored: yes, no, or by a job behind the answer.",
    )
    open: bool | None = Field(
        default=None,
        description="Whether it may be read without a token; unset: as server.open says, but never where an upstream "
        "is asked with credentials. Where no token is configured, whoever can reach us may read.",
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
    listings: bool = Field(
        default=False,
        description="Whether folders are answered with directory pages of our own, also where no tree is mirrored.",
    )
    freshness: Freshness = Freshness()
    stale: Stale = Stale()
    cooldown: Cooldown = Cooldown()
    rules: tuple[Rule, ...] = ()
    trees: tuple[TreeSettings, ...] = ()
    options: dict[str, object] = Field(
        default={}, description="Options of the ecosystem; they may also stand beside the other keys."
    )

    def options_for(self, known: Container[str]) -> dict[str, object]:
        """The ecosystem's options, with those of our own settings that it wants to hear of too."""
        shared: dict[str, object] = {
            "unmatched": self.unmatched,
            "rules": [_told(rule) for rule in self.rules if rule.path],
        }
        return {**self.options, **{name: value for name, value in shared.items() if name in known}}


def _told(rule: Rule) -> dict[str, object]:
    """What an ecosystem that classes paths itself needs to know of a rule."""
    told = {"path": rule.path, "class": rule.klass or "mutable", "mutable_ttl": rule.mutable_ttl}
    return {key: value for key, value in told.items() if value not in (None, "upstream")}
