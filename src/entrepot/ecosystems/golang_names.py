"""Go's rules for module paths and versions (golang.org/x/mod/module), and their spelling in URLs."""

import re
from collections.abc import Iterable
from urllib.parse import quote

from entrepot.model.versions import parse_go_version

_ELEMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*(?<!\.)\Z")
_HOST = re.compile(r"[a-z0-9][a-z0-9.-]*\Z")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[1-9]|lpt[1-9])\Z", re.IGNORECASE)
_SHORT_NAME = re.compile(r"~[0-9]+\Z")
_MAJOR = re.compile(r"/v(?P<digits>[0-9.]+)\Z")
_GOPKG_MAJOR = re.compile(r"\.v(?P<digits>0|[1-9][0-9]*)(?:-unstable)?\Z")
_QUERY = re.compile(r"[A-Za-z0-9#$%&()+,.=@\[\]^_{}~ -]+(?<!\.)\Z")
# golang.org/x/mod/module, pseudoVersionRE: what a commit without a tag is called.
_PSEUDO = re.compile(r"v[0-9]+\.(?:0\.0-|[0-9]+\.[0-9]+-(?:[^+]*\.)?0\.)[0-9]{14}-[A-Za-z0-9]+(?:\+incompatible)?\Z")
_CAPITAL = re.compile(r"[A-Z]")
_ESCAPED = re.compile(r"(?:[^A-Z!]|![a-z])*\Z")
# What a URL segment may hold besides what quote() always leaves alone (RFC 3986 §3.3).
_SEGMENT_SAFE = "!$&()+,=@~"


def escape(text: str) -> str:
    """Each capital as `!` and its small letter, so that case-blind stores can tell them apart."""
    return _CAPITAL.sub(lambda capital: f"!{capital[0].lower()}", text)


def unescape(text: str) -> str | None:
    """The reverse of `escape`; None for what it never makes."""
    if not text.isascii() or not _ESCAPED.match(text):
        return None
    return re.sub(r"!([a-z])", lambda found: found[1].upper(), text)


def is_module_path(path: str) -> bool:
    """CheckPath: elements of ASCII letters, digits and `-._~`, a lower-case host with a dot first, nothing that Windows
    reserves, and a proper major version at the end if there is one."""
    elements = path.split("/")
    if not _HOST.match(elements[0]) or "." not in elements[0]:
        return False
    return all(_is_element(element) for element in elements) and major_of(path) is not None


def _is_element(element: str) -> bool:
    short = element.partition(".")[0]
    return bool(_ELEMENT.match(element)) and not _RESERVED.match(short) and not _SHORT_NAME.search(short)


def major_of(path: str) -> str | None:
    """The major version that a path ends in (`v2`), empty where it has none; None where it is malformed."""
    if path.startswith("gopkg.in/"):
        found = _GOPKG_MAJOR.search(path)
        return f"v{found['digits']}" if found else None
    found = _MAJOR.search(path)
    if not found:
        return ""
    digits = found["digits"]
    return None if "." in digits or digits[0] == "0" or digits == "1" else f"v{digits}"


def is_canonical(path: str, version: str) -> bool:
    """Whether this names one version of the module for ever; everything else is a query that is answered anew."""
    parsed = parse_go_version(version)
    if not parsed:
        return False
    major = major_of(path)
    if not major:
        return parsed.major < 2 or parsed.build == "incompatible"
    # CheckPathMajor allows what an old go command made for gopkg.in paths ending in .v1.
    return major == f"v{parsed.major}" or (path.endswith(".v1") and version.startswith("v0.0.0-"))


def is_pseudo(version: str) -> bool:
    """Whether it names a commit that has no tag; no list has such versions."""
    return bool(_PSEUDO.match(version))


def newest_first(versions: Iterable[str]) -> list[str]:
    """As the go command prefers them: releases, then pre-releases; in each, what has a go.mod comes first."""
    known = {version: one for version in versions if (one := parse_go_version(version))}
    ranks = {version: (not one.prerelease, not one.build, one) for version, one in known.items()}
    return sorted(ranks, key=ranks.__getitem__, reverse=True)


def is_query(version: str) -> bool:
    """Whether a proxy can be asked for it at all: one ASCII path element without `!` (EscapeVersion)."""
    return bool(_QUERY.match(version)) and not _RESERVED.match(version.partition(".")[0])


def version_segment(version: str) -> str:
    """A version as it stands in a URL: case-encoded, then percent-encoded where a segment needs it."""
    return quote(escape(version), safe=_SEGMENT_SAFE)
