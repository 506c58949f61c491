"""Which packages a rule speaks of: a glob on the native name, alone or as a package URL."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote

from entrepot.errors import ConfigError
from entrepot.model.patterns import Glob, Regex, RegexSet, parse_glob, parse_regex

T = TypeVar("T")

_SLASH_IN_CLASS = re.compile(r"\[[^\]]*/")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagePattern:
    """GOPRIVATE's rule: with n slashes in the glob, it is matched with the name's first n+1 elements."""

    text: str
    """As it was written."""
    glob: Glob
    regex: Regex
    """Matches the names that the glob does; where it has a class, which may match a slash, also some others."""

    @classmethod
    def parse(
        cls, text: str, purl_types: Iterable[str], subject: str, spell: Callable[[str], str] = str
    ) -> "PackagePattern":
        """`pkg:TYPE/GLOB` or a glob. `spell` makes names native (`Ecosystem.pattern_of`). Raises ConfigError, which
        names `subject`."""
        native = _glob_in_purl(text, tuple(purl_types), subject) if text[:4].lower() == "pkg:" else text
        glob = parse_glob(spell(native), subject)
        return cls(text=text, glob=glob, regex=parse_regex(f"{glob.expression}(?s:/.*)?", subject))

    @property
    def elements(self) -> tuple[str, ...]:
        if _SLASH_IN_CLASS.search(self.glob.pattern):
            return (self.glob.pattern,)
        return tuple(self.glob.pattern.split("/"))

    def matches(self, package: str) -> bool:
        return self.regex.fullmatch(package) is not None and self.confirms(package)

    def confirms(self, package: str) -> bool:
        """Whether a name that the expression matches is one that the glob does."""
        return "[" not in self.glob.pattern or self.glob.matches_prefix(package)


def _glob_in_purl(text: str, purl_types: tuple[str, ...], subject: str) -> str:
    kind, slash, rest = text[4:].partition("/")
    if not slash or kind.lower() not in purl_types:
        known = " or ".join(f"pkg:{known}/…" for known in purl_types) or "a plain glob"
        raise ConfigError(f"{subject}: {text!r} names no package of this repository; write {known}")
    # A scope's @ may stand bare; a version's stands behind the last slash.
    if "@" in rest.rpartition("/")[2][1:]:
        raise ConfigError(f"{subject}: {text!r} names a version; write it as `version`, apart from the package")
    return unquote(rest)


class Packages(Generic[T]):
    """Things by package: the first whose pattern matches counts."""

    def __init__(self, items: Iterable[tuple[PackagePattern, T]] = ()) -> None:
        self._items = tuple(items)
        self._set = RegexSet([pattern.regex for pattern, _ in self._items])

    def __iter__(self) -> Iterator[tuple[PackagePattern, T]]:
        return iter(self._items)

    def all(self, package: str) -> Iterator[T]:
        for position in self._set.matching(package):
            pattern, item = self._items[position]
            if pattern.confirms(package):
                yield item

    def first(self, package: str) -> T | None:
        return next(self.all(package), None)


@dataclass(slots=True)
class Coverage(Generic[T]):
    """What was seen so far, by the elements of its pattern: finds what covers a newcomer."""

    _children: "dict[str, Coverage[T]]" = field(default_factory=dict)
    _here: list[T] = field(default_factory=list)

    def add(self, elements: Iterable[str], item: T) -> None:
        node = self
        for element in elements:
            node = node._children.setdefault(element, Coverage())
        node._here.append(item)

    def covering(self, elements: Iterable[str]) -> Iterator[T]:
        """Those that match whatever a pattern of these elements matches: the same one, one with a star for an element,
        or the beginning of such a one."""
        nodes = [self]
        for element in elements:
            yield from (item for node in nodes for item in node._here)
            nodes = [
                child for node in nodes for name in {element, "*"} if (child := node._children.get(name)) is not None
            ]
        yield from (item for node in nodes for item in node._here)
