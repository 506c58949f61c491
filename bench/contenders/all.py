"""Everybody who is measured, in the order in which tables show them."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.contenders.base import Contender, Running
from bench.contenders.entrepot import Entrepot
from bench.contenders.golang import Athens, GitPkgs
from bench.contenders.nginx import Nginx, NginxBuffered
from bench.contenders.python import Devpi, Proxpi
from bench.contenders.verdaccio import Verdaccio
from bench.machine import Missing

CONTENDERS: tuple[type[Contender], ...] = (Entrepot, Nginx, NginxBuffered, Devpi, Proxpi, Verdaccio, Athens, GitPkgs)


@dataclass(slots=True)
class Field:
    """Those that run, and why the others do not."""

    running: list[Running] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def in_ecosystem(self, ecosystem: str) -> Iterator[Running]:
        return (one for one in self.running if ecosystem in one.contender.ecosystems)

    def missing_in(self, ecosystem: str) -> dict[str, str]:
        names = {one.name for one in CONTENDERS if ecosystem in one.ecosystems}
        return {name: why for name, why in self.missing.items() if name in names}


def start_all(stack: ExitStack, directory: Path, origin: str, wanted: set[str] | None = None) -> Field:
    """All contenders of the wanted ecosystems (None: all); they stop with the stack."""
    found = Field()
    for kind in CONTENDERS:
        if wanted is not None and not wanted & set(kind.ecosystems):
            continue
        contender = kind()
        try:
            version = contender.install()
            running = stack.enter_context(contender.start(directory / kind.__name__.lower(), origin))
        except Missing as error:
            found.missing[kind.name] = str(error)
            continue
        found.running.append(running)
        found.versions.append(version)
    return found
