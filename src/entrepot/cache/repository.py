"""A repository as the engine knows it: an ecosystem, its upstreams, its rules."""

from dataclasses import dataclass

from entrepot.cache.freshness import FreshnessRules
from entrepot.contracts.ecosystem import Ecosystem, Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    name: str
    ecosystem: Ecosystem
    upstreams: tuple[str, ...]
    """Names, asked in this order until one has what is wanted."""
    rules: FreshnessRules
    limits: Limits
    """The configured ceilings, or tighter ones of the ecosystem."""
    verify_always: bool = True
    """Whether a file whose index cannot be read is an error (and not a file without a published digest)."""
