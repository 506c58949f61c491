"""A service outside that is asked whether a version may be used (Athens's validator hook)."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A version of which somebody wants a file."""

    repository: str
    ecosystem: str
    module: str
    """The package's native name."""
    version: str


@dataclass(frozen=True, slots=True)
class Ruling:
    allowed: bool | None
    """None: there was no answer that counts."""
    text: str = ""
    """One line: why not; why there is no answer."""


class Validator(Protocol):
    async def rule(self, inquiry: Inquiry) -> Ruling:
        """Never later than its timeout; failures are rulings too."""

    async def close(self) -> None: ...
