"""What a contender is: something to install, to start on a port, and to ask for a package's file."""

import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from bench.fixtures import Item
from bench.links import file_url
from bench.machine import SERVER_CORE, Missing, Process, free_port, pinned

_ADDRESS = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one contender runs."""

    directory: Path
    port: int
    origin: str
    """Base URL."""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class Contender(ABC):
    name: ClassVar[str]
    ecosystems: ClassVar[Mapping[str, str]]
    """Ecosystem to the path below which its index is."""
    alive: ClassVar[str] = "/"
    is_package_proxy: ClassVar[bool] = True

    @abstractmethod
    def install(self) -> str:
        """Make sure it is there; its version. Raises Missing."""

    @abstractmethod
    def prepare(self, place: Place) -> Launch:
        """Write what it needs into its directory."""

    def settle(self, place: Place) -> None:
        """What is to be told to it when it runs."""

    def url_of(self, base: str, item: Item) -> str:
        """The file's URL, as this contender's own index names it."""
        return file_url(base + self.ecosystems[item.ecosystem], item)

    def start(self, directory: Path, origin: str, core: int | None = SERVER_CORE) -> "Running":
        directory.mkdir(parents=True)
        place = Place(directory=directory, port=free_port(), origin=origin)
        return Running(self, place, self.prepare(place), core)


class Running(AbstractContextManager["Running"]):
    """A started contender. Raises Missing where it does not start."""

    def __init__(self, contender: Contender, place: Place, launch: Launch, core: int | None) -> None:
        self.contender, self.place = contender, place
        log = place.directory / "output.log"
        self.process = Process(pinned(core, launch.command), log, launch.environment)

    @property
    def name(self) -> str:
        return self.contender.name

    def __enter__(self) -> Self:
        self.process.__enter__()
        try:
            self.process.wait_until_it_answers(self.place.base + self.contender.alive)
            self.contender.settle(self.place)
        except (Missing, OSError):
            self.process.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.__exit__()

    def url_of(self, item: Item) -> str:
        return self.contender.url_of(self.place.base, item)


def run_installer(name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Raises Missing with the installer's last words."""
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=900)
    except subprocess.CalledProcessError as error:
        lines = [line.strip() for line in (error.stderr or error.stdout).splitlines() if line.strip()]
        words = _ADDRESS.sub("its registry", lines[-1]) if lines else f"exit code {error.returncode}"
        raise Missing(f"{name} could not be installed: {words}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{name} could not be installed: {error}") from error


def output_of(command: Sequence[str]) -> str:
    """The first line that a command prints, wherever it prints it."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else ""
