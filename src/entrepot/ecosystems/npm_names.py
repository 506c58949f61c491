"""How npm's packages, versions and files are spelled in paths: parsed once, strictly, into one canonical form."""

import re
from urllib.parse import unquote

from entrepot.errors import BadRequest
from entrepot.model.paths import decode_segment

_LONGEST_PATH = 4096
_LONGEST_PACKAGE = 214  # The limit of validate-npm-package-name.

# A scoped name may come as one segment: its encoded slash is the only one that is understood.
_ONE_SEGMENT = re.compile(r"((?:^|/)(?:@|%40)[^/%]*)%2[Ff]")
# What JavaScript's encodeURIComponent leaves alone: npm's own definition of "URL-friendly".
_FRIENDLY = r"[A-Za-z0-9~!'()*._-]"
_PACKAGE = re.compile(rf"(?:@(?!\.){_FRIENDLY}+/(?!\.)|(?![-._])){_FRIENDLY}+\Z")
_RESERVED = frozenset({"node_modules", "favicon.ico"})
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,255}\Z")
_TARBALL = re.compile(rf"(?!\.)(?:{_FRIENDLY}|\+){{1,480}}\.tgz\Z")
# A path with a query that may be asked of a registry: no dot segments, no control characters or backslashes, in any
# spelling.
_LISTED = re.compile(
    r"(?!.*%(?:[01]|5[cC]|7[fF]))"
    r"(?:/(?!(?:\.|%2[eE]){1,2}(?:[/?]|\Z))(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)+"
    r"(?:\?(?:[A-Za-z0-9/?._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)?\Z"
)


def is_package(name: str) -> bool:
    return len(name) <= _LONGEST_PACKAGE and bool(_PACKAGE.match(name)) and name.lower() not in _RESERVED


def is_version(text: str) -> bool:
    """Whether it can be a version or a dist-tag."""
    return bool(_VERSION.match(text))


def is_tarball(name: str) -> bool:
    return bool(_TARBALL.match(name))


def escape(package: str) -> str:
    """The name as npm writes it in URLs: a scoped name is one segment."""
    return package.replace("/", "%2f")


def decode_segments(path: str) -> tuple[str, ...]:
    """The segments of a raw path, each decoded once; a scoped name is always two of them. Raises BadRequest."""
    if len(path) > _LONGEST_PATH:
        raise BadRequest(f"the path is longer than {_LONGEST_PATH} characters")
    segments = tuple(decode_segment(segment) for segment in _ONE_SEGMENT.sub(r"\1/", path).split("/"))
    if "" in segments:
        raise BadRequest(f"{path[:80]}: a segment of this path is empty")
    return segments


def split_package(segments: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The package that the segments begin with, and the segments behind it. Raises BadRequest."""
    size = 2 if segments and segments[0].startswith("@") else 1
    name = "/".join(segments[:size])
    if not is_package(name):
        raise BadRequest(f"{name[:80]!a} is not an npm package name")
    return name, segments[size:]


def is_listable(path: str) -> bool:
    """Whether an index may name this path (percent-encoded, with a query) for a file."""
    return len(path) <= _LONGEST_PATH and bool(_LISTED.match(path))


def tarball_name(package: str, version: str, path: str) -> str:
    """The file name under which we serve a version's tarball.

    A file at a conventional path (`…/{package}/-/{file}.tgz`) keeps its name, because lock files that were written
    elsewhere ask for it. Any other gets the name that npm would have given it: pnpm and yarn ask for that when a lock
    file has no address, and then have no reason to write ours into it.
    """
    before, _, file = (unquote(path) if "%" in path else path).rpartition("/-/")
    if before.endswith(f"/{package}") and is_tarball(file):
        return file
    return f"{package.rpartition('/')[2]}-{version}.tgz"
