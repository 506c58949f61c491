"""What Debian packages need of one another (Debian policy §7). This is no resolver: the first that will do is taken."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from entrepot.ecosystems.apt_packages import Listed, Stanza, files_of
from entrepot.ecosystems.apt_versions import debian_key

_RELATION = re.compile(
    r"(?P<name>[^\s(\[:<]+)(?::(?P<arch>[a-z0-9-]+))?\s*(?:\((?P<operator><<|<=|=|>=|>>|<|>)\s*(?P<version>[^)\s]+)\s*\))?"
)
_FIELDS = ("package", "version", "architecture", "depends", "pre-depends", "recommends", "provides")


@dataclass(frozen=True, slots=True)
class Relation:
    name: str
    operator: str = ""
    version: str = ""

    def admits(self, version: str) -> bool:
        """What cannot be compared is not admitted."""
        if not self.operator:
            return True
        key, bound = debian_key(version), debian_key(self.version)
        if key is None or bound is None:
            return False
        match self.operator:
            case "=":
                return key == bound
            case "<<" | "<":
                return key < bound
            case "<=":
                return key <= bound
            case ">=":
                return key >= bound
        return key > bound


def read_relations(text: str) -> list[tuple[Relation, ...]]:
    """Each with its alternatives, the preferred first."""
    found = []
    for part in text.split(","):
        matches = (_RELATION.match(one.strip()) for one in part.split("|"))
        relations = tuple(
            Relation(match["name"], match["operator"] or "", match["version"] or "") for match in matches if match
        )
        if relations:
            found.append(relations)
    return found


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    version: str
    arch: str
    needs: str
    recommends: str
    provides: str
    file: Listed


def package_of(stanza: Stanza) -> Package | None:
    """None for what is no binary package with a file."""
    file = next(files_of(stanza), None) if "filename" in stanza else None
    name, version, arch, depends, early, recommends, provides = (stanza.get(name, "") for name in _FIELDS)
    if file is None or not name or debian_key(version) is None:
        return None
    needs = ", ".join(part for part in (early, depends) if part)
    return Package(name, version, arch, needs, recommends, provides, file)


@dataclass(slots=True)
class Offer:
    """Everything that the chosen suites have."""

    packages: dict[str, list[Package]] = field(default_factory=dict)
    """By name, the newest first."""
    providers: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Who provides a name that may be no package's, and as which version (empty: none)."""

    def add(self, package: Package) -> None:
        self.packages.setdefault(package.name, []).append(package)
        for (relation,) in (one[:1] for one in read_relations(package.provides)):
            self.providers.setdefault(relation.name, []).append((package.name, relation.version))

    def sort(self) -> None:
        for found in self.packages.values():
            found.sort(key=lambda one: debian_key(one.version) or (), reverse=True)

    def named(self, relation: Relation, arch: str) -> Package | None:
        """The newest package that a relation admits, by its name or as what it provides."""
        own = (one for one in self.packages.get(relation.name, ()) if one.arch in (arch, "all", ""))
        found = next((one for one in own if relation.admits(one.version)), None)
        if found is not None:
            return found
        for name, version in self.providers.get(relation.name, ()):
            # What is provided without a version satisfies no comparison (Debian policy §7.5).
            if relation.operator and not (version and relation.admits(version)):
                continue
            provider = next((one for one in self.packages[name] if one.arch in (arch, "all", "")), None)
            if provider is not None:
                return provider
        return None


def needed(
    offer: Offer, start: Iterable[Package], arch: str, *, recommends: bool
) -> Iterator[Package | tuple[str, str]]:
    """The packages and all that they need, each once; what nobody has as the needy one's name and the relation."""
    todo, seen = list(start), set[tuple[str, str, str]]()
    while todo:
        package = todo.pop()
        mark = package.name, package.version, package.arch
        if mark in seen:
            continue
        seen.add(mark)
        yield package
        wanted = read_relations(package.needs) + (read_relations(package.recommends) if recommends else [])
        for alternatives in wanted:
            found = next((one for way in alternatives if (one := offer.named(way, arch))), None)
            if found is None:
                yield package.name, " | ".join(_text(way) for way in alternatives)
            else:
                todo.append(found)


def _text(relation: Relation) -> str:
    return f"{relation.name} ({relation.operator} {relation.version})" if relation.operator else relation.name


def exactly(found: Sequence[Package], version: str) -> list[Package]:
    """Those of one version, which may be told without its epoch."""
    return [one for one in found if version in (one.version, one.version.partition(":")[2] or one.version)]
