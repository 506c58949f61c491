"""The only place that chooses implementations: from settings to a running application."""

from entrepot.assembly.blueprint import Blueprint, new_instance
from entrepot.assembly.values import check_policies
from entrepot.assembly.workshop import Workshop

__all__ = ["Blueprint", "Workshop", "check_policies", "new_instance"]
