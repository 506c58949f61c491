"""Which versions a rule speaks of: comparisons joined by commas."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    text: str

    def admits(self, version: str) -> bool | None:
        """None: it cannot be compared."""
        raise NotImplementedError
