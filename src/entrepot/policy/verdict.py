"""What policy says of one resource."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

Class = Literal["immutable", "mutable", "uncacheable"]


class Mode(StrEnum):
    """What a miss gets (Athens's words, and `deny`)."""

    SYNC = "sync"
    ASYNC = "async"
    REDIRECT = "redirect"
    ASYNC_REDIRECT = "async_redirect"
    NONE = "none"
    DENY = "deny"

    @property
    def redirects(self) -> bool:
        return self in (Mode.REDIRECT, Mode.ASYNC_REDIRECT)

    @property
    def fills(self) -> bool:
        """Whether the miss is fetched behind the answer."""
        return self in (Mode.ASYNC, Mode.ASYNC_REDIRECT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why something may not be had. It holds for stored content too."""

    kind: Literal["deny", "exclude", "unmatched", "cooldown", "as-of", "validator", "reserved", "session"]
    rule: str
    """Which rule of which file: `entrepot.toml:12 repositories.npm.cooldown.default`, `policy.hcl:7 download "x"`."""
    reason: str
    """One sentence for the person who is refused."""
    status: int = 403
    until: datetime | None = None
    """When it will be allowed, where time alone decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """What a miss gets, and by which rule."""

    mode: Mode = Mode.SYNC
    redirect_url: str = ""
    """The base that the path below the repository is joined to; set wherever `mode` redirects."""
    redirect_status: int = 302
    upstream: str = ""
    """The name of the one upstream that `sync` fetches from; empty: the repository's, in order."""
    rule: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a rule says of freshness instead of the repository; None: nothing. Durations in seconds."""

    klass: Class | None = None
    mutable_ttl: float | Literal["upstream"] | None = None
    immutable_ttl: float | None = None
    conditional: bool | None = None
    while_revalidate: float | None = None
    if_error: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer to the one question (policy §4, steps 2, 3 and 5), dates left aside."""

    refusal: Refusal | None = None
    direct: str = ""
    """Where clients are sent instead of us, also for what is stored (`filter … direct`); a complete URL base."""
    download: Download = Download()
    overrides: Overrides | None = None
    rule: str = ""
    """The rule that `overrides` come from."""
    unversioned: bool = False
    """The version matters, and only the index that lists the file tells it; with it, judge again. Until then the
    refusal stands."""
    undecided: bool = False
    """The version is a branch or a hash that rules cannot compare before it is resolved; then judge again."""
