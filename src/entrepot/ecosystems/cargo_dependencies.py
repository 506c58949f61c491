"""What a version depends on, and which of that its features ask for.

Source: https://doc.rust-lang.org/cargo/reference/features.html and registry-index.html
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from entrepot.errors import UnreadableIndex

DEFAULT = "default"


class Dependency(msgspec.Struct, frozen=True):
    name: str
    """Under which features speak of it."""
    req: str
    features: tuple[str, ...] = ()
    optional: bool = False
    default_features: bool = True
    target: str | None = None
    kind: str | None = "normal"
    registry: str | None = None
    package: str | None = None
    """What the crate is called, where that is not its name here."""

    @property
    def crate(self) -> str:
        return self.package or self.name


class Manifest(msgspec.Struct, frozen=True):
    """What a line says of a version's needs."""

    deps: tuple[Dependency, ...] = ()
    features: dict[str, tuple[str, ...]] | None = None
    features2: dict[str, tuple[str, ...]] | None = None


_read = msgspec.json.Decoder(Manifest).decode


def read_manifest(raw: bytes, subject: str) -> Manifest:
    """Raises UnreadableIndex."""
    try:
        return _read(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableIndex(f"{subject}: what it depends on cannot be read: {error}") from error


@dataclass(slots=True)
class Wanted:
    """What features ask for."""

    optional: set[str] = field(default_factory=set)
    """Names of optional dependencies."""
    features: dict[str, set[str]] = field(default_factory=dict)
    """By dependency: features of it."""

    def includes(self, one: Dependency) -> bool:
        return not one.optional or one.name in self.optional

    def features_of(self, one: Dependency) -> frozenset[str]:
        """Including the default ones, if they are wanted."""
        own = {DEFAULT} if one.default_features else set()
        return frozenset(own.union(one.features, self.features.get(one.name, ())))


def wanted_by(manifest: Manifest, features: Iterable[str]) -> Wanted:
    """What these features of a version lead to. Features that it does not have lead nowhere."""
    table = {**(manifest.features or {}), **(manifest.features2 or {})}
    optional = {one.name for one in manifest.deps if one.optional}
    wanted, seen, todo = Wanted(), set[str](), list(features)
    while todo:
        feature = todo.pop()
        if feature in seen:
            continue
        seen.add(feature)
        if feature not in table and feature in optional:
            # A dependency that no feature names with `dep:` is a feature itself.
            wanted.optional.add(feature)
        for value in table.get(feature, ()):
            todo += _follow(value, wanted, optional)
    return wanted


def _follow(value: str, wanted: Wanted, optional: set[str]) -> Iterator[str]:
    """Notes what one value of a feature asks for, and yields the features that it enables besides."""
    name, slash, of_it = value.partition("/")
    if name.startswith("dep:"):
        wanted.optional.add(name[4:])
    elif slash:
        weak = name.endswith("?")
        name = name.removesuffix("?")
        wanted.features.setdefault(name, set()).add(of_it)
        if name in optional and not weak:
            wanted.optional.add(name)
            yield name
    else:
        yield name
