"""The only place that chooses implementations: from settings to a running application."""

from entrepot.assembly.blueprint import Blueprint, SystemClock, new_instance
from entrepot.assembly.values import check_policies
from entrepot.assembly.workshop import Workshop

__all__ = ["Blueprint", "SystemClock", "Workshop", "check_policies", "new_instance"]
