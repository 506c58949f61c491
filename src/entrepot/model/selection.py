"""What is to be held of a package: what purls, bills of materials and lock files come down to."""

from dataclasses import dataclass, field
from enum import Enum

from entrepot.model.digest import Digest


class Depth(Enum):
    """How far a selection follows what its packages depend on."""

    NONE = "none"
    RUNTIME = "runtime"
    """What an installation of the package brings along."""
    ALL = "all"
    """Besides: what building and testing the package itself, or its extras, would bring along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What holds for all selections of one order."""

    depth: Depth = Depth.NONE
    platforms: tuple[str, ...] = ()
    """Where the packages will be used, as `parse_platform` reads them; empty: everywhere."""
    latest: int | None = None
    """Only so many of the newest versions, where no version is named; None: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Versions of one package, and which of their files. Hashable: two equal ones are one piece of work."""

    package: str
    """The native name, as in `Resource.about`."""
    version: str = ""
    """Exactly this one, in the ecosystem's spelling; empty: those that `within` and the extent's `latest` leave."""
    within: str = ""
    """Comparisons joined by commas, as `parse_constraint` reads them, or a requirement as the ecosystem's own
    documents write it; empty: any."""
    files: tuple[str, ...] = ()
    """Names of the only files that are wanted, as in `ReleaseFile.name`; empty: what the platforms leave."""
    digests: tuple[Digest, ...] = ()
    """Only files that have one of these; empty: whatever is published. A file listed with none of them is not what
    the order means, and that is an error."""
    parts: tuple[str, ...] = ()
    """Optional parts of the package that are wanted, too: extras, features, classifiers."""
    qualifiers: tuple[tuple[str, str], ...] = ()
    """Of the purl that it was made from, sorted, without those that are told above."""
    extent: Extent = field(default_factory=Extent)

    def __str__(self) -> str:
        return f"{self.package} {self.version or self.within}".strip()
