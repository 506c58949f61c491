"""npm's version ranges, as node-semver reads them when it is `loose`: so npm reads what packages depend on.

Source: https://github.com/npm/node-semver (7.8). tests/corpus/npm/ranges.json has what it says of many.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from entrepot.model.constraints import Comparison, Operator
from entrepot.model.versions import Semver

_LONGEST = 4096
_NUMBER = r"[0-9]{1,16}(?![0-9])"
_PART = rf"(?:{_NUMBER}|[xX*])"
_WORDS = r"(?:[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)"
_BUILD = re.compile(rf"\+{_WORDS}")
# The hyphen before a pre-release may be missing: 1.0.0alpha.
_VERSION = re.compile(rf"[v=\s]*({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-?({_WORDS}))?(?:\+({_WORDS}))?\s*\Z")
_PARTIAL = rf"[v=]*({_PART})(?:\.({_PART})(?:\.({_PART})(?:-?({_WORDS}))?)?)?"
_TERM = re.compile(rf"(\^|~>?|[<>]?=?){_PARTIAL}\Z")
_SPAN = re.compile(rf"{_PARTIAL}\s+-\s+{_PARTIAL}\Z")
_APART = re.compile(r"(?<=[~^<>=])\s+")
_ANY = frozenset("xX*")

Comparisons = tuple[Comparison, ...]


def parse_version(text: str) -> Semver | None:
    """A version as npm reads it: `v1.2.3`, `=1.2.3` and `1.2.3alpha` are some, too. None for anything else."""
    found = _VERSION.match(text) if len(text) <= _LONGEST else None
    if not found:
        return None
    major, minor, patch = (int(found[part]) for part in (1, 2, 3))
    return Semver(major=major, minor=minor, patch=patch, prerelease=found[4] or "", build=found[5] or "")


@dataclass(frozen=True, slots=True)
class Range:
    """One of the alternatives must hold, and in it all comparisons."""

    alternatives: tuple[Comparisons, ...]

    def admits(self, version: Semver) -> bool:
        return any(_holds(comparisons, version) for comparisons in self.alternatives)


def parse_range(text: str) -> Range | None:
    """None for what is no range: a tag, an address, anything. Words that cannot be understood between others that can
    are passed over, as npm does."""
    if len(text) > _LONGEST:
        return None
    read = (_read_alternative(part.strip()) for part in _BUILD.sub("", text).split("||"))
    alternatives = tuple(comparisons for comparisons in read if comparisons is not None)
    # Whoever admits any version admits no pre-release by another alternative either.
    return Range(((),) if () in alternatives else alternatives) if alternatives else None


def _holds(comparisons: Comparisons, version: Semver) -> bool:
    key = version.rank
    if not all(comparison.holds(key) for comparison in comparisons):
        return False
    # A pre-release fits only where one of the same three numbers is named.
    return not version.prerelease or any(
        comparison.bound[0] == key[0] and not comparison.bound[1] for comparison in comparisons
    )


def _read_alternative(text: str) -> Comparisons | None:
    span = _SPAN.match(text)
    if span:
        return _simple((*_span(span),))
    terms = _APART.sub("", text).split() or ["*"]
    read = [comparisons for term in terms if (comparisons := _read_term(term)) is not None]
    return _simple(tuple(comparison for comparisons in read for comparison in comparisons)) if read else None


def _simple(comparisons: Comparisons) -> Comparisons:
    """Without what holds for every version that is no pre-release."""
    return tuple(one for one in comparisons if one != _compare(">=", 0, 0, 0))


def _read_term(term: str) -> Comparisons | None:
    found = _TERM.match(term)
    if not found:
        return None
    operator, tail = found[1], found[5] or ""
    numbers = _numbers(found[2], found[3], found[4])
    if operator == "^":
        return _caret(numbers, tail)
    if operator.startswith("~"):
        return _between(numbers, tail, kept=2)
    parts = [part or "x" for part in found.group(2, 3, 4)]
    if any(first in _ANY and second not in _ANY for first, second in pairwise(parts)):
        return None
    return _compared(operator, numbers, tail)


def _numbers(*parts: str | None) -> tuple[int, ...]:
    """Those before the first that is missing, or stands for any."""
    numbers = []
    for part in parts:
        if part is None or part in _ANY:
            break
        numbers.append(int(part))
    return tuple(numbers)


def _span(found: re.Match[str]) -> Comparisons:
    low, high = _numbers(*found.group(1, 2, 3)), _numbers(*found.group(5, 6, 7))
    first = (_compare(">=", *_filled(low), found[4] or "" if len(low) == 3 else ""),) if low else ()
    if len(high) == 3:
        return *first, _compare("<=", *_filled(high), found[8] or "")
    return (*first, _below(_raised(high))) if high else first


def _caret(numbers: tuple[int, ...], tail: str) -> Comparisons:
    """Up to the next change of the first number that is not 0."""
    kept = next((place + 1 for place, number in enumerate(numbers) if number), len(numbers))
    return _between(numbers, tail, kept=kept)


def _between(numbers: tuple[int, ...], tail: str, *, kept: int) -> Comparisons:
    """From these numbers on, as long as the first ones stay."""
    if not numbers:
        return ()
    low = _compare(">=", *_filled(numbers), tail if len(numbers) == 3 else "")
    return low, _below(_raised(numbers[:kept]))


def _compared(operator: str, numbers: tuple[int, ...], tail: str) -> Comparisons:
    if len(numbers) == 3:
        return (_compare(_operator(operator), *_filled(numbers), tail),)
    match operator:
        case "" | "=":
            return _between(numbers, "", kept=len(numbers))
        case "<" | ">" if not numbers:
            return (_below((0, 0, 0)),)
        case ">":
            return (_compare(">=", *_raised(numbers)),)
        case "<":
            return (_below(_filled(numbers)),)
        case "<=" if numbers:
            return (_below(_raised(numbers)),)
        case ">=" if numbers:
            return (_compare(">=", *_filled(numbers)),)
    return ()


def _operator(text: str) -> Operator:
    match text:
        case "<" | "<=" | ">" | ">=":
            return text
    return "="


def _filled(numbers: tuple[int, ...]) -> tuple[int, int, int]:
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch


def _raised(numbers: tuple[int, ...]) -> tuple[int, int, int]:
    """The first version behind all that begin with these numbers."""
    return _filled((*numbers[:-1], numbers[-1] + 1))


def _below(numbers: tuple[int, int, int]) -> Comparison:
    """Also below its pre-releases."""
    return _compare("<", *numbers, "0")


def _compare(operator: Operator, major: int, minor: int, patch: int, prerelease: str = "") -> Comparison:
    return Comparison(operator, Semver(major=major, minor=minor, patch=patch, prerelease=prerelease).rank)
