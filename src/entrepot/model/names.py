"""Package names that an operator keeps for some upstreams, and how they are written down."""

import re
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from urllib.parse import unquote

from entrepot.errors import ConfigError

_ALIKE = re.compile(r"[-_.]+")


@dataclass(frozen=True, slots=True)
class Reservation:
    """A glob of names that only upstreams with a claim to them may be told."""

    pattern: str
    rule: str
    """Where it stands: `repositories.npm.reserved "@acme/*"`, `upstreams.corp.owns "acme-*"`."""


@dataclass(frozen=True, slots=True)
class ReservedNames:
    """The reservations that hold for one repository."""

    reservations: tuple[Reservation, ...] = ()

    def find(self, package: str) -> Reservation | None:
        """The first that names the package."""
        if not package:
            return None
        return next((one for one in self.reservations if is_named(package, one.pattern)), None)


def is_named(package: str, pattern: str) -> bool:
    """Whether a shell glob names a package, or a folder or scope that it lies in. Rather one too many than one too
    few: case makes no difference, `*` also crosses slashes, and dashes, dots and underscores are alike in patterns,
    because some registries take them for one. Where a colon stands between group and name (Maven), a slash in the
    pattern means it, too; and the folder that a group is may be asked for like a package in the group above."""
    name = package.lower()
    if ":" not in name:
        return bool(_expression_of(pattern).match(name))
    flat = pattern.replace(":", ".").replace("/", ".")
    known = (pattern, flat, f"{flat}.*", flat.removesuffix(".*"))
    return any(_expression_of(one).match(spelling) for one in known for spelling in (name, name.replace(":", ".")))


@lru_cache(maxsize=4096)
def _expression_of(pattern: str) -> re.Pattern[str]:
    plain = pattern.lower().rstrip("/")
    spellings = dict.fromkeys((plain, _ALIKE.sub("-", plain)))
    return re.compile("|".join(translate(form) for one in spellings for form in (one, f"{one}/*")))


def parse_reservation(text: str, purl_types: tuple[str, ...], rule: str) -> Reservation:
    """A glob on native names, or `pkg:TYPE/GLOB`. Raises ConfigError, which names the rule."""
    pattern = text
    if text.startswith("pkg:"):
        kind, _, rest = text.removeprefix("pkg:").partition("/")
        if kind not in purl_types:
            raise ConfigError(f"{rule}: {text!r} names packages of another kind; here are: {', '.join(purl_types)}")
        pattern = unquote(rest)
    if not pattern.strip("/"):
        raise ConfigError(f"{rule}: {text!r} names no package; remove it")
    return Reservation(pattern, f'{rule} "{text}"')
