"""Rules of the configuration: what holds for some packages, versions or paths."""

from collections.abc import Sequence
from dataclasses import dataclass

from entrepot.model.patterns import Regex
from entrepot.policy.constraints import Constraint
from entrepot.policy.patterns import PackagePattern
from entrepot.policy.verdict import Download, Overrides


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """What is None does not matter."""

    package: PackagePattern | None = None
    version: Constraint | None = None
    path: Regex | None = None
    """For the whole decoded path below the repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    selector: Selector
    name: str
    """Where it stands: `entrepot.toml:12 repositories.npm.rules[0]`."""
    overrides: Overrides | None = None
    download: Download | None = None
    """None: the rule does not say what a miss gets."""


class RuleBook:
    """A repository's rules in order; the first that matches counts."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self.rules = tuple(rules)

    def __bool__(self) -> bool:
        return bool(self.rules)

    def match(self, package: str, version: str, path: str) -> Rule | None:
        if self.rules:
            raise NotImplementedError
        return None
