"""Names, paths and versions as Python indexes spell them."""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, unquote

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from entrepot.errors import BadRequest

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,213}[A-Za-z0-9])?\Z")
_PLAIN_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9_.~@-]+)+\Z")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f/\\%\ud800-\udfff]")
_QUERY = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*\Z")
_HOST = re.compile(r"([a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?)(?::([1-9][0-9]{0,4}))?\Z")
SIDE_FILES = (".metadata", ".asc", ".provenance")
ARCHIVES = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.Z", ".tar")
DISTRIBUTIONS = (".whl", ".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg", *ARCHIVES)


def project_of(name: str) -> str:
    """The normalised name (PEP 503). Raises BadRequest for what is no name (PEP 508)."""
    if not _NAME.match(name):
        raise BadRequest(f"{name!r} is no name of a Python project")
    return canonicalize_name(name)


def segments_of(path: str) -> list[str]:
    """The decoded segments of a raw path; the last one is empty where the path ends with a slash.

    Raises BadRequest for dot and empty segments, separators and controls in any spelling, and double encoding.
    """
    *parents, last = path.split("/")
    return [*map(_decoded, parents), _decoded(last) if last else ""]


def _decoded(segment: str) -> str:
    try:
        text = unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{segment!r} is not UTF-8") from error
    if text in ("", ".", "..") or _FORBIDDEN.search(text):
        raise BadRequest(f"{segment!r} cannot be part of a path")
    return text


def path_of(segments: list[str]) -> str:
    """The canonical spelling below the root of an origin.

    It is pip's own: pip quotes every link it reads (`+` becomes `%2B`), so this is what upstreams are used to.
    """
    return "".join("/" + quote(segment, safe="@") for segment in segments)


def canonical_path(path: str) -> str:
    """The canonical spelling of a listed path with its leading slash. Raises BadRequest as `segments_of` does."""
    if _PLAIN_PATH.match(path):
        return path
    segments = segments_of(path[1:])
    if not path.startswith("/") or not segments[-1]:
        raise BadRequest(f"{path!r} is no path of a file")
    return path_of(segments)


def checked_query(query: str) -> str:
    """The query as it is. Raises BadRequest where it could not stand in a URL."""
    if not _QUERY.match(query):
        raise BadRequest(f"{query!r} is no query of a URL")
    return query


def host_of(text: str) -> str:
    """The canonical spelling of a host with its port, if that is not 443. Raises BadRequest."""
    found = _HOST.match(text.lower())
    if not found or int(found[2] or 443) > 65535:
        raise BadRequest(f"{text!r} is no host")
    return found[1] if found[2] in (None, "443") else found[0]


def version_of(filename: str, project: str) -> str:
    """The version in the name of a file or of its side file; empty where the name does not follow the rules."""
    for suffix in SIDE_FILES:
        filename = filename.removesuffix(suffix)
    return _normal_version(_version_text(filename, project))


def _version_text(filename: str, project: str) -> str:
    """What stands behind the project's name. Older sdists may have dashes in name and version, so only knowing the
    name tells where one ends (`foo-1.0-1.tar.gz` is version 1.0.post1 of foo)."""
    if filename.endswith((".whl", ".egg")):
        # Like packaging's parse_wheel_filename, but for the tags, which take most of its time and tell nothing here.
        words = filename[:-4].split("-")
        return words[1] if len(words) in ((5, 6) if filename.endswith(".whl") else range(2, 5)) else ""
    extension = next((known for known in ARCHIVES if filename.endswith(known)), None)
    words = filename.removesuffix(extension).split("-") if extension else []
    for position in range(1, len(words)):
        if canonicalize_name("-".join(words[:position])) == project:
            return "-".join(words[position:])
    return ""


def newest_of(versions: Iterable[str]) -> str:
    """The newest release, without one the newest pre-release (PEP 440); empty where there is no version at all."""
    known = [(parsed, text) for text in versions if (parsed := _parsed(text))]
    return max(known, key=lambda one: (not one[0].is_prerelease, one[0]))[1] if known else ""


def _parsed(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


@lru_cache(maxsize=4096)
def _normal_version(text: str) -> str:
    try:
        return str(Version(text))
    except ValueError:
        # Also for numbers that are too long to be read.
        return ""
