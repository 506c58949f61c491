"""Which versions a requirement of cargo's admits: `^1.2`, `~1.2.3`, `>=1, <3`, `=1.2.3`, `1.*`.

Source: https://doc.rust-lang.org/cargo/reference/specifying-dependencies.html and the crate semver 1.0.
"""

import re
from dataclasses import dataclass

from entrepot.model.constraints import Comparison, Operator
from entrepot.model.versions import Semver, parse_semver

_LONGEST = 1024
_NUMBER = r"(?:0|[1-9][0-9]{0,18})"
_PART = rf"(?:{_NUMBER}|[*xX])"
_TERM = re.compile(
    rf"(?P<operator>\^|~|[<>]=?|=)?\s*(?P<major>{_PART})(?:\.(?P<minor>{_PART})(?:\.(?P<patch>{_PART})"
    r"(?:-(?P<pre>[0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?)?)?\Z"
)
_ANY = frozenset("*xX")

Numbers = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Requirement:
    """All comparisons must hold."""

    comparisons: tuple[Comparison, ...]
    unfinished: frozenset[tuple[int, int, int]]
    """Of the pre-releases only those of these versions fit."""

    def admits(self, version: Semver) -> bool:
        if version.prerelease and (version.major, version.minor, version.patch) not in self.unfinished:
            return False
        return all(comparison.holds(version.rank) for comparison in self.comparisons)


def parse_requirement(text: str) -> Requirement | None:
    """None for what cargo would not read either."""
    if len(text) > _LONGEST:
        return None
    comparisons: list[Comparison] = []
    unfinished = set()
    for term in text.split(","):
        found = _TERM.match(term.strip())
        if not found:
            return None
        numbers, pre = _numbers(found), found["pre"] or ""
        if pre:
            unfinished.add((numbers[0], numbers[1], numbers[2]))
        # A bare 1.2 means ^1.2, but a bare 1.2.* means what it says.
        bare = "=" if not _ANY.isdisjoint(found.group("major", "minor", "patch")) else "^"
        comparisons += _compared(found["operator"] or bare, numbers, pre)
    return Requirement(tuple(comparisons), frozenset(unfinished))


def _numbers(found: re.Match[str]) -> Numbers:
    """Those before the first that is missing, or stands for any."""
    numbers: list[int] = []
    for part in found.group("major", "minor", "patch"):
        if part is None or part in _ANY:
            break
        numbers.append(int(part))
    return tuple(numbers)


def _compared(operator: str, numbers: Numbers, pre: str) -> list[Comparison]:
    if not numbers:
        return []
    match operator:
        case "^":
            kept = next((place + 1 for place, number in enumerate(numbers) if number), len(numbers))
            return _between(numbers, pre, kept)
        case "~":
            return _between(numbers, pre, min(2, len(numbers)))
        case "=" if len(numbers) < 3:
            return _between(numbers, "", len(numbers))
        case ">" | "<=" if len(numbers) < 3:
            return [_compare(">=" if operator == ">" else "<", _raised(numbers))]
    return [_compare(_operator(operator), numbers, pre)]


def _operator(text: str) -> Operator:
    match text:
        case "<" | "<=" | ">" | ">=":
            return text
    return "="


def _between(numbers: Numbers, pre: str, kept: int) -> list[Comparison]:
    """From these numbers on, as long as the first ones stay; pre-releases of what comes then are behind it, too."""
    return [_compare(">=", numbers, pre), _compare("<", _raised(numbers[:kept]), "0")]


def _raised(numbers: Numbers) -> Numbers:
    return (*numbers[:-1], numbers[-1] + 1)


def _compare(operator: Operator, numbers: Numbers, pre: str = "") -> Comparison:
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return Comparison(operator, Semver(major=major, minor=minor, patch=patch, prerelease=pre).rank)


def rank_of(version: str) -> tuple[object, ...]:
    """For sorting: what is no semantic version comes first."""
    parsed = parse_semver(version)
    return (True, parsed.rank) if parsed else (False, version)
