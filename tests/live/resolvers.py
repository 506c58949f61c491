"""How clients resolve as of a moment by themselves: by their own options, or by the dates that their registry tells."""

import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from entrepot.config.discovery import discover
from entrepot.config.machine import Machine
from entrepot.config.settings import Server
from entrepot.ecosystems import find_ecosystems
from tests.live.clients import CLIENTS, SEARCHED, Client

COMMAND_SECONDS = 300.0
ANSWER_SECONDS = 60.0
REQUESTS_AT_ONCE = 8
MESSAGE_CHARACTERS = 300
_HOST = re.compile(r"(?<=://)[^/\s]+")

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
        return _in_the_open(self, wanted, project, option, {"UV_DEFAULT_INDEX": registry_of("pypi")})


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
        return _in_the_open(self, wanted, project, option, {"npm_config_registry": registry_of("npm")})


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
        place = f"{registry_of('golang').rstrip('/')}/{wanted}/@v"
        listed = [line for line in _fetched(f"{place}/list").decode().split() if not self._PSEUDO.search(line)]
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            infos = list(pool.map(lambda version: _fetched(f"{place}/{version}.info"), listed))
        dates = [datetime.fromisoformat(json.loads(info)["Time"]) for info in infos]
        return {version: version for version, when in zip(listed, dates, strict=True) if when <= moment}


RESOLVERS = (Python(), Node(), Go())


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
    return read(resolver, project, done)


def read(resolver: Resolver, project: Path, done: subprocess.CompletedProcess[str]) -> Versions:
    if done.returncode:
        # What is kept of this names no registry.
        said = _HOST.sub("…", " ".join(done.stdout.split()))
        raise UnresolvedError(said[-MESSAGE_CHARACTERS:])
    return resolver.versions(project, done.stdout)


def registry_of(ecosystem: str) -> str:
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
