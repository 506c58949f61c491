"""One file per package ecosystem; pure, and strangers to one another."""

import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from typing import Final, TypeGuard

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.errors import ConfigError

GROUP: Final = "entrepot.ecosystems.v1"
"""The entry points by which other packages bring ecosystems."""


def find_ecosystems() -> dict[str, type[Ecosystem]]:
    """Every ecosystem by its name: those in this package, then those that others bring; ours cannot be replaced. Raises
    ConfigError for one that others bring and that cannot be had."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    kinds = [kind for module in modules for kind in vars(module).values() if _is_own(kind, module.__name__)]
    kinds.extend(_load(point) for point in entry_points(group=GROUP))
    found: dict[str, type[Ecosystem]] = {}
    for kind in kinds:
        found.setdefault(kind.name, kind)
    return dict(sorted(found.items()))


def _load(point: EntryPoint) -> type[Ecosystem]:
    where = f"{point.dist.name if point.dist else point.value} brings the ecosystem {point.name!r}"
    try:
        kind = point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{where}, which cannot be loaded: {error}; install it anew, or remove it") from error
    if not _is_ecosystem(kind):
        raise ConfigError(f"{where}, but {point.value} is none for this version of Entrepot; remove it")
    return kind


def _is_own(kind: object, module: str) -> TypeGuard[type[Ecosystem]]:
    return _is_ecosystem(kind) and getattr(kind, "__module__", "") == module


def _is_ecosystem(kind: object) -> TypeGuard[type[Ecosystem]]:
    return isinstance(kind, type) and issubclass(kind, Ecosystem) and hasattr(kind, "name")
