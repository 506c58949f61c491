"""A repository as the engine knows it: an ecosystem, its upstreams, its rules."""

from dataclasses import dataclass, field, replace
from typing import Literal

from entrepot.cache.freshness import FreshnessRules, ruled
from entrepot.cache.frozen import Frozen
from entrepot.contracts.ecosystem import Ecosystem, Limits
from entrepot.model.names import ReservedNames
from entrepot.model.trees import Tree
from entrepot.policy.gate import Gate
from entrepot.policy.verdict import Overrides, Refusal

MOST_VARIANTS = 4096

Store = Literal["on", "off", "behind"]


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
    gate: Gate = field(default_factory=Gate)
    store: Store = "on"
    reserved: ReservedNames = field(default_factory=ReservedNames)
    """Names that only upstreams that own them are asked about."""
    sealed: Refusal | None = None
    """Why nobody may be asked; what is stored is served all the same."""
    offline_miss: Literal[404, 504] = 504
    """What is answered offline for what is not stored; 404 only where the repository is declared complete."""
    trees: tuple[Tree, ...] = ()
    """Folders that are mirrored as a whole."""
    listings: bool = False
    """Whether folders outside of them get directory pages of ours, too."""
    frozen: Frozen | None = None
    """Set where only what a session got is served."""
    _plain: "Repository | None" = None
    _variants: dict[tuple[Overrides | None, str, bool], "Repository"] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def plain(self) -> "Repository":
        """Without what the rules for one resource change."""
        return self._plain or self

    def as_of_session(self, frozen: Frozen) -> "Repository":
        """Nothing but what the session got, at any age and without contact."""
        return replace(self, rules=replace(self.rules, network="offline"), frozen=frozen, _plain=None, _variants={})

    def under(self, overrides: Overrides | None, upstream: str = "", *, keep: bool = True) -> "Repository":
        """This repository as a rule changes it: other freshness, one upstream only, nothing kept."""
        key = overrides, upstream, keep
        if key == (None, "", True):
            return self
        variant = self._variants.get(key)
        if variant is None:
            rules = ruled(self.rules, overrides)
            variant = replace(
                self,
                rules=rules if keep else replace(rules, keep=False),
                upstreams=(upstream,) if upstream else self.upstreams,
                _plain=self.plain,
                _variants={},
            )
            if len(self._variants) < MOST_VARIANTS:
                self._variants[key] = variant
        return variant
