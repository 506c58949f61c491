"""Trees of packages that are served as plain files until their ecosystem is here: which of their paths change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Paths:
    """Expressions for whole paths."""

    path: str
    klass: str
    is_index: bool = True
    """What clients need before they can ask for a package."""


INDEXES: Final[Mapping[str, tuple[Paths, ...]]] = {
    "generic": (),
    "alpine": (
        Paths(r".*/(APKINDEX\.tar\.gz|[^/]*\.adb)", "mutable"),
        Paths(r".*\.apk", "immutable", is_index=False),
    ),
    "rpm": (
        # A name that holds a digest never means other bytes; the rest changes.
        Paths(r".*/repodata/[0-9a-f]{32,128}-[^/]+", "immutable"),
        Paths(r".*/(repodata/.*|mirrorlist|metalink)", "mutable"),
        Paths(r".*\.d?rpm", "immutable", is_index=False),
    ),
    "debian": (
        Paths(r".*/by-hash/.*", "immutable"),
        Paths(r".*/dists/.*", "mutable"),
        Paths(r".*/pool/.*", "immutable", is_index=False),
    ),
    "helm": (Paths(r".*/index\.yaml", "mutable"), Paths(r".*\.tgz(\.prov)?", "immutable", is_index=False)),
    "puppet": (Paths(r"/v3/(modules|releases).*", "mutable"), Paths(r"/v3/files/.*", "immutable", is_index=False)),
}
"""By what others call the type."""

NATIVE_INDEXES: Final[Mapping[str, tuple[str, ...]]] = {
    "pypi": ("/simple/.*",),
    "npm": (r"/(@[^/]+/)?[^/]+",),
    "golang": (r".*/(@v/list|@latest|@v/[^/]+\.info)",),
}
"""Paths of the ecosystems that are here; what changes they know themselves."""
