"""The board and generation of a server of one process: every claim succeeds, nobody watches."""

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
