"""What each path of an RPM repository is, and where it belongs."""

import re
from dataclasses import replace

from entrepot.ecosystems.rpm_repomd import FOLDER, ROOT
from entrepot.model.digest import Digest, parse_hex
from entrepot.model.paths import encode_segment
from entrepot.model.resource import Kind, Resource

MIRRORS = "mirrors"
"""The form of what lists mirrors."""
# Shorter digests are only names: what has them is checked against its root as if it had none.
_HASHED = re.compile(r"([0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})[-.].+", re.ASCII)
_ALGORITHMS = {40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
_LISTS = re.compile(r"(?:.*[-.])?(?:primary|prestodelta|deltainfo)\.xml(?:\.(?:gz|xz|zst|bz2|zck))?", re.ASCII)
_MIRRORS = re.compile(r"metalink|mirrorlist|(?:.*[-.])?(?:mirror\.?list|mirrors)(?:\.txt)?", re.ASCII)
_MIRROR_FOLDERS = frozenset({"metalink", "mirrorlist"})
"""Below these, any name is a question for mirrors; a folder `mirrors` has files in it."""
_PACKAGE = re.compile(
    r"(?P<name>[^/]+)-(?P<version>[^-/:]+)-(?P<release>[^-/:]+)\.(?P<arch>[A-Za-z0-9_]+)\.rpm", re.ASCII
)
_DELTA = re.compile(
    r"(?P<name>[^/]+)-[^-/]+-[^-/_]+_(?P<version>[^-/]+)-(?P<release>[^-/]+)\.(?P<arch>[A-Za-z0-9_]+)\.drpm", re.ASCII
)


def resource_at(segments: list[str], query: str) -> Resource:
    """`segments` are decoded; `query` is without what only counts people."""
    key = "/".join(map(encode_segment, segments))
    plain = Resource(key=key, path=key, query=query, kind=Kind.SIGNED, must_be_listed=False)
    name = segments[-1]
    if FOLDER in segments[-2:-1]:
        return _metadata(plain, name, "/".join(map(encode_segment, [*segments[:-1], ROOT])))
    if name.lower().endswith((".rpm", ".drpm")):
        return _package(plain, name)
    if _MIRRORS.fullmatch(name) or not _MIRROR_FOLDERS.isdisjoint(segments):
        return replace(plain, kind=Kind.INDEX, form=MIRRORS)
    return plain


def _metadata(plain: Resource, name: str, root: str) -> Resource:
    examined = is_primary(name) or is_signature(name)
    plain = replace(plain, lists=_LISTS.fullmatch(name) is not None, examined=examined)
    digest = digest_of(name)
    if digest is not None:
        return replace(plain, kind=Kind.ARTIFACT, digest=digest)
    return replace(plain, snapshot="" if plain.query else root)


def is_primary(name: str) -> bool:
    """Whether a file of this name is what names all packages."""
    return _LISTS.fullmatch(name) is not None and "primary.xml" in name


def is_signature(name: str) -> bool:
    return name.endswith(".asc")


def digest_of(name: str) -> Digest | None:
    """The one that a file of metadata is named by."""
    found = _HASHED.fullmatch(name)
    return parse_hex(_ALGORITHMS[len(found[1])], found[1]) if found else None


def _package(plain: Resource, name: str) -> Resource:
    """Files name packages without their epoch."""
    found = _PACKAGE.fullmatch(name) or _DELTA.fullmatch(name)
    resource = replace(plain, kind=Kind.ARTIFACT, listed_anywhere=True)
    if found is None:
        return replace(resource, about=name.rpartition(".")[0])
    return replace(resource, about=found["name"], version=f"{found['version']}-{found['release']}")


def arch_of(key: str) -> str:
    """Of a package, by its file's name."""
    found = _PACKAGE.fullmatch(key.rpartition("/")[2])
    return found["arch"] if found else ""
