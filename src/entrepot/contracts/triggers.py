"""What starts work behind an answer."""

from dataclasses import dataclass
from typing import Literal, Protocol

from entrepot.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Somebody's request that makes it worth fetching something."""

    repository: str
    resource: Resource
    reason: Literal["demand", "access"]
    client: str
    """Who asked: the name of a token, or an address."""
    authenticated: bool


class Triggers(Protocol):
    def offer(self, trigger: Trigger) -> None:
        """O(1), no I/O, never raises: what cannot be taken is dropped and counted."""


class NoTriggers:
    """Nothing is ever started."""

    def offer(self, trigger: Trigger) -> None:
        return
