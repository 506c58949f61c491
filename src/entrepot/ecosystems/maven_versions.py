"""The order of Maven's versions, as Maven 3 compares them (maven-artifact, ComparableVersion)."""

import re

from entrepot.model.versions import VersionKey, VersionOrder

_LONGEST = 256
_PARTS = re.compile(r"[0-9]+|[^0-9.\-_]+|[.\-_]", re.ASCII)
_BUILD = re.compile(r"(.*?)([0-9]{8}\.[0-9]{6}-[0-9]+)\Z", re.ASCII | re.DOTALL)
"""Of a snapshot."""
_UNFINISHED = ("alpha", "beta", "milestone", "rc", "snapshot")
_SAME = {"ga": "", "final": "", "release": "", "cr": "rc"}
_BEFORE_A_NUMBER = {"a": "alpha", "b": "beta", "m": "milestone"}
_END, _WORD, _LIST, _NUMBER = 1, 2, 3, 4
"""What stands at one place: nothing more, an unknown word, something behind a hyphen, a number. Unfinished versions
come before all of them."""

Item = tuple[int, int, str]


def version_key(text: str) -> VersionKey | None:
    """None for what is no version: empty, or longer than anybody's. A build of a snapshot comes before the release, as
    its snapshot does, and not behind it, as its digits alone would have it."""
    if not text or len(text) > _LONGEST or not text[0].isascii() or not text[0].isalnum():
        return None
    return (*_without_zeros(_items_of(_BUILD.sub(r"\1snapshot-\2", text.lower()))), (_END, 0, ""))


def _items_of(text: str) -> list[Item]:
    """Numbers and words in their order. A change between letters and digits is like a hyphen."""
    parts = _PARTS.findall(text)
    items: list[Item] = []
    separator = "."
    for position, part in enumerate(parts):
        if part in (".", "-", "_"):
            separator = part
            continue
        is_number = _is_number(part)
        if items and (separator != "." or not is_number):
            # Behind a hyphen a word counts by itself, and a number less than one behind a dot.
            items = [*_without_zeros(items), *([(_LIST, 0, "")] if is_number else [])]
        following = parts[position + 1] if position + 1 < len(parts) else ""
        items.append((_NUMBER, int(part), "") if is_number else _rank_of(part, _is_number(following)))
        separator = "-"
    return items


def _is_number(part: str) -> bool:
    # Some characters are digits to Unicode (²) and no number to anybody.
    return part.isascii() and part.isdigit()


def _rank_of(word: str, before_a_number: bool) -> Item:
    word = _BEFORE_A_NUMBER.get(word, word) if before_a_number else word
    word = _SAME.get(word, word)
    if word in _UNFINISHED:
        return 0, _UNFINISHED.index(word), ""
    # A service pack is the first of what comes behind the release itself.
    return (_END, 0, "") if not word else (_WORD, 0, "") if word == "sp" else (_WORD, 1, word)


def _without_zeros(items: list[Item]) -> list[Item]:
    """1, 1.0 and 1.0.0-ga are one version."""
    kept = list(items)
    while kept and kept[-1] in ((_NUMBER, 0, ""), (_END, 0, ""), (_LIST, 0, "")):
        kept.pop()
    return kept


MAVEN = VersionOrder("maven", version_key, version_key)
