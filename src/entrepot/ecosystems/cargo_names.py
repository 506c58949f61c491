"""How crates, their versions and the files of an index are spelled in paths: parsed once, into one canonical form."""

import re

from entrepot.errors import BadRequest, NotServed
from entrepot.model.paths import decode_segment

_LONGEST_PATH = 1024
# What registries take (cargo's own rules allow more letters, but an index is told to have ASCII names only).
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}\Z")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,255}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def is_crate(name: str) -> bool:
    return bool(_NAME.match(name))


def is_version(text: str) -> bool:
    return bool(_VERSION.match(text))


def is_sha256(text: str) -> bool:
    return bool(_SHA256.match(text))


def crate_of(name: str) -> str:
    """The name by which indexes, owners and policy know a crate: registries have no two that differ in case only.
    Raises BadRequest."""
    if not is_crate(name):
        raise BadRequest(f"{name[:80]!a} is no name of a crate")
    return name.lower()


def prefix_of(name: str) -> str:
    """The folders of an index that a crate is in (the registry's marker `{prefix}`)."""
    match len(name):
        case 1 | 2:
            return str(len(name))
        case 3:
            return f"3/{name[0]}"
    return f"{name[:2]}/{name[2:4]}"


def place_of(crate: str) -> str:
    """The path of a crate in an index."""
    return f"{prefix_of(crate)}/{crate}"


def spellings_of(crate: str) -> tuple[str, ...]:
    """The other names that cargo may ask for when an index lacks the one that was written: dashes and underscores
    are easily taken for each other. Longer names have more of them than are told here."""
    swapped = (crate.replace("-", "_"), crate.replace("_", "-"))
    return tuple(name for name in dict.fromkeys(swapped) if name != crate)


def file_name(name: str, version: str) -> str:
    return f"{name}-{version}.crate"


def segments_of(path: str) -> tuple[str, ...]:
    """The decoded segments of a raw path. Raises BadRequest."""
    if len(path) > _LONGEST_PATH:
        raise BadRequest(f"the path is longer than {_LONGEST_PATH} characters")
    return tuple(decode_segment(segment) for segment in path.split("/"))


def indexed_at(segments: tuple[str, ...]) -> str:
    """The crate that the path of an index file names. Raises NotServed where no crate has this path."""
    *folders, last = segments
    name = last.lower()
    if is_crate(name) and "/".join(folders).lower() == prefix_of(name):
        return name
    raise NotServed(f"{'/'.join(segments)[:80]!a} is no path of a crate's index file")
