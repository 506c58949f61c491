"""RPM's order of versions (rpmvercmp, with epochs, tildes and carets)."""

import re
from functools import lru_cache

from entrepot.model.versions import VersionKey, VersionOrder

_TOKENS = re.compile(r"[0-9]+|[A-Za-z]+|[~^]")
_EPOCH = re.compile(r"[0-9]{1,9}\Z")
# Of what rpm lets a version be made of.
_WORD = re.compile(r"[A-Za-z0-9._+~^%{}]+\Z")
_LONGEST = 256
# What follows decides where the common part ends: a tilde is older than nothing at all, a caret newer than that.
_TILDE, _END, _CARET, _LETTERS, _NUMBER = range(5)
Rank = tuple[tuple[int, int | str], ...]


@lru_cache(4096)
def rank_of(text: str) -> Rank:
    """One of version and release: compares as rpmvercmp does. Everything but letters, digits, tilde and caret only
    separates."""
    return (*map(_token_rank, _TOKENS.findall(text)), (_END, 0))


def _token_rank(token: str) -> tuple[int, int | str]:
    if token[0].isdigit():
        return _NUMBER, int(token)
    return ({"~": _TILDE, "^": _CARET}.get(token, _LETTERS), token)


def split_evr(text: str) -> tuple[int, str, str] | None:
    """Epoch, version and release (empty where it is left out) of `[epoch:]version[-release]`; None for what is none."""
    epoch, colon, rest = text.rpartition(":")
    version, dash, release = rest.partition("-")
    words = (version, release) if dash else (version,)
    if len(text) > _LONGEST or not all(map(_WORD.match, words)) or (colon and not _EPOCH.match(epoch)):
        return None
    return int(epoch or 0), version, release


def join_evr(epoch: str, version: str, release: str) -> str:
    """As this ecosystem spells a version: without an epoch that is zero."""
    plain = f"{version}-{release}" if release else version
    return plain if epoch in ("", "0") else f"{epoch}:{plain}"


def _key(text: str) -> VersionKey | None:
    parts = split_evr(text)
    return (parts[0], rank_of(parts[1]), rank_of(parts[2]) if parts[2] else ()) if parts else None


RPM = VersionOrder("rpm", _key, _key)
"""A version without its release comes before all of its releases."""
