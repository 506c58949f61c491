"""The order of apk's versions: `1.2.3b_rc1_p4~0a1b2c-r5`."""

import re
from typing import Final

from entrepot.model.versions import VersionKey, VersionOrder

_VERSION: Final = re.compile(
    r"(?P<numbers>[0-9]+(?:\.[0-9]+)*)(?P<letter>[a-z]?)(?P<suffixes>(?:_[a-z]+[0-9]*)*)"
    r"(?:~(?P<hash>[0-9a-f]+))?(?:-r(?P<revision>[0-9]+))?\Z"
)
_SUFFIX: Final = re.compile(r"_([a-z]+)([0-9]*)")
_BEFORE: Final = ("alpha", "beta", "pre", "rc")
_AFTER: Final = ("cvs", "svn", "git", "hg", "p")
_LONGEST: Final = 256
"""Characters; Python refuses to read numbers of thousands of digits."""

# What stands next in two versions that were equal so far: the later in this list, the higher the version.
_UNFINISHED, _END, _REVISION, _HASH, _COUNT, _SUFFIXED, _LETTER, _NUMBER = range(8)


def _key(text: str) -> VersionKey | None:
    found = _VERSION.match(text) if len(text) <= _LONGEST else None
    if not found:
        return None
    first, *numbers = found["numbers"].split(".")
    key: list[tuple[object, ...]] = [(_NUMBER, int(first)), *map(_rank_of, numbers)]
    if found["letter"]:
        key.append((_LETTER, found["letter"]))
    for word, count in _SUFFIX.findall(found["suffixes"]):
        if word not in _BEFORE + _AFTER:
            return None
        before = word in _BEFORE
        key.append((_UNFINISHED, _BEFORE.index(word)) if before else (_SUFFIXED, _AFTER.index(word)))
        key += [(_COUNT, int(count))] if count else []
    if found["hash"]:
        key.append((_HASH, found["hash"]))
    if found["revision"]:
        key.append((_REVISION, int(found["revision"])))
    return (*key, (_END,))


def _rank_of(number: str) -> tuple[object, ...]:
    """Behind a dot, a number with a zero in front is a fraction: 1.05 comes before 1.1, and 1.1 before 1.10."""
    return (_NUMBER, 0, number) if number[0] == "0" else (_NUMBER, 1, int(number))


def _bound(text: str) -> VersionKey | None:
    return _key(text.removeprefix("v"))


APK: Final = VersionOrder("apk", _key, _bound)
