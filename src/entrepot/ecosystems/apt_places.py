"""What the paths of a Debian archive mean. Paths are decoded segments."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from entrepot.model.digest import Digest, parse_hex

BY_HASH = {"SHA512": "sha512", "SHA256": "sha256", "SHA1": "sha1", "MD5Sum": "md5"}
"""The names of folders below `by-hash`."""
ROOTS = ("InRelease", "Release")
_INDEX = re.compile(
    r"(?:Packages|Sources|Index|Release|(?:Contents|Translation|Components|icons|Commands)-?[^/]*)"
    r"(?:\.(?:gz|xz|bz2|lzma|lz4|zst|yml|tar|json))*\Z"
)
_LISTING = re.compile(r"(?:Packages|Sources)(?:\.(?:gz|xz|bz2|lzma|lz4|zst))?\Z")
_PACKAGE = re.compile(r"(?P<name>[^_/]+)_(?P<version>[^_/]+)_(?P<arch>[^_./]+)\.(?:deb|udeb|ddeb)\Z")
_LONGEST_NAME = 255
_PACKED = re.compile(r"(?P<stem>.+)\.(?:deb|udeb|ddeb)\Z", re.IGNORECASE)
_SOURCE = re.compile(
    r"(?P<name>[^_/]+)_(?P<version>[^_/]+?)(?:\.orig(?:-[^/_]+)?|\.debian)?"
    r"\.(?:dsc|diff\.gz|tar\.(?:gz|xz|bz2|lzma|zst)(?:\.asc)?)\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A package file, by its name: `name_version_arch.deb`, without the version's epoch. One called otherwise has
    what stands before its ending as its name."""

    name: str
    version: str = ""
    arch: str = ""


def read_file_name(name: str) -> File | None:
    """None for what is no package file."""
    found = _PACKAGE.match(name)
    if found:
        return File(name=found["name"], version=found["version"], arch=found["arch"])
    # Longer names cannot be looked at quickly, and no disk has them.
    found = _SOURCE.match(name) if len(name) <= _LONGEST_NAME else None
    if found:
        return File(name=found["name"], version=found["version"], arch="source")
    found = _PACKED.match(name)
    return File(name=found["stem"]) if found else None


def by_hash_of(segments: Sequence[str]) -> Digest | None:
    """The digest that a path below `by-hash` tells; None for any other."""
    if len(segments) < 3 or segments[-3] != "by-hash" or segments[-2] not in BY_HASH:
        return None
    return parse_hex(BY_HASH[segments[-2]], segments[-1])


def root_folder_of(segments: Sequence[str], suites: Sequence[str]) -> tuple[str, ...] | None:
    """The folder of the root that an index belongs to; None for what is no index.

    `suites`: names with slashes in them that the configuration tells: a path alone does not say where a suite's name
    ends and a component's begins.
    """
    if "dists" in segments[:-2]:
        at = segments.index("dists")
        behind = list(segments[at + 1 : -1])
        named = [len(words) for suite in suites if behind[: len(words := suite.split("/"))] == words]
        return tuple(segments[: at + 1 + max(named, default=1)])
    return tuple(segments[:-1]) if _INDEX.match(segments[-1]) else None


def is_root(segments: Sequence[str]) -> bool:
    """Whether it is what a suite, or a flat archive, is signed by. A component's own `Release` is an index."""
    parent = segments[-2] if len(segments) > 1 else ""
    return segments[-1] in ROOTS and not parent.startswith("binary-") and parent != "source"


def lists_files(segments: Sequence[str]) -> bool:
    """Whether a document may name packages, sources or patches of an index. What its digest alone names is told by
    its folder; where that does not tell, by what is in it."""
    if by_hash_of(segments) is not None:
        folder = segments[-4] if len(segments) > 3 else ""
        return folder.startswith("binary-") or folder.endswith(".diff") or folder == "source" or "dists" not in segments
    if segments[-1] == "Index":
        return len(segments) > 1 and segments[-2].endswith(".diff")
    return _LISTING.match(segments[-1]) is not None


def is_patch(segments: Sequence[str]) -> bool:
    """Whether it is the difference between two editions of an index."""
    return len(segments) > 1 and segments[-2].endswith(".diff") and segments[-1] != "Index"
