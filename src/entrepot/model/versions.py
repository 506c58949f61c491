"""Version orders of the ecosystems."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import total_ordering

from packaging.version import InvalidVersion, Version

_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_SEMVER = re.compile(
    rf"(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER})"
    rf"(?:-(?P<prerelease>{_IDENTIFIERS}))?(?:\+(?P<build>{_IDENTIFIERS}))?\Z"
)
_SHORTENED = re.compile(r"[0-9]+(?:\.[0-9]+)?\Z")
_NATURAL = re.compile(r"v?[0-9]", re.ASCII)
_PARTS = re.compile(r"[0-9]+|[a-z]+", re.ASCII)
_UNFINISHED = frozenset({"a", "alpha", "b", "beta", "dev", "m", "pre", "preview", "rc", "snapshot"})
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


VersionKey = tuple[object, ...]
"""Compares as the versions of one order do."""


@dataclass(frozen=True, slots=True)
class VersionOrder:
    """How an ecosystem's versions follow each other."""

    name: str
    key: Callable[[str], VersionKey | None]
    """None for what has no place in the order: a branch, a hash, a tag."""
    bound: Callable[[str], VersionKey | None]
    """The key of what people write to compare with: a `v` before it may be there or not, and missing numbers are 0."""


def _semver_key(text: str) -> VersionKey | None:
    version = parse_semver(text)
    return version.rank if version else None


def _go_key(text: str) -> VersionKey | None:
    version = parse_go_version(text)
    return version.rank if version else None


def _semver_bound(text: str) -> VersionKey | None:
    text = text.removeprefix("v")
    missing = 2 - text.count(".") if _SHORTENED.match(text) else 0
    return _semver_key(text + ".0" * missing)


def _pep440_key(text: str) -> VersionKey | None:
    try:
        return (Version(text),) if len(text) <= _LONGEST else None
    except InvalidVersion:
        return None


def _natural_key(text: str) -> VersionKey | None:
    """Numbers by size, words by alphabet; words come before numbers, and words of unfinished versions before the end:
    1.0-rc1 < 1.0 < 1.0-fix < 1.0.1."""
    if len(text) > _LONGEST or not _NATURAL.match(text):
        return None
    return (*map(_natural_rank, _PARTS.findall(text.removeprefix("v").lower())), (1, 0, ""))


def _natural_rank(part: str) -> tuple[int, int, str]:
    if part[0].isdigit():
        return 3, int(part), ""
    return (0 if part in _UNFINISHED else 2), 0, part


SEMVER = VersionOrder("semver", _semver_key, _semver_bound)
GO = VersionOrder("go", _go_key, _semver_bound)
PEP440 = VersionOrder("pep440", _pep440_key, _pep440_key)
NATURAL = VersionOrder("generic", _natural_key, _natural_key)
