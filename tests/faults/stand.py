"""One Entrepot, and a rogue origin for each fault: health is kept per origin, so faults do not meet one another."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.faults.served import Served
from tests.faults.shelf import Shelf, Thing
from tests.faults.wire import Got
from tests.rogue import Rogue
from tests.rogue.tls import authority, server_context
from tests.waiting import wait_for

_HEAD = """
[server]
access_log = "stdout"
[fetch]
connect_timeout = "{patience}s"
first_byte_timeout = "{patience}s"
read_timeout = "{patience}s"
retry_delay = "20ms"
[limits]
parsed_index = "{cap}"
"""
PAST_MEMORY = (("Via", "1.1 nobody"),)
"""A request with this is not answered from what the server keeps in memory, but from the disk."""


@dataclass(frozen=True, slots=True)
class Origin:
    rogue: Rogue
    shelf: Shelf


class Stand:
    """A context manager: the server and its origins. Whoever tries a fault takes an origin of his own."""

    def __init__(self, directory: Path, *, plain: int, tls: int = 0, patience: float = 1.0, cap: str = "4MiB") -> None:
        """So many origins that speak HTTP, and HTTPS; `patience`: seconds that the server waits for them; `cap`: the
        largest index that it reads."""
        self._directory, self._plain, self._tls = directory, plain, tls
        self._settings = _HEAD.format(patience=patience, cap=cap)
        self._stack = ExitStack()
        self._waiting: dict[bool, list[Origin]] = {False: [], True: []}
        self._all: list[Origin] = []

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        trusted = self._directory / "authority.pem"
        authority().cert_pem.write_to_path(str(trusted))
        config = self._settings
        for number in range(self._plain + self._tls):
            secure = number >= self._plain
            rogue = self._stack.enter_context(Rogue(tls=server_context() if secure else None))
            shelf = Shelf(number, rogue)
            shelf.stock()
            config += shelf.configuration(f'ca_file = "{trusted}"' if secure else "")
            self._all.append(Origin(rogue, shelf))
            self._waiting[secure].append(self._all[-1])
        self.server = self._stack.enter_context(Served(self._directory, config))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def take(self, *, tls: bool = False) -> Origin:
        """An origin that nobody had yet."""
        return self._waiting[tls].pop()

    def get(self, thing: Thing, fields: Iterable[tuple[str, str]] = (), *, timeout: float = 30.0) -> Got:
        return self.server.get(thing.path, fields, timeout=timeout)

    def warm(self, things: Iterable[Thing]) -> dict[str, Got]:
        """Fetch each, and wait until it is stored; the answers by path."""
        return {thing.path: self._stored(thing) for thing in things}

    def _stored(self, thing: Thing) -> Got:
        first = self.get(thing)
        assert first.is_whole, f"{thing.path}: {first.status} {first.end} {first.body[:200]!r}"
        return wait_for(lambda: self._hit(thing), f"{thing.path} is stored")

    def _hit(self, thing: Thing) -> Got | None:
        got = self.get(thing, PAST_MEMORY)
        return got if "hit" in got.cache_status or "fwd-status=304" in got.cache_status else None

    def strangers(self) -> set[str]:
        """The digests of stored bytes that no origin ever offered."""
        published: set[str] = set()
        return self.server.blobs() - published.union(*(origin.shelf.published for origin in self._all))
