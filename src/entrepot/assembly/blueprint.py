"""Everything that is decided before the first process starts."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from entrepot.config.discovery import Resolved, ResolvedUpstream
from entrepot.config.load import Sources
from entrepot.config.settings import Settings
from entrepot.contracts.clock import Clock
from entrepot.contracts.ecosystem import Ecosystem


class SystemClock:
    """The machine's clock, moved by `offset` seconds (for rehearsals: what happens in an hour?)."""

    def __init__(self, offset: float = 0.0) -> None:
        self._offset = offset

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self._offset, UTC)

    def timestamp(self) -> float:
        return time.time() + self._offset


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """Everything that is decided before the first process starts."""

    settings: Settings
    sources: Sources
    resolved: Resolved
    ecosystems: Mapping[str, type[Ecosystem]]
    environment: Mapping[str, str]
    data: Path
    instance: str
    private: bool = False
    """Serves only sessions it was told of."""
    clock: Clock = field(default_factory=SystemClock)

    @property
    def upstreams(self) -> Mapping[str, ResolvedUpstream]:
        """Every upstream by name: of the repositories, and those that only a rule of theirs may name."""
        named = {
            name: ResolvedUpstream(name=name, settings=settings, source=self.sources.nearest(("upstreams", name)))
            for name, settings in self.settings.upstreams.items()
        }
        return named | {one.name: one for known in self.resolved.upstreams.values() for one in known}


def new_instance() -> str:
    return secrets.token_hex(8)
