"""Local registries, and an Entrepot in front of them."""

import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.clients.fixture_cargo import cargo_registry
from tests.clients.fixture_golang import DATABASE, go_proxy
from tests.clients.fixture_npm import npm_registry
from tests.clients.fixture_pypi import pypi_index
from tests.clients.registry import Files, Registry
from tests.clients.room import Room
from tests.faults.served import Served
from tests.faults.wire import Got

Stock = Callable[[str], Files]
"""The registry's URL to what it has."""

STOCKS: dict[str, Stock] = {
    "npm": npm_registry,
    "pypi": pypi_index,
    "golang": lambda _: go_proxy(),
    "cargo": cargo_registry,
}
_BASES = {"npm": "/", "pypi": "/simple/", "golang": "/", "cargo": "/index/"}
_EXTRA = {"golang": f'sumdb = "{DATABASE}"'}
HOUR = 3600.0


@dataclass(slots=True, kw_only=True)
class Shop:
    """One repository, which has the name of its ecosystem."""

    ecosystem: str
    registry: Registry
    served: Served
    directory: Path
    _rooms: list[Room] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.served.address[1]}/{self.ecosystem}"

    def room(self) -> Room:
        """A new machine, its client caches empty."""
        self._rooms.append(Room(self.directory / f"{self.ecosystem}{len(self._rooms)}", self.url))
        return self._rooms[-1]

    def get(self, path: str, *fields: tuple[str, str], method: str = "GET") -> Got:
        """`path` is below the repository."""
        return self.served.get(f"/{self.ecosystem}/{path}", fields, method=method)

    def restart(self, later: float) -> None:
        """With the clock that many seconds ahead of the machine's."""
        self.served.stop()
        self.served.start(later)

    def go_offline(self) -> None:
        """The registry is gone, and the server started again with the order to ask nobody."""
        self.served.stop()
        self.registry.go_dark()
        self.served.reconfigure(lambda config: config.replace("upstreams =", 'network = "offline"\nupstreams ='))
        self.served.start()

    def start_anew(self) -> None:
        """With nothing stored, and nothing asked."""
        self.served.stop()
        shutil.rmtree(self.served.data)
        self.registry.forget()
        self.served.start()


def open_shop(
    stack: ExitStack,
    directory: Path,
    ecosystem: str,
    *,
    workers: int = 1,
    stock: Stock | None = None,
    validators: bool = True,
    mount: str = "",
) -> Shop:
    """One registry alone; `mount` is its path, where that is not the usual one."""
    registry = _open_registry(stack, ecosystem, validators)
    if stock is not None:
        registry.files = stock(registry.url)
    return _open_shops(stack, directory, {ecosystem: registry}, workers, mount)[ecosystem]


def open_street(stack: ExitStack, directory: Path, *, workers: int = 1) -> dict[str, Shop]:
    """One registry of each ecosystem behind one Entrepot."""
    registries = {ecosystem: _open_registry(stack, ecosystem, True) for ecosystem in STOCKS}
    return _open_shops(stack, directory, registries, workers)


def _open_registry(stack: ExitStack, ecosystem: str, validators: bool) -> Registry:
    registry = stack.enter_context(Registry(decoded=ecosystem == "golang", validators=validators))
    registry.files = STOCKS[ecosystem](registry.url)
    return registry


def _open_shops(
    stack: ExitStack, directory: Path, registries: Mapping[str, Registry], workers: int, mount: str = ""
) -> dict[str, Shop]:
    config = "".join(
        f'[repositories.{ecosystem}]\necosystem = "{ecosystem}"\n{_EXTRA.get(ecosystem, "")}\n'
        f'upstreams = ["{registry.url}{mount or _BASES[ecosystem]}"]\n'
        for ecosystem, registry in registries.items()
    )
    served = stack.enter_context(Served(directory / "server", config, workers=workers))
    return {
        ecosystem: Shop(ecosystem=ecosystem, registry=registry, served=served, directory=directory)
        for ecosystem, registry in registries.items()
    }
