"""The world as of two years ago: what clients resolve in dated views, beside what their own options for it give.

The reference is made directly against the registries that this machine's clients use: `uv --exclude-newer`,
`npm --before`, and for Go, whose command has no such option, the versions of the list whose date is not later.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from entrepot.config.discovery import discover
from entrepot.config.machine import Machine
from entrepot.config.settings import Server
from entrepot.ecosystems import find_ecosystems
from tests.live.clients import CLIENTS, SEARCHED, Client
from tests.live.house import House
from tests.live.namespace import Namespace, free_port
from tests.live.recorder import Recorder

NAME = "as_of"
AGE = timedelta(days=730)
COMMAND_SECONDS = 300.0
ANSWER_SECONDS = 60.0
REQUESTS_AT_ONCE = 8
SHOWN = 4
"""Differences that a cell names."""

Versions = dict[str, str]
"""What was resolved: packages (for npm with their places in the tree) to versions; for Go, versions to themselves."""


class UnresolvedError(Exception):
    """Nothing was resolved; the text is the client's, or says what the registry lacks."""


class Resolver(ABC):
    """How one client resolves, in dated views and by itself."""

    client: ClassVar[Client]
    wanted: ClassVar[tuple[str, ...]]
    """One resolution each: requirements with spaces between them."""
    command: ClassVar[tuple[str, ...]]

    @abstractmethod
    def versions(self, project: Path, said: str) -> Versions: ...

    @abstractmethod
    def at_top(self, wanted: str, versions: Versions) -> str:
        """The packages that were asked for, with their versions."""

    @abstractmethod
    def directly(self, wanted: str, moment: datetime, project: Path) -> Versions:
        """Without us, by the registry's own dates. Raises UnresolvedError."""

    def prepare(self, wanted: str, project: Path) -> None:
        """Write the project into an empty directory; nothing where the command names what is wanted."""

    def arguments(self, wanted: str) -> list[str]:
        return list(self.command)


class Python(Resolver):
    client = CLIENTS["uv"]
    wanted = (
        "flask",
        "fastapi[standard]",
        "requests boto3",
        "django celery[redis]",
        "pandas scikit-learn",
        "jupyterlab",
        "sphinx mkdocs-material",
        "black rich pytest",
    )
    command = ("uv", "pip", "compile", "-q", "--no-annotate", "--no-header", "-o", "locked.txt", "wanted.in")

    def prepare(self, wanted: str, project: Path) -> None:
        (project / "wanted.in").write_text("\n".join(wanted.split()) + "\n")

    def versions(self, project: Path, said: str) -> Versions:
        pins = (line.split(" ;")[0] for line in (project / "locked.txt").read_text().splitlines())
        return dict(pin.strip().split("==") for pin in pins)

    def at_top(self, wanted: str, versions: Versions) -> str:
        names = [name.partition("[")[0] for name in wanted.split()]
        return ", ".join(f"{name} {versions[name]}" for name in names)

    def directly(self, wanted: str, moment: datetime, project: Path) -> Versions:
        option = ["--exclude-newer", f"{moment:%FT%TZ}"]
        return _in_the_open(self, wanted, project, option, {"UV_DEFAULT_INDEX": _registry("pypi")})


class Node(Resolver):
    client = CLIENTS["npm"]
    wanted = ("express", "webpack webpack-cli", "typescript eslint", "jest", "react react-dom", "@babel/core", "vite")
    command = ("npm", "install", "--package-lock-only", "--no-audit", "--no-fund", "--no-update-notifier")

    def prepare(self, wanted: str, project: Path) -> None:
        packages = dict.fromkeys(wanted.split(), "*")
        (project / "package.json").write_text(json.dumps({"name": "app", "version": "1.0.0", "dependencies": packages}))

    def versions(self, project: Path, said: str) -> Versions:
        packages = json.loads((project / "package-lock.json").read_text())["packages"]
        return {path: package["version"] for path, package in packages.items() if path}

    def at_top(self, wanted: str, versions: Versions) -> str:
        return ", ".join(f"{name} {versions[f'node_modules/{name}']}" for name in wanted.split())

    def directly(self, wanted: str, moment: datetime, project: Path) -> Versions:
        option = [f"--before={moment:%FT%T.000Z}"]
        return _in_the_open(self, wanted, project, option, {"npm_config_registry": _registry("npm")})


class Go(Resolver):
    client = CLIENTS["go"]
    wanted = (
        "github.com/spf13/cobra",
        "github.com/gin-gonic/gin",
        "github.com/go-chi/chi/v5",
        "go.uber.org/zap",
        "golang.org/x/tools",
        "google.golang.org/grpc",
        "gopkg.in/yaml.v3",
    )
    # With those that their author retracted: the list is what is compared.
    command = ("go", "list", "-m", "-retracted", "-versions", "-json")
    _PSEUDO = re.compile(r"[-.]\d{14}-[0-9a-f]{12}(\+incompatible)?\Z")
    _RELEASE = re.compile(r"v(\d+)\.(\d+)\.(\d+)\Z")

    def arguments(self, wanted: str) -> list[str]:
        return [*self.command, wanted]

    def versions(self, project: Path, said: str) -> Versions:
        listed = json.loads(said[said.index("{") :]).get("Versions", [])
        return {version: version for version in listed}

    def at_top(self, wanted: str, versions: Versions) -> str:
        releases = [found for version in versions if (found := self._RELEASE.match(version))]
        highest = max(releases, key=lambda found: tuple(map(int, found.groups())), default=None)
        return f"highest {highest[0] if highest else 'none'}"

    def directly(self, wanted: str, moment: datetime, project: Path) -> Versions:
        place = f"{_registry('golang').rstrip('/')}/{wanted}/@v"
        listed = [line for line in _fetched(f"{place}/list").decode().split() if not self._PSEUDO.search(line)]
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            infos = list(pool.map(lambda version: _fetched(f"{place}/{version}.info"), listed))
        dates = [datetime.fromisoformat(json.loads(info)["Time"]) for info in infos]
        return {version: version for version, when in zip(listed, dates, strict=True) if when <= moment}


RESOLVERS = (Python(), Node(), Go())


@dataclass(slots=True, kw_only=True)
class Row:
    """One resolution in every way; a text instead of versions is why there are none."""

    resolver: Resolver
    wanted: str
    day: date
    """The last one of what is to be seen."""
    directly: Versions | str
    through: dict[str, Versions | str] = field(default_factory=dict)
    """By the way it was asked for."""
    today: Versions | str = ""

    @property
    def is_same(self) -> bool:
        return not isinstance(self.directly, str) and all(found == self.directly for found in self.through.values())


def try_as_of(namespace: Namespace, work: Path) -> list[Row]:
    """`work` is emptied first."""
    shutil.rmtree(work, ignore_errors=True)
    day = (datetime.now(UTC) - AGE).date()
    moment = _end_of(day)
    rows = [_row(resolver, wanted, day, work) for resolver in RESOLVERS for wanted in resolver.wanted]
    with Recorder() as recorder:
        address, port = namespace.outside, free_port(namespace.outside)
        with House(work / "data", address, port, recorder.url) as house:
            for row in rows:
                for mount in (f"/@{day}", f"/@{moment:%FT%TZ}"):
                    row.through[f"`{mount}/…`"] = _through(row, namespace, house.url + mount, work)
                row.today = _through(row, namespace, house.url, work)
                _tell(row)
        pinned = [f'[repositories.{resolver.client.repository}.cooldown]\nas_of = "{day}"\n' for resolver in RESOLVERS]
        with House(work / "data", address, port, recorder.url, settings="".join(pinned)) as house:
            for row in rows:
                row.through[f'`as_of = "{day}"`'] = _through(row, namespace, house.url, work)
    return rows


# --- resolving --------------------------------------------------------------------------------------------------------


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)


def _row(resolver: Resolver, wanted: str, day: date, work: Path) -> Row:
    print(f"{NAME} {resolver.client.name} {wanted}, directly …", file=sys.stderr, flush=True)
    with _project(resolver, wanted, work) as project:
        directly = _or_why(lambda: resolver.directly(wanted, _end_of(day), project))
    return Row(resolver=resolver, wanted=wanted, day=day, directly=directly)


def _through(row: Row, namespace: Namespace, url: str, work: Path) -> Versions | str:
    """From a namespace in which only we are, and with nothing that the client kept from before."""
    resolver = row.resolver

    def run() -> Versions:
        command = resolver.arguments(row.wanted)
        done = namespace.run(command, cwd=project, environment=environment, timeout=COMMAND_SECONDS)
        return _read(resolver, project, done)

    with _project(resolver, row.wanted, work) as project:
        environment = {
            "PATH": os.pathsep.join((*SEARCHED, os.environ["PATH"])),
            "HOME": str(project / "home"),
            "LANG": "C.UTF-8",
            **resolver.client.environment(url, namespace.outside),
        }
        return _or_why(run)


def _in_the_open(
    resolver: Resolver, wanted: str, project: Path, option: list[str], variables: Mapping[str, str]
) -> Versions:
    """By the client itself, with its option, against the registry. Raises UnresolvedError."""
    command = [*resolver.arguments(wanted), *option]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((*SEARCHED, os.environ["PATH"])),
        "HOME": str(project / "home"),
        **resolver.client.variables,
        **variables,
    }
    done = subprocess.run(
        command,
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    return _read(resolver, project, done)


def _read(resolver: Resolver, project: Path, done: subprocess.CompletedProcess[str]) -> Versions:
    if done.returncode:
        raise UnresolvedError(" ".join(done.stdout.split())[-300:])
    return resolver.versions(project, done.stdout)


def _or_why(resolve: Callable[[], Versions]) -> Versions | str:
    try:
        return resolve()
    except (UnresolvedError, subprocess.TimeoutExpired) as error:
        return str(error)


@contextmanager
def _project(resolver: Resolver, wanted: str, work: Path) -> Iterator[Path]:
    """A new one with a new home. It has a name of its own, as go's helpers may write for a while after go has ended."""
    work.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=work, ignore_cleanup_errors=True) as name:
        project = Path(name)
        (project / "home").mkdir()
        resolver.prepare(wanted, project)
        yield project


def _registry(ecosystem: str) -> str:
    """Where this machine's clients get their packages."""
    machine = Machine(environment=os.environ, directory=Path.cwd())
    found = discover(find_ecosystems()[ecosystem], Server(), machine)
    if found is None:
        raise UnresolvedError(f"nothing on this machine tells where {ecosystem} packages come from")
    return found.addresses[0]


def _fetched(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
            body: bytes = answer.read()
            return body
    except urllib.error.URLError as error:
        raise UnresolvedError(f"…/{'/'.join(url.rsplit('/', 3)[1:])}: {error}") from error


# --- telling ----------------------------------------------------------------------------------------------------------


def markdown(rows: list[Row]) -> str:
    ways = list(rows[0].through)
    columns = ["client", "asked for", "directly, with its own option", *ways, "without a date", "bar", "verdict"]
    lines = [
        f"### As of {rows[0].day}: real registries, resolved directly and through us",
        "",
        f"| {' | '.join(columns)} |",
        "|" + "---|" * len(columns),
        *(f"| {' | '.join(cell.replace('|', '/') for cell in _cells(row))} |" for row in rows),
    ]
    return "\n".join([*lines, ""])


def _cells(row: Row) -> Iterator[str]:
    yield from (row.resolver.client.name, row.wanted)
    if isinstance(row.directly, str):
        yield f"could not be shown: {row.directly}"
    else:
        yield f"{len(row.directly)} versions: {row.resolver.at_top(row.wanted, row.directly)}"
    yield from (_compared(row.directly, found, SHOWN) for found in row.through.values())
    yield _compared(row.directly, row.today, 0)
    yield from ("same in all views", "met" if row.is_same else "**missed**")


def _compared(expected: Versions | str, found: Versions | str, shown: int) -> str:
    """How many differ, the first of them with what was found."""
    if isinstance(found, str):
        return f"fails: {found}"
    if isinstance(expected, str):
        return f"{len(found)} versions"
    names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if not names:
        return "same"
    named = ", ".join(f"{name} {found.get(name, 'missing')}" for name in islice(names, shown))
    return f"{len(names)} differ" + (f": {named}" if named else "")


def _tell(row: Row) -> None:
    print(f"  {' | '.join(_cells(row))}", file=sys.stderr, flush=True)
