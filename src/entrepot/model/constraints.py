"""Which versions a rule speaks of: comparisons joined by commas, in the ecosystem's own order."""

import re
from dataclasses import dataclass
from typing import Literal, cast

from entrepot.errors import ConfigError
from entrepot.model.versions import VersionKey, VersionOrder

Operator = Literal["<", "<=", ">", ">=", "=", "!="]

_COMPARISON = re.compile(r"\s*(?P<operator><=|>=|!=|<|>|=)?\s*(?P<bound>\S+)\s*\Z")


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: Operator
    bound: VersionKey

    def holds(self, key: VersionKey) -> bool:
        match self.operator:
            case "<":
                return key < self.bound
            case "<=":
                return key <= self.bound
            case ">":
                return key > self.bound
            case ">=":
                return key >= self.bound
            case "=":
                return key == self.bound
            case "!=":
                return key != self.bound

    def follows_from(self, other: "Comparison") -> bool:
        """Whether each version for which the other holds is one for which this holds. False where that is not plain."""
        if self == other or (other.operator == "=" and self.holds(other.bound)):
            return True
        if not self.operator[0] == other.operator[0] in ("<", ">"):
            return False
        farther = other.bound < self.bound if self.operator[0] == "<" else other.bound > self.bound
        return farther or (other.bound == self.bound and other.operator != f"{self.operator}=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """All comparisons must hold. Pre-releases are compared like others: `<1.3.2` admits 1.3.2-rc1."""

    text: str
    order: VersionOrder
    comparisons: tuple[Comparison, ...]

    def admits(self, version: str) -> bool | None:
        """None: it cannot be compared, such as a branch or a hash."""
        key = self.order.key(version)
        return None if key is None else all(comparison.holds(key) for comparison in self.comparisons)

    def covers(self, other: "Constraint") -> bool:
        """Whether it admits whatever the other one admits. False where that is not plain."""
        return all(any(mine.follows_from(its) for its in other.comparisons) for mine in self.comparisons)


def parse_constraint(text: str, order: VersionOrder, subject: str) -> Constraint:
    """A version alone means `=`. Raises ConfigError, which names `subject`."""
    comparisons = tuple(_parse_comparison(part, text, order, subject) for part in text.split(","))
    return Constraint(text=text, order=order, comparisons=comparisons)


def _parse_comparison(part: str, text: str, order: VersionOrder, subject: str) -> Comparison:
    found = _COMPARISON.match(part)
    bound = order.bound(found["bound"]) if found else None
    if not found or bound is None:
        raise ConfigError(
            f"{subject}: {text!r} is no constraint: {part.strip()!r} compares with no {order.name} version; "
            'write comparisons (< <= > >= = !=) joined by commas, like ">=1.2, <2"'
        )
    return Comparison(cast(Operator, found["operator"] or "="), bound)
