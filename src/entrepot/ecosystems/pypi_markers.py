"""Which requirements of a Python package count where it will be used (PEP 508 markers)."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import product

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName

from entrepot.ecosystems.pypi_wheels import Interpreter, Target
from entrepot.model.platforms import Platform

_UNKNOWABLE = ("platform_release", "platform_version", "extras", "dependency_groups")
"""Marker variables about one machine, or about the parts of a lock file that are installed: a requirement that asks for
them counts."""
_OLDEST, _NEWEST = 7, 16
"""Minor versions of Python 3 that are tried where none is named."""
_SYSTEMS = {
    "linux": {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"},
    "darwin": {"os_name": "posix", "sys_platform": "darwin", "platform_system": "Darwin"},
    "windows": {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows"},
    "other": {"os_name": "posix", "sys_platform": "other", "platform_system": "Other"},
}
_MACHINES = {
    ("linux", "amd64"): ("x86_64",),
    ("linux", "arm64"): ("aarch64",),
    ("linux", "386"): ("i686", "i386"),
    ("linux", "arm"): ("armv7l", "armv6l"),
    ("darwin", "amd64"): ("x86_64",),
    ("darwin", "arm64"): ("arm64",),
    ("windows", "amd64"): ("AMD64",),
    ("windows", "arm64"): ("ARM64",),
    ("windows", "386"): ("x86",),
}
_IMPLEMENTATIONS = {
    "cp": {"implementation_name": "cpython", "platform_python_implementation": "CPython"},
    "pp": {"implementation_name": "pypy", "platform_python_implementation": "PyPy"},
}
_ALL_SYSTEMS = tuple(Platform(system, processor) for system, processor in _MACHINES)
_ANYWHERE = (*_ALL_SYSTEMS, Platform("linux", "s390x"), Platform("linux", "ppc64le"), Platform("other", ""))

Environment = tuple[tuple[str, str], ...]


@lru_cache(maxsize=64)
def environments_of(targets: tuple[Target, ...]) -> tuple[Environment, ...]:
    """All environments that the targets leave possible; where a target does not tell, everything is."""
    found = dict.fromkeys(one for target in targets or (Target(),) for one in _environments(target))
    return tuple(found)


def _environments(target: Target) -> Iterable[Environment]:
    systems = (target.platform,) if target.platform else _ANYWHERE
    for system, (kind, version) in product(systems, _pythons(target.interpreter)):
        for machine in _MACHINES.get((system.system, system.processor), (system.processor,)):
            values = {
                "platform_machine": machine,
                "python_version": version.rpartition(".")[0],
                "python_full_version": version,
                "implementation_version": version,
                **_SYSTEMS[system.system],
                **_IMPLEMENTATIONS[kind],
            }
            yield tuple(sorted(values.items()))


def _pythons(interpreter: Interpreter | None) -> Iterable[tuple[str, str]]:
    """Implementation and version; of a minor version its first release and one that is later than all."""
    one = interpreter or Interpreter("py", 3, None)
    kinds = (one.kind,) if one.kind in _IMPLEMENTATIONS else tuple(_IMPLEMENTATIONS)
    minors = range(_OLDEST, _NEWEST) if one.minor is None else (one.minor,)
    return product(kinds, (f"{one.major}.{minor}.{patch}" for minor in minors for patch in (0, 99)))


@lru_cache(maxsize=4096)
def applies(marker: Marker | None, environments: tuple[Environment, ...], extras: frozenset[str] = frozenset()) -> bool:
    """Whether it holds in one of the environments, for the package itself or one of its extras."""
    if marker is None or any(name in str(marker) for name in _UNKNOWABLE):
        return True
    wanted = ("", *sorted(extras)) if "extra" in str(marker) else ("",)
    return any(_holds(marker, dict(one) | {"extra": extra}) for one in environments for extra in wanted)


def _holds(marker: Marker, environment: dict[str, str]) -> bool:
    """What cannot be compared leaves nothing out."""
    try:
        return marker.evaluate(dict(environment))
    except (UndefinedComparison, UndefinedEnvironmentName, ValueError):
        return True


@lru_cache(maxsize=4096)
def locked_for(marker: str, environments: tuple[Environment, ...]) -> bool:
    """Whether something that a lock file marks so is used in one of the environments, whichever of its extras are
    wanted. A marker that cannot be read leaves nothing out."""
    if not marker or "extra" in marker:
        return True
    try:
        return applies(Marker(marker), environments)
    except (ValueError, RecursionError):
        return True
