"""Which files of a Python project can be used where: platforms, interpreters and patterns against a wheel's tags."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from entrepot.ecosystems.pypi_names import ARCHIVES
from entrepot.model.platforms import Platform, parse_platform

_INTERPRETER = re.compile(r"(?P<kind>py|cp|pp)(?P<major>[23])(?P<minor>[0-9]*)\Z")
_PURE = Tag("py3", "none", "any")
_MACHINES = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "386": "i686",
    "arm": "armv[67]l",
    "ppc64le": "ppc64le",
    "ppc64": "ppc64",
    "s390x": "s390x",
    "riscv64": "riscv64",
}
_APPLE = {
    "amd64": "x86_64|universal2|universal|intel|fat64",
    "arm64": "arm64|universal2",
    "386": "i386|universal|intel",
}
_WINDOWS = {"amd64": "win_amd64", "arm64": "win_arm64", "386": "win32"}
_LIBRARIES = {
    "": "linux|manylinux[0-9_]*|musllinux[0-9_]*",
    "glibc": "linux|manylinux[0-9_]*",
    "musl": "linux|musllinux[0-9_]*",
}
_LATEST_PATCH = 99


@dataclass(frozen=True, slots=True)
class Interpreter:
    """`cp312`: what CPython 3.12 can use; `py312` means any Python 3.12, `py3` any Python 3."""

    kind: str
    major: int
    minor: int | None

    def fits(self, tag: Tag) -> bool:
        found = _INTERPRETER.match(tag.interpreter)
        if not found or int(found["major"]) != self.major:
            return False
        if not found["minor"] or self.minor is None:
            return self._is_of_kind(found["kind"])
        minor = int(found["minor"])
        lower = minor < self.minor and (found["kind"] == "py" or tag.abi == "abi3")
        return self._is_of_kind(found["kind"]) and (minor == self.minor or lower)

    def _is_of_kind(self, kind: str) -> bool:
        return kind == "py" or self.kind in ("py", kind)

    def may_use(self, requires_python: str | None) -> bool:
        """Whether some release of it is what a file asks for; what cannot be read asks for nothing."""
        if not requires_python or self.minor is None:
            return True
        try:
            wanted = SpecifierSet(requires_python)
        except InvalidSpecifier:
            return True
        releases = (f"{self.major}.{self.minor}.{patch}" for patch in (0, _LATEST_PATCH))
        return any(wanted.contains(release, prereleases=True) for release in releases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One place where packages will be used."""

    platform: Platform | None = None
    """None: any."""
    interpreter: Interpreter | None = None
    """None: any Python 3."""
    pattern: str = ""
    """A glob over one of the three tags of a wheel, or over all of them with their dashes; empty: any."""

    def fits(self, tag: Tag) -> bool:
        if self.platform and not _fits_platform(self.platform, tag.platform):
            return False
        if self.pattern:
            return tag == _PURE or any(fnmatchcase(name, self.pattern) for name in self._named(tag))
        if self.interpreter:
            return self.interpreter.fits(tag)
        found = _INTERPRETER.match(tag.interpreter)
        return not found or found["major"] != "2"

    def _named(self, tag: Tag) -> tuple[str, ...]:
        return (str(tag),) if "-" in self.pattern else (tag.interpreter, tag.abi, tag.platform)

    def may_use(self, requires_python: str | None) -> bool:
        return self.interpreter is None or self.interpreter.may_use(requires_python)


def targets_of(platforms: Iterable[str]) -> tuple[Target, ...]:
    """The places that an extent's platforms mean: each system with each interpreter or tag, and besides these each
    pattern over whole names. None at all: everywhere. Raises BadRequest."""
    read = [parse_platform(text) for text in platforms]
    systems = [one for one in read if isinstance(one, Platform)]
    patterns = [_target_of(one) for one in read if isinstance(one, str)]
    whole = [one for one in patterns if "-" in one.pattern]
    tags = [one for one in patterns if "-" not in one.pattern]
    if systems and tags:
        pairs = product(systems, tags)
        return (*(Target(platform=a, interpreter=b.interpreter, pattern=b.pattern) for a, b in pairs), *whole)
    return (*(Target(platform=one) for one in systems), *tags, *whole)


def _target_of(text: str) -> Target:
    """A pattern over whole names may tell its interpreter, too."""
    first, dash, _ = text.partition("-")
    found = _INTERPRETER.match(first)
    minor = int(found["minor"]) if found and found["minor"] else None
    interpreter = Interpreter(found["kind"], int(found["major"]), minor) if found else None
    return Target(interpreter=interpreter, pattern=text if dash or not found else "")


def _fits_platform(platform: Platform, tag: str) -> bool:
    if tag == "any":
        return True
    match platform.system:
        case "linux":
            machine = _MACHINES.get(platform.processor, "")
            return bool(re.fullmatch(f"(?:{_LIBRARIES[platform.libc]})_(?:{machine})", tag))
        case "darwin":
            machine = _APPLE.get(platform.processor, "")
            return bool(re.fullmatch(f"macosx_[0-9]+_[0-9]+_(?:{machine})", tag))
        case _:
            return tag == _WINDOWS.get(platform.processor)


def tags_of(filename: str) -> frozenset[Tag] | None:
    """None for what is no wheel, or has no proper name."""
    if not filename.endswith(".whl"):
        return None
    try:
        return parse_wheel_filename(filename)[3]
    except InvalidWheelFilename:
        return None


def is_source(filename: str) -> bool:
    return filename.endswith(ARCHIVES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file that may be chosen."""

    name: str
    requires_python: str | None = None


def fitting(files: Sequence[Candidate], targets: Sequence[Target]) -> frozenset[str]:
    """The names of what can be used: all wheels that fit a target, and source distributions only where some target has
    no wheel. Without targets: all files."""
    if not targets:
        return frozenset(file.name for file in files)
    wheels = {file: tags for file in files if (tags := tags_of(file.name))}
    chosen: set[str] = set()
    for target in targets:
        usable = {
            file.name
            for file, tags in wheels.items()
            if target.may_use(file.requires_python) and any(map(target.fits, tags))
        }
        sources = {file.name for file in files if is_source(file.name) and target.may_use(file.requires_python)}
        chosen |= usable or sources
    return frozenset(chosen)
