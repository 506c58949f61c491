"""What workers share, for a server of one process: every claim succeeds, nobody watches."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from entrepot.contracts.board import Claim, Watch
from entrepot.contracts.listings import Listed


class SoloBoard:
    """Grants everything."""

    def shared(self) -> bool:
        return False

    def claim(self, key: str) -> Claim | Watch:
        return SoloClaim()


class SoloClaim:
    """Announces to nobody."""

    def announce(self, note: bytes) -> None:
        return

    def advance(self, released: int) -> None:
        return

    def whole(self, released: int) -> None:
        return

    def end(self, failure: bytes | None = None) -> None:
        return


class SoloGeneration:
    def __init__(self) -> None:
        self._value = 0

    def value(self) -> int:
        return self._value

    def advance(self) -> None:
        self._value += 1


class SoloReadings:
    """In memory, the oldest forgotten first."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._known: dict[str, tuple[int, float]] = {}

    def note(self, reader: str, number: int, until: float) -> None:
        self._known.pop(reader, None)
        self._known[reader] = number, until
        if len(self._known) > self._most:
            self._known.pop(next(iter(self._known)))

    def find(self, reader: str, now: float) -> tuple[int, float] | None:
        number, until = self._known.get(reader, (0, 0.0))
        return (number, until) if now < until else None


class SoloListings:
    """In memory, for as long as the process lives."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Listed] = {}

    def of(self, repository: str) -> list[Listed]:
        found = [one for one in self._known.values() if one.repository == repository]
        return sorted(found, key=lambda one: (one.aside_at is not None, -one.had_at.timestamp(), one.key))

    async def put(self, listed: Listed) -> None:
        for name, one in self._known.items():
            same_place = (one.repository, one.key, one.root) == (listed.repository, listed.key, "")
            if same_place and not listed.root and one.sha256 != listed.sha256 and one.aside_at is None:
                self._known[name] = replace(one, aside_at=listed.had_at)
        known = self._known.get((listed.repository, listed.sha256, listed.key))
        if known is not None:
            had_at = min(known.had_at, listed.had_at)
            listed = replace(known, had_at=had_at, aside_at=None, root=listed.root or known.root)
        self._known[listed.repository, listed.sha256, listed.key] = listed

    async def name(self, repository: str, root: str, digests: Collection[str], at: datetime) -> None:
        for name, one in self._known.items():
            if (one.repository, one.root) == (repository, root):
                aside = None if one.sha256 in digests else one.aside_at or at
                self._known[name] = replace(one, aside_at=aside)

    async def delete_aside(self, before: datetime, kept: Mapping[str, datetime]) -> list[Listed]:
        gone = {
            name: one
            for name, one in self._known.items()
            if one.aside_at is not None and one.aside_at < kept.get(one.repository, before)
        }
        for name in gone:
            del self._known[name]
        return list(gone.values())
