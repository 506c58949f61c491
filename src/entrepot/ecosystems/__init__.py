"""One file per package ecosystem; pure, and strangers to one another."""

import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import Final

from entrepot.contracts.ecosystem import Ecosystem

GROUP: Final = "entrepot.ecosystems.v1"
"""The entry points by which other packages bring ecosystems."""


def find_ecosystems() -> dict[str, type[Ecosystem]]:
    """Every ecosystem by its name: those in this package, then those that others bring; ours cannot be replaced."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    kinds = [kind for module in modules for kind in vars(module).values() if _is_own(kind, module.__name__)]
    kinds.extend(kind for point in entry_points(group=GROUP) if _is_ecosystem(kind := point.load()))
    found: dict[str, type[Ecosystem]] = {}
    for kind in kinds:
        found.setdefault(kind.name, kind)
    return dict(sorted(found.items()))


def _is_own(kind: object, module: str) -> bool:
    return _is_ecosystem(kind) and getattr(kind, "__module__", "") == module


def _is_ecosystem(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Ecosystem) and hasattr(kind, "name")
