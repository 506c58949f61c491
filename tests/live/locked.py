"""Five projects of at least a hundred packages: how each is locked and billed in the open, and installed elsewhere."""

import json
import os
import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from tests.live.clients import CLIENTS, PYTHON, SEARCHED, Client
from tests.live.resolvers import registry_of

COMMAND_SECONDS = 900.0
BILL = "bill.cdx.json"
_HOST = re.compile(r"(?<=://)[^/\s]+")


class FailedError(Exception):
    """A command did not do what it should; the text is what it said last, without names of registries."""


class Project(ABC):
    """One client's. What is done in the open may use whatever this machine's clients use."""

    client: ClassVar[Client]
    locks: ClassVar[tuple[str, ...]]
    """What `entrepot mirror --lockfile` reads."""
    carried: ClassVar[tuple[str, ...]]
    """What another machine gets of it."""
    variables: ClassVar[Mapping[str, str]] = {}
    """That let the client use the registry itself; `{registry}` is its address."""
    words: ClassVar[tuple[str, ...]] = ()
    """Further options of every order."""
    bill_words: ClassVar[tuple[str, ...]] = ()
    """Further options of an order from a bill."""

    @abstractmethod
    def lock(self, place: Path) -> None:
        """In an empty directory. Raises FailedError."""

    @abstractmethod
    def bill(self, place: Path) -> str:
        """Write BILL beside the locks; the generator's name. Raises FailedError."""

    @abstractmethod
    def count(self, place: Path) -> int:
        """Packages in the lock."""

    @abstractmethod
    def install(self, place: Path) -> list[list[str]]: ...

    def install_billed(self, place: Path) -> list[list[str]]:
        """Where a bill does not name everything that is in a lock for all systems."""
        return self.install(place)

    def in_the_open(self, place: Path, *command: str) -> None:
        """Raises FailedError."""
        # Beside the project: go takes what is in it for a part of it.
        home = place.with_name("home-in-the-open")
        home.mkdir(exist_ok=True)
        registry = registry_of(self.client.ecosystem)
        environment = {
            **os.environ,
            "PATH": os.pathsep.join((*SEARCHED, os.environ["PATH"])),
            "HOME": str(home),
            **self.client.variables,
            **{name: value.format(registry=registry) for name, value in self.variables.items()},
        }
        done = subprocess.run(
            command,
            cwd=place,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode:
            raise FailedError(f"{' '.join(command)}: {last_words(done.stdout)}")


def last_words(said: str) -> str:
    return _HOST.sub("…", " ".join(said.split()))[-600:]


class _Python(Project):
    variables: ClassVar[Mapping[str, str]] = {"UV_DEFAULT_INDEX": "{registry}"}
    words: ClassVar[tuple[str, ...]] = ("--platform", "linux/amd64")

    def _make_bill(self, place: Path) -> str:
        """By cyclonedx-py, in an environment of its own."""
        tools = place / "tools"
        self.in_the_open(place, "uv", "venv", "-q", str(tools))
        self.in_the_open(place, "uv", "pip", "install", "-q", "--python", str(tools), "cyclonedx-bom")
        generator = str(tools / "bin" / "cyclonedx-py")
        self.in_the_open(place, generator, "requirements", "requirements.txt", "--of", "JSON", "-o", BILL)
        return "cyclonedx-py requirements"

    def count(self, place: Path) -> int:
        return len(re.findall(r"^[A-Za-z0-9._-]+==", (place / "requirements.txt").read_text(), re.MULTILINE))


class PipProject(_Python):
    client = CLIENTS["pip"]
    locks = carried = ("requirements.txt",)

    def lock(self, place: Path) -> None:
        (place / "wanted.in").write_text("jupyterlab\npandas\nrequests\nrich\nblack\nsphinx\nflask\n")
        command = ("uv", "pip", "compile", "-q", "--generate-hashes", "--no-header", "wanted.in")
        self.in_the_open(place, *command, "-o", "requirements.txt")

    def bill(self, place: Path) -> str:
        return self._make_bill(place)

    def install(self, place: Path) -> list[list[str]]:
        pip = [str(PYTHON), "-m", "pip", "--python", "env/bin/python"]
        return [
            [str(PYTHON), "-m", "venv", "--without-pip", "env"],
            [*pip, "install", "--no-compile", "--require-hashes", "-r", "requirements.txt"],
            [*pip, "check"],
        ]


class UvProject(_Python):
    """For all platforms: for an index with another address uv locks anew, and reads the metadata of any wheel. It is in
    the wheel itself where the index does not have it beside."""

    client = CLIENTS["uv"]
    words: ClassVar = ()
    WANTED = ("fastapi[standard]", "sqlalchemy", "celery[redis]", "sphinx", "mkdocs-material", "ipython", "jupyterlab")
    locks: ClassVar = ("uv.lock",)
    carried: ClassVar = ("pyproject.toml", "uv.lock", "requirements.txt")

    def lock(self, place: Path) -> None:
        lines = ["[project]", 'name = "app"', 'version = "0.1.0"', 'requires-python = ">=3.11"']
        (place / "pyproject.toml").write_text("\n".join([*lines, f"dependencies = {json.dumps(self.WANTED)}", ""]))
        self.in_the_open(place, "uv", "lock")
        export = ("uv", "export", "-q", "--frozen", "--no-emit-project", "--no-header")
        self.in_the_open(place, *export, "-o", "requirements.txt")

    def bill(self, place: Path) -> str:
        export = ("uv", "export", "-q", "--frozen", "--no-emit-project", "--preview")
        self.in_the_open(place, *export, "--format", "cyclonedx1.5", "-o", BILL)
        return "uv export --format cyclonedx1.5"

    def install(self, place: Path) -> list[list[str]]:
        return [["uv", "sync", "--no-install-project"], ["uv", "pip", "check"]]

    def install_billed(self, place: Path) -> list[list[str]]:
        install = ["uv", "pip", "install", "--require-hashes", "-r", "requirements.txt"]
        return [["uv", "venv", "-q"], install, ["uv", "pip", "check"]]


class _Node(Project):
    variables: ClassVar[Mapping[str, str]] = {"npm_config_registry": "{registry}"}
    bill_command = ("npm", "sbom", "--sbom-format", "cyclonedx", "--package-lock-only")

    # Without native packages of many platforms: a registry that lacks some of them makes locks that npm refuses.
    WANTED = ("express", "webpack", "webpack-cli", "typescript", "eslint", "mocha", "@babel/core", "react")

    def _lock_by_npm(self, place: Path) -> None:
        wanted = dict.fromkeys(self.WANTED, "*")
        package = {"name": "app", "version": "1.0.0", "dependencies": wanted}
        (place / "package.json").write_text(json.dumps(package))
        self.in_the_open(place, "npm", "install", "--package-lock-only", "--no-audit", "--no-fund")

    def bill(self, place: Path) -> str:
        # It is written to standard output, which a shell puts into the file.
        self.in_the_open(place, "sh", "-c", f"{' '.join(self.bill_command)} >{BILL}")
        return "npm sbom"

    def count(self, place: Path) -> int:
        return len(json.loads((place / "package-lock.json").read_text())["packages"]) - 1


class NpmProject(_Node):
    client = CLIENTS["npm"]
    locks: ClassVar = ("package-lock.json",)
    carried: ClassVar = ("package.json", "package-lock.json")

    def lock(self, place: Path) -> None:
        self._lock_by_npm(place)

    def install(self, place: Path) -> list[list[str]]:
        return [["npm", "ci"], ["npm", "ls", "--all"]]


class PnpmProject(_Node):
    client = CLIENTS["pnpm"]
    locks: ClassVar = ("pnpm-lock.yaml",)
    carried: ClassVar = ("package.json", "pnpm-lock.yaml")

    def lock(self, place: Path) -> None:
        """The same versions as npm's: pnpm writes no bills."""
        self._lock_by_npm(place)
        self.in_the_open(place, "pnpm", "import")

    def install(self, place: Path) -> list[list[str]]:
        return [["pnpm", "install", "--frozen-lockfile"]]


class GoProject(Project):
    client = CLIENTS["go"]
    locks: ClassVar = ("go.mod", "go.sum")
    carried: ClassVar = ("go.mod", "go.sum", "main.go", "more.go")
    variables: ClassVar[Mapping[str, str]] = {"GOPROXY": "{registry}"}
    bill_words = ("--dependencies", "runtime")
    IMPORTS = (
        "github.com/hashicorp/vault/api",
        "github.com/labstack/echo/v4",
        "github.com/nats-io/nats.go",
        "github.com/stretchr/testify/assert",
        "go.opentelemetry.io/otel/sdk/trace",
    )
    """Beside those of the client, for a hundred modules."""
    PACKAGES = ("google.golang.org/grpc/codes", "github.com/prometheus/client_golang/prometheus/promhttp")
    """Paths below the roots of modules."""
    ALONE = ("github.com/gin-gonic/gin", "github.com/gin-gonic/gin/render")
    """A module, and a package in it for a module that has nothing else."""

    def lock(self, place: Path) -> None:
        self.client.prepare(place)
        lines = "".join(f'\t_ "{path}"\n' for path in self.IMPORTS)
        (place / "more.go").write_text(f"package main\n\nimport (\n{lines})\n")
        self.in_the_open(place, "go", "mod", "tidy")

    def bill(self, place: Path) -> str:
        tools = place.with_name("tools")
        options = (f"--registry={registry_of('npm')}", "--no-audit", "--no-fund", "--ignore-scripts")
        self.in_the_open(place, "npm", "install", f"--prefix={tools}", *options, "@cyclonedx/cdxgen")
        cdxgen = str(tools / "node_modules" / ".bin" / "cdxgen")
        self.in_the_open(place, cdxgen, "-t", "go", "--no-install-deps", "-o", BILL, ".")
        return "cdxgen -t go"

    def count(self, place: Path) -> int:
        """Modules whose contents or go.mod are pinned."""
        lines = (place / "go.sum").read_text().splitlines()
        return len({line.split()[0] for line in lines})

    def version_of(self, module: str, place: Path) -> str:
        found = re.search(rf"^\s*{re.escape(module)} (\S+)", (place / "go.mod").read_text(), re.MULTILINE)
        assert found is not None, f"go.mod does not require {module}"
        return found[1]

    def install(self, place: Path) -> list[list[str]]:
        return [*self._used(), ["go", "mod", "tidy", "-diff"], ["go", "mod", "verify"]]

    def install_billed(self, place: Path) -> list[list[str]]:
        return [*self._used(), ["go", "mod", "verify"]]

    def _used(self) -> list[list[str]]:
        # All sources are read that a build compiles.
        return [["go", "mod", "download"], ["go", "list", "-deps", "./..."]]

    def get(self, place: Path) -> list[list[str]]:
        """Without go.sum everything is looked up in the checksum database."""
        first, second = self.PACKAGES
        version = self.version_of("github.com/prometheus/client_golang", place)
        return [["rm", "go.sum"], ["go", "get", first], ["go", "get", f"{second}@{version}"], ["go", "mod", "tidy"]]

    def get_alone(self, place: Path) -> list[list[str]]:
        module, package = self.ALONE
        get = ["go", "get", f"{package}@{self.version_of(module, place)}"]
        return [["rm", "go.mod", "go.sum", "main.go", "more.go"], ["go", "mod", "init", "alone.example/alone"], get]


PROJECTS: Sequence[Project] = (PipProject(), UvProject(), NpmProject(), PnpmProject(), GoProject())
