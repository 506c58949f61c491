"""Rules of the configuration: what holds for some packages, versions or paths."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from entrepot.model.patterns import Regex, RegexSet
from entrepot.policy.constraints import Constraint
from entrepot.policy.patterns import Coverage, PackagePattern
from entrepot.policy.verdict import Download, Overrides


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """What a rule speaks of; what is None does not matter."""

    package: PackagePattern | None = None
    version: Constraint | None = None
    path: Regex | None = None
    """For the whole decoded path below the repository."""

    def names(self, package: str, path: str | None) -> bool:
        """Whether it speaks of them in some version; None: in some path."""
        if self.package is not None and not self.package.matches(package):
            return False
        return self.path is None or path is None or self.path.fullmatch(path) is not None

    def admits(self, version: str) -> bool | None:
        """None: it cannot be compared, or there is none."""
        return self.version is None or self.version.admits(version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    selector: Selector
    name: str
    """Where it stands: `entrepot.toml:12 repositories.npm.rules[0]`."""
    overrides: Overrides | None = None
    download: Download | None = None
    """None: the rule does not say what a miss gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What rules have to say of one thing."""

    rule: Rule | None = None
    """The first that matches."""
    doubtful: tuple[Rule, ...] = ()
    """Those before it that would match if the version were one that they admit, which cannot be told."""


class RuleBook:
    """A repository's rules in order; the first that matches counts."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self.rules = tuple(rules)
        selectors = [rule.selector for rule in self.rules]
        numbers = range(len(selectors))
        self._by_package = [number for number in numbers if selectors[number].package]
        self._by_path = [number for number in numbers if selectors[number].path]
        self._by_neither = [number for number in numbers if not (selectors[number].package or selectors[number].path)]
        self._packages = RegexSet([one.package.expression for one in selectors if one.package])
        self._paths = RegexSet([one.path.pattern for one in selectors if one.path])

    def __bool__(self) -> bool:
        return bool(self.rules)

    def match(self, package: str, version: str, path: str) -> Rule | None:
        """The first rule that certainly matches."""
        return self.look(package, version, path).rule

    def look(self, package: str, version: str, path: str | None) -> Finding:
        """`path`: None for what holds whatever the path; rules for some paths then do not count."""
        rules = self._among(package, None, []) if path is None else self._naming(package, path)
        return _first(rules, version)

    def may_name(self, package: str, version: str, path: str | None) -> bool:
        """Whether any rule speaks of it, or might; None: of any of its paths."""
        return any(rule.selector.admits(version) is not False for rule in self._naming(package, path))

    def _naming(self, package: str, path: str | None) -> Iterator[Rule]:
        """The rules that speak of the package and the path in some version."""
        found = self._by_path if path is None else [self._by_path[one] for one in self._paths.candidates(path)]
        return self._among(package, path, found)

    def _among(self, package: str, path: str | None, by_path: list[int]) -> Iterator[Rule]:
        """As `_naming`, where of all rules with a path only these may match."""
        known = set(by_path)
        found = [self._by_package[one] for one in self._packages.candidates(package)]
        numbers = [one for one in found if one in known or not self.rules[one].selector.path]
        numbers += [one for one in by_path if not self.rules[one].selector.package]
        for number in sorted(numbers + self._by_neither):
            if self.rules[number].selector.names(package, path):
                yield self.rules[number]

    def overlaps(self) -> list[str]:
        """Warnings about rules that never count, because an earlier one matches whatever they match. Only what is plain
        is found."""
        seen: dict[str | None, Coverage[Rule]] = {}
        warnings = []
        for rule in self.rules:
            selector = rule.selector
            elements = selector.package.elements if selector.package else ()
            path = selector.path.pattern if selector.path else None
            earlier = (
                one for key in dict.fromkeys((None, path)) if key in seen for one in seen[key].covering(elements)
            )
            covering = next((one for one in earlier if _covers(one.selector.version, selector.version)), None)
            if covering is not None:
                warnings.append(f"{rule.name} never counts: {covering.name} before it matches whatever it matches")
            seen.setdefault(path, Coverage()).add(elements, rule)
        return warnings


def _first(rules: Iterator[Rule], version: str) -> Finding:
    doubtful: list[Rule] = []
    for rule in rules:
        admitted = rule.selector.admits(version)
        if admitted:
            return Finding(rule=rule, doubtful=tuple(doubtful))
        if admitted is None:
            doubtful.append(rule)
    return Finding(doubtful=tuple(doubtful))


def _covers(one: Constraint | None, other: Constraint | None) -> bool:
    return one is None or (other is not None and one.covers(other))
