"""Requirements files in pip's format: one requirement a line, with its hashes."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from entrepot.contracts.ecosystem import LockText, Skipped
from entrepot.ecosystems.pypi_locks import complete, decoded, unreadable
from entrepot.ecosystems.pypi_markers import applies, environments_of
from entrepot.ecosystems.pypi_names import DISTRIBUTIONS, project_of
from entrepot.ecosystems.pypi_wheels import targets_of
from entrepot.errors import BadRequest
from entrepot.model.digest import Digest, parse_hex, strongest_first
from entrepot.model.selection import Extent, Selection

_COMMENT = re.compile(r"(?:^|\s)#.*\Z")
_OPTIONS = re.compile(r"(?:^|\s)-.*\Z")
_HASH = re.compile(r"--hash[=\s]\s*(\S*)")
_USER = re.compile(r"//[^/@\s]+@")
_NOT_READ = {
    **dict.fromkeys(("-r", "--requirement"), "it is another file: give that file, too"),
    **dict.fromkeys(("-c", "--constraint"), "constraints are not read: a lock file has them in its versions"),
    **dict.fromkeys(("-e", "--editable"), "no index has what is edited"),
    **dict.fromkeys(("-i", "--index-url", "--extra-index-url"), "upstreams are named in the configuration"),
    **dict.fromkeys(("-f", "--find-links"), "upstreams are named in the configuration"),
}


def read_requirements(text: LockText) -> Iterable[Selection | Skipped]:
    """A line without an exact version means the newest that it admits. Raises UnreadableLock."""
    lines = list(_logical_lines(decoded(text)))
    hashed = any("--hash" in line for _, line in lines)
    # With one hash, pip wants hashes and exact versions of everything: then the file is complete.
    extent = complete(text.extent) if hashed else text.extent
    found = (item for number, line in lines for item in _read_line(text, number, line, extent))
    return list(dict.fromkeys(found))


def _logical_lines(source: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, joined at backslashes, without comments and empty ones, as pip does it."""
    parts: list[str] = []
    first = 1
    for number, line in enumerate(source.splitlines(), 1):
        first = first if parts else number
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            parts.append(line[:-1])
            continue
        joined = "".join((*parts, " " if is_comment else "", line))
        parts = []
        if stripped := _COMMENT.sub("", joined).strip():
            yield first, stripped
    if parts and (stripped := _COMMENT.sub("", "".join(parts)).strip()):
        yield first, stripped


def _read_line(text: LockText, number: int, line: str, extent: Extent) -> Iterator[Selection | Skipped]:
    if line.startswith("-"):
        name = re.split(r"[\s=]", line, maxsplit=1)[0]
        # Short options may have their value attached.
        reason = _NOT_READ.get(name) or (_NOT_READ.get(name[:2]) if not name.startswith("--") else None)
        if reason:
            yield Skipped(subject=_shown(line), reason=reason)
        return
    wanted = _OPTIONS.sub("", line).strip()
    if reason := _elsewhere(wanted):
        yield Skipped(subject=_shown(wanted), reason=reason)
        return
    try:
        requirement = Requirement(wanted)
        yield _selection(requirement, _digests(line), extent)
    except BadRequest as error:
        raise unreadable(text, str(error), number) from error
    except (ValueError, RecursionError) as error:
        why = str(error).partition("\n")[0]
        raise unreadable(text, f"{_shown(wanted)!r} is no requirement: {why}", number) from error


def _elsewhere(wanted: str) -> str:
    """Why no index has it; empty: an index may."""
    plain = wanted.partition(";")[0].strip()
    if re.search(r"\s@\s|\[[^]]*\]@|\A[\w.-]+@", plain) or "://" in plain:
        return "it comes from a URL or from version control, not from an index"
    if plain.startswith((".", "/", "~", "file:")) or "/" in plain or "\\" in plain or plain.endswith(DISTRIBUTIONS):
        return "it is a local path"
    return ""


def _digests(line: str) -> tuple[Digest, ...]:
    """Raises BadRequest."""
    found = []
    for value in _HASH.findall(line):
        algorithm, _, digest = value.partition(":")
        known = parse_hex(algorithm, digest)
        if known is None:
            raise BadRequest(f"{value!r} is no hash; write --hash=sha256:HEX")
        found.append(known)
    return strongest_first(found)


def _selection(requirement: Requirement, digests: tuple[Digest, ...], extent: Extent) -> Selection | Skipped:
    targets = targets_of(extent.platforms)
    if targets and not applies(requirement.marker, environments_of(targets)):
        return Skipped(subject=str(requirement), reason=f"it is not used on {' or '.join(extent.platforms)}")
    version = _exact(requirement)
    return Selection(
        package=project_of(requirement.name),
        version=version,
        within="" if version else str(requirement.specifier),
        digests=digests,
        parts=tuple(sorted(map(canonicalize_name, requirement.extras))),
        extent=extent if version or extent.latest else replace(extent, latest=1),
    )


def _exact(requirement: Requirement) -> str:
    """The one version that is named; empty where it is a range."""
    said = list(requirement.specifier)
    is_one = len(said) == 1 and said[0].operator in ("==", "===") and not said[0].version.endswith(".*")
    return said[0].version if is_one else ""


def _shown(line: str) -> str:
    """What a message may tell: no credentials."""
    return _USER.sub("//", line)[:200]
