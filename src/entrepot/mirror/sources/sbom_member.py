"""What all readers of bills of materials give: the packages that a bill names."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from entrepot.errors import UnreadableBill
from entrepot.model.digest import Digest, parse_hex, strongest_first

DEEPEST: Final = 32
"""Components within components."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One package of a bill."""

    place: str
    """Where it stands in the bill, for people: `components[3] 'left-pad'`."""
    purl: str = ""
    """As it is written; empty where there is none."""
    version: str = ""
    """What is told beside the purl."""
    digests: tuple[Digest, ...] = ()
    """Of the file that is distributed, strongest first: only those of which that is certain."""
    is_root: bool = False
    """Whether it is what the bill is about, and not a part of that."""
    repository: str = ""
    """What our own bills tell besides: the repository that served it."""
    files: tuple[str, ...] = ()
    """And the names of the files that were served."""
    error: str = ""
    """Why it cannot be read; all else is empty then."""


def known_digests(pairs: Iterable[tuple[str, str]]) -> tuple[Digest, ...]:
    """Algorithms as bills spell them (`SHA-512`, `SHA512`, `sha512`), and values in hex. Others are left out."""
    found = (parse_hex(algorithm.replace("-", ""), value) for algorithm, value in pairs)
    return strongest_first(dict.fromkeys(digest for digest in found if digest))


def names_a_file(url: str) -> bool:
    """Whether an address is that of one file on a server, so that a hash beside it is the hash of that file."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and "." in parts.path.rpartition("/")[2]


def title_of(place: str, name: str | None) -> str:
    return f"{place} {name!r}" if name else place


def check_depth(depth: int, place: str) -> None:
    if depth > DEEPEST:
        raise UnreadableBill(f"{place[:40]}…: components are nested deeper than {DEEPEST} times")
