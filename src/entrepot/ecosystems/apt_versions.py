"""The order of Debian's versions (Debian policy §5.6.12; `dpkg --compare-versions`)."""

import re

from entrepot.model.versions import VersionKey, VersionOrder

_VERSION = re.compile(r"(?:(?P<epoch>[0-9]{1,9}):)?(?P<upstream>[0-9][A-Za-z0-9.+~:-]*)\Z", re.ASCII)
_PIECES = re.compile(r"([^0-9]*)([0-9]*)")
_LONGEST = 256
_END = ((0,), 0)


def _rank(character: str) -> int:
    """A tilde before the end, letters before everything else."""
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


def _pieces(text: str) -> tuple[tuple[tuple[int, ...], int], ...]:
    """What is no number, and the number behind it, by turns; the end ranks between a tilde and all others."""
    found = [pair for pair in _PIECES.findall(text) if any(pair)]
    ranked = [((*map(_rank, words), 0), int(number or 0)) for words, number in found]
    if ranked and ranked[-1] == _END:
        ranked.pop()  # A revision of 0 is none.
    return (*ranked, _END)


def debian_key(text: str) -> VersionKey | None:
    """None for what is no version."""
    found = _VERSION.match(text) if len(text) <= _LONGEST else None
    if not found:
        return None
    upstream, _, revision = found["upstream"].rpartition("-")
    if not upstream:
        upstream, revision = revision, ""
    return int(found["epoch"] or 0), _pieces(upstream), _pieces(revision)


DEBIAN = VersionOrder("debian", debian_key, debian_key)
