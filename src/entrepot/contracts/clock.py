"""The time, handed in."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The time of day, UTC."""

    def timestamp(self) -> float:
        """The same as seconds since the epoch; cheap."""
