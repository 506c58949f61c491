"""Version orders of the ecosystems."""

import re
from dataclasses import dataclass
from functools import total_ordering

_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_SEMVER = re.compile(
    rf"(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER})"
    rf"(?:-(?P<prerelease>{_IDENTIFIERS}))?(?:\+(?P<build>{_IDENTIFIERS}))?\Z"
)
_LONGEST = 256
"""Characters; no registry has longer versions, and Python refuses to read numbers of thousands of digits."""

Rank = tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]


@total_ordering
@dataclass(frozen=True, slots=True, kw_only=True)
class Semver:
    """A semantic version (semver 2.0.0). Order ignores build metadata (§10); equality does not."""

    major: int
    minor: int
    patch: int
    prerelease: str = ""
    build: str = ""

    @property
    def rank(self) -> Rank:
        """What the order compares (§11): a pre-release before its release, numbers before words."""
        return (self.major, self.minor, self.patch), not self.prerelease, _ranks_of(self.prerelease)

    def __lt__(self, other: "Semver") -> bool:
        return self.rank < other.rank


def _ranks_of(prerelease: str) -> tuple[tuple[bool, int, str], ...]:
    words = prerelease.split(".") if prerelease else []
    return tuple((False, int(word), "") if word.isdigit() else (True, 0, word) for word in words)


def parse_semver(text: str) -> Semver | None:
    """A complete semantic version, without a leading `v`; None for anything else, shortened forms too."""
    found = _SEMVER.match(text) if len(text) <= _LONGEST else None
    if not found:
        return None
    prerelease, build = found["prerelease"] or "", found["build"] or ""
    # Semver §9: no leading zeros in a number that is a whole identifier of a pre-release.
    if any(word.isdigit() and len(word) > 1 and word[0] == "0" for word in prerelease.split(".")):
        return None
    major, minor, patch = (int(found[part]) for part in ("major", "minor", "patch"))
    return Semver(major=major, minor=minor, patch=patch, prerelease=prerelease, build=build)


def parse_go_version(text: str) -> Semver | None:
    """A canonical Go version: `v`, all three numbers, and no build metadata but `+incompatible`
    (golang.org/x/mod/module, CanonicalVersion). None for what Go calls a query: a branch, a hash, `v1`, `latest`."""
    version = parse_semver(text[1:]) if text.startswith("v") else None
    return version if version and version.build in ("", "incompatible") else None
