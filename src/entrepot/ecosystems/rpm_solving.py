"""What packages of RPM repositories want, found among what others provide. No resolver: nothing is undone."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from entrepot.ecosystems.rpm_primary import Capability, Package
from entrepot.ecosystems.rpm_versions import RPM, rank_of, split_evr

NOARCH = "noarch"
_OF_RPM = ("rpmlib(", "config(")
_OPERAND = re.compile(r"(?P<name>[^\s()]+(?:\([^\s()]*\))*)(?:\s+(?P<sign><=|>=|=|<|>)\s+(?P<version>[^\s()]+))?")
_OPERATORS = frozenset({"and", "or", "if", "else", "with", "without", "unless"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one package wants of others."""

    capability: Capability
    by: Package
    needed: bool = True
    """Whether the package cannot be installed without it."""


def wants_of(package: Package) -> Iterator[Wanted]:
    """All that it may want: of a rich dependency (`(a if b)`) each operand, for nobody knows what is installed."""
    for needed, wanted in ((True, package.requires), (False, package.recommends)):
        for one in wanted:
            if one.name.startswith("("):
                yield from (Wanted(capability=operand, by=package, needed=False) for operand in _operands(one.name))
            elif not one.name.startswith(_OF_RPM):
                yield Wanted(capability=one, by=package, needed=needed)


def _operands(text: str) -> Iterator[Capability]:
    for found in _OPERAND.finditer(text.removeprefix("(")):
        if found["name"] not in _OPERATORS:
            yield Capability(found["name"], found["sign"] or "", found["version"] or "")


@dataclass(slots=True)
class Shelf:
    """Packages by what they provide."""

    _by_capability: dict[str, list[tuple[Package, Capability | None]]] = field(default_factory=dict)

    def add(self, package: Package) -> None:
        for one in package.provides:
            self._by_capability.setdefault(one.name, []).append((package, one))
        for path in package.files:
            self._by_capability.setdefault(path, []).append((package, None))

    def providers(self, wanted: Capability, archs: Collection[str]) -> list[Package]:
        """Of the name that suits best, the newest for each architecture; all that has one of `archs`, where that holds
        any."""
        found = [
            package
            for package, provided in self._by_capability.get(wanted.name, ())
            if _satisfies(provided, wanted) and (not archs or package.arch in archs)
        ]
        if not found:
            return []
        best = min({one.name for one in found}, key=lambda name: (name != wanted.name, len(name), name))
        newest: dict[str, Package] = {}
        for one in found:
            known = newest.get(one.arch)
            if one.name == best and (known is None or _is_newer(one, known)):
                newest[one.arch] = one
        return list(newest.values())


def with_all_they_want(chosen: Iterable[Package], shelf: Shelf, archs: Collection[str]) -> Iterator[Package | Wanted]:
    """The packages and what they bring along, each once; what nobody provides as it is wanted. `archs`: the only ones
    that are looked for; empty: those that go with a package's own."""
    todo, seen, held = list(chosen), set[str](), Shelf()
    asked: set[tuple[Capability, str]] = set()
    while todo:
        package = todo.pop()
        if package.key in seen:
            continue
        seen.add(package.key)
        held.add(package)
        yield package
        for wanted in wants_of(package):
            if (wanted.capability, package.arch) in asked:
                continue
            asked.add((wanted.capability, package.arch))
            suited = _archs_for(package, archs)
            if held.providers(wanted.capability, suited):
                continue
            found = shelf.providers(wanted.capability, suited)
            todo += found
            if not found and wanted.needed:
                yield wanted


def _archs_for(package: Package, archs: Collection[str]) -> Collection[str]:
    return archs if package.arch == NOARCH else {package.arch, NOARCH}


def _is_newer(one: Package, other: Package) -> bool:
    return (RPM.key(one.version) or ()) > (RPM.key(other.version) or ())


def _satisfies(provided: Capability | None, wanted: Capability) -> bool:
    """Whether the versions that both speak of have one in common (rpm's own rule: rpmdsCompare)."""
    if not wanted.comparison or provided is None or not provided.comparison:
        return True
    mine, its = split_evr(provided.version), split_evr(wanted.version)
    if mine is None or its is None:
        return False
    sense = _compare(mine, its)
    if sense == 0:
        return any(sign in wanted.comparison for sign in provided.comparison)
    # The greater end of what is lower must be open upwards, or the lower end of what is greater downwards.
    above, below = (provided, wanted) if sense < 0 else (wanted, provided)
    return ">" in above.comparison or "<" in below.comparison


def _compare(one: tuple[int, str, str], other: tuple[int, str, str]) -> int:
    """Releases count only where both tell one."""
    mine = (one[0], rank_of(one[1]), rank_of(one[2]) if one[2] and other[2] else ())
    its = (other[0], rank_of(other[1]), rank_of(other[2]) if one[2] and other[2] else ())
    return (mine > its) - (mine < its)
