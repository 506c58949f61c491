"""The download file: what a miss gets, by package and version (policy §3)."""

from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from entrepot.model.constraints import Constraint
from entrepot.policy.patterns import Packages
from entrepot.policy.verdict import Download

T = TypeVar("T")

Passage = Literal["include", "exclude", "direct"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain(Generic[T]):
    """What one block says: of versions, the first that matches, else its own."""

    own: T
    versions: tuple[tuple[Constraint, T], ...] = ()

    def of(self, version: str) -> T:
        """The block's own word also for what cannot be compared; see `decides`."""
        return next((said for constraint, said in self.versions if constraint.admits(version)), self.own)

    def decides(self, version: str) -> bool:
        """False for a branch, a hash or no version at all, where versions make a difference."""
        return not self.versions or self.versions[0][0].admits(version) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Whether clients are served at all, whatever is stored."""

    passage: Passage
    redirect_url: str = ""
    """Where `direct` sends them."""
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadFile:
    """The first block that matches a package counts, and nothing of any other."""

    default: Chain[Download]
    blocks: Packages[Chain[Download]] = field(default_factory=Packages)
    filters: Packages[Chain[Filter]] = field(default_factory=Packages)
    name: str = ""
    warnings: tuple[str, ...] = ()
    """About blocks that never count."""

    def choose(self, package: str) -> Chain[Download]:
        return self.blocks.first(package) or self.default

    def sift(self, package: str) -> Chain[Filter] | None:
        """What its filters say of a package; None: nothing."""
        return self.filters.first(package)
