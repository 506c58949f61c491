"""Rules of the configuration: what holds for some packages, versions or paths."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from entrepot.model.constraints import Constraint
from entrepot.model.patterns import Regex, RegexSet
from entrepot.policy.patterns import Coverage, PackagePattern
from entrepot.policy.verdict import Download, Overrides


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """What a rule speaks of; what is None does not matter."""

    package: PackagePattern | None = None
    version: Constraint | None = None
    path: Regex | None = None
    """For the whole decoded path below the repository, which begins with a slash."""

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


_NOTHING = Finding()


class RuleBook:
    """A repository's rules in order; the first that matches counts."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self.rules = tuple(rules)
        selectors = [rule.selector for rule in self.rules]
        numbers = range(len(selectors))
        self._by_package = [number for number in numbers if selectors[number].package]
        self._by_path = [number for number in numbers if selectors[number].path]
        self._by_neither = [number for number in numbers if not (selectors[number].package or selectors[number].path)]
        self._packages = RegexSet([one.package.regex for one in selectors if one.package])
        self._paths = RegexSet([one.path for one in selectors if one.path])

    def __bool__(self) -> bool:
        return bool(self.rules)

    def match(self, package: str, version: str, path: str) -> Rule | None:
        """The first rule that certainly matches."""
        return self.look(package, version, path).rule

    def look(self, package: str, version: str, path: str | None) -> Finding:
        """`path`: None for what holds whatever the path; rules for some paths then do not count."""
        if not self.rules:
            return _NOTHING
        return _first(self._among(package, [] if path is None else self._matching_path(path)), version)

    def may_name(self, package: str, version: str, path: str | None) -> bool:
        """Whether any rule speaks of it, or might; None: of any of its paths."""
        by_path = self._by_path if path is None else self._matching_path(path)
        return any(rule.selector.admits(version) is not False for rule in self._among(package, by_path))

    def _matching_path(self, path: str) -> list[int]:
        return [self._by_path[one] for one in self._paths.matching(path)]

    def _among(self, package: str, by_path: list[int]) -> list[Rule]:
        """The rules that speak of a package in some version, where of those with a path only these do."""
        found = [self._by_package[one] for one in self._packages.matching(package)]
        if not (found or by_path or self._by_neither):
            return []
        known = set(by_path)
        numbers = [one for one in found if one in known or not self.rules[one].selector.path]
        numbers += [one for one in by_path if not self.rules[one].selector.package]
        rules = [self.rules[number] for number in sorted(numbers + self._by_neither)]
        return [rule for rule in rules if rule.selector.package is None or rule.selector.package.confirms(package)]

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


def _first(rules: Iterable[Rule], version: str) -> Finding:
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
