"""On which machines npm's packages run: `os`, `cpu` and `libc`, compared with the platforms of an order.

Source: npm-install-checks; pnpm and yarn read the fields alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from entrepot.model.platforms import Platform, parse_platform

_SYSTEMS = {"windows": "win32"}
_PROCESSORS = {"amd64": "x64", "386": "ia32", "ppc64le": "ppc64"}


@dataclass(frozen=True, slots=True)
class Machines:
    """Words as packages write them, `!` before one that is ruled out; none: any."""

    systems: tuple[str, ...] = ()
    processors: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()

    def include(self, platforms: Iterable[str]) -> bool:
        """Whether one of an order's platforms is among them. Platforms in the terms of another ecosystem rule nothing
        out. Raises BadRequest for a text that is no platform."""
        known = [place for place in map(parse_platform, platforms) if isinstance(place, Platform)]
        return not known or any(self._have(place) for place in known)

    def _have(self, place: Platform) -> bool:
        return (
            _allow(self.systems, _SYSTEMS.get(place.system, place.system))
            and _allow(self.processors, _PROCESSORS.get(place.processor, place.processor))
            # A Linux of which nobody said which C library it has may have any.
            and (_allow(self.libraries, place.libc) or (place.system == "linux" and not place.libc))
        )


def read_machines(systems: object, processors: object, libraries: object) -> Machines:
    """From the values that documents have: a list, one word, or nothing of use."""
    return Machines(_words(systems), _words(processors), _words(libraries))


def _words(value: object) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(word for word in words if isinstance(word, str))


def _allow(words: tuple[str, ...], name: str) -> bool:
    wanted = [word for word in words if not word.startswith("!")]
    return words == ("any",) or (f"!{name}" not in words and (not wanted or name in wanted))
