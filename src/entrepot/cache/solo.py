"""What workers share, for a server of one process: every claim succeeds, nobody watches."""

from entrepot.contracts.board import Claim, Watch


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
