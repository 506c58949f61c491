"""Eight package managers: a project for each, the commands a developer types, and what their locks say they got."""

import hashlib
import json
import os
import re
import sys
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems import find_ecosystems

PYTHON = Path(sys.executable)
TOOLS = Path(__file__).parents[2] / ".cache" / "tools" / "bin"
SEARCHED = (str(TOOLS), str(PYTHON.parent))
"""Where clients are that make brought, before those of the machine."""


class Client(ABC):
    """One package manager with its project."""

    name: ClassVar[str]
    ecosystem: ClassVar[str]
    repository: ClassVar[str]
    variables: ClassVar[Mapping[str, str]] = {}
    """What it needs besides what the ecosystem declares."""

    def settings(self) -> str:
        """What Entrepot's configuration needs for it."""
        return ""

    def environment(self, url: str, host: str) -> dict[str, str]:
        """The variables by which the ecosystem's own declaration points this client at us."""
        ecosystem: type[Ecosystem] = find_ecosystems()[self.ecosystem]
        declared = next(client for client in ecosystem.clients if client.name == self.name)
        assert not declared.files, "a client with generated files needs more than variables"
        values = {**declared.variables, **self.variables}
        return {name: value.format(url=f"{url}/{self.repository}", host=host) for name, value in values.items()}

    @abstractmethod
    def prepare(self, project: Path) -> None:
        """Write the project into an empty directory."""

    @abstractmethod
    def commands(self) -> list[list[str]]: ...

    @abstractmethod
    def lock(self, project: Path) -> dict[str, str]:
        """What was installed: package and version (or file) to its digest."""


class Pip(Client):
    name, ecosystem, repository = "pip", "pypi", "pypi"
    variables: ClassVar[Mapping[str, str]] = {"PIP_TRUSTED_HOST": "{host}", "PIP_DISABLE_PIP_VERSION_CHECK": "0"}

    def prepare(self, project: Path) -> None:
        (project / "requirements.txt").write_text("jupyterlab\npandas\nrequests\nrich\nblack\n")

    def commands(self) -> list[list[str]]:
        python = str(PYTHON)
        install = ["install", "--report", "report.json", "-r", "requirements.txt"]
        return [
            [python, "-m", "venv", "--without-pip", "env"],
            [python, "-m", "pip", "--python", "env/bin/python", *install],
            [python, "-m", "pip", "--python", "env/bin/python", "check"],
        ]

    def lock(self, project: Path) -> dict[str, str]:
        report = json.loads((project / "report.json").read_text())
        found = {}
        for item in report["install"]:
            package = f"{item['metadata']['name']} {item['metadata']['version']}"
            found[package] = f"sha256:{item['download_info']['archive_info']['hashes']['sha256']}"
        return found


class Uv(Client):
    name, ecosystem, repository = "uv", "pypi", "pypi"
    variables: ClassVar[Mapping[str, str]] = {"UV_PYTHON": str(PYTHON), "UV_PYTHON_DOWNLOADS": "never"}

    def prepare(self, project: Path) -> None:
        wanted = [
            "fastapi[standard]",
            "sqlalchemy",
            "celery[redis]",
            "scikit-learn",
            "sphinx",
            "mkdocs-material",
            "ipython",
        ]
        lines = ["[project]", 'name = "app"', 'version = "0.1.0"', 'requires-python = ">=3.11"']
        (project / "pyproject.toml").write_text("\n".join([*lines, f"dependencies = {json.dumps(wanted)}", ""]))

    def commands(self) -> list[list[str]]:
        return [["uv", "sync"]]

    def lock(self, project: Path) -> dict[str, str]:
        found = {}
        for package in tomllib.loads((project / "uv.lock").read_text())["package"]:
            for file in [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]:
                found[f"{package['name']} {package['version']} {file['url'].rpartition('/')[2]}"] = file["hash"]
        return found


_NODE_PACKAGES = (
    "express",
    "webpack",
    "webpack-cli",
    "typescript",
    "eslint",
    "jest",
    "@babel/core",
    "@types/node",
    "react",
)


def _write_package_json(project: Path) -> None:
    wanted = dict.fromkeys(_NODE_PACKAGES, "*")
    (project / "package.json").write_text(json.dumps({"name": "app", "version": "1.0.0", "dependencies": wanted}))


class Npm(Client):
    name, ecosystem, repository = "npm", "npm", "npm"

    def prepare(self, project: Path) -> None:
        _write_package_json(project)

    def commands(self) -> list[list[str]]:
        return [["npm", "install"], ["npm", "ls", "--all"]]

    def lock(self, project: Path) -> dict[str, str]:
        packages = json.loads((project / "package-lock.json").read_text())["packages"]
        found = {}
        for path, package in packages.items():
            if path:
                name = package.get("name", path.rpartition("node_modules/")[2])
                found[f"{name} {package['version']}"] = package["integrity"]
        return found


class Pnpm(Client):
    name, ecosystem, repository = "pnpm", "npm", "npm"
    _RESOLUTION = re.compile(
        r"^  '?(?P<name>@?[^@\s']+)@(?P<version>[^:\s']+)'?:\n    resolution: \{integrity: (?P<digest>[^,}]+)",
        re.MULTILINE,
    )

    def prepare(self, project: Path) -> None:
        _write_package_json(project)

    def commands(self) -> list[list[str]]:
        return [["pnpm", "install", "--no-frozen-lockfile"]]

    def lock(self, project: Path) -> dict[str, str]:
        text = (project / "pnpm-lock.yaml").read_text()
        return {f"{line['name']} {line['version']}": line["digest"] for line in self._RESOLUTION.finditer(text)}


class Go(Client):
    name, ecosystem, repository = "go", "golang", "go"
    variables: ClassVar[Mapping[str, str]] = {"GOTOOLCHAIN": "local", "GOFLAGS": "-modcacherw"}
    IMPORTS = (
        "github.com/gin-gonic/gin",
        "github.com/spf13/cobra",
        "github.com/spf13/viper",
        "github.com/prometheus/client_golang/prometheus",
        "go.uber.org/zap",
        "google.golang.org/grpc",
        "gorm.io/gorm",
        "github.com/Masterminds/sprig/v3",
        "gopkg.in/yaml.v3",
        "golang.org/x/tools/go/packages",
    )

    def prepare(self, project: Path) -> None:
        (project / "go.mod").write_text("module app.example/app\n\ngo 1.24\n")
        lines = "".join(f'\t_ "{path}"\n' for path in self.IMPORTS)
        (project / "main.go").write_text(f"package main\n\nimport (\n{lines})\n\nfunc main() {{}}\n")

    def commands(self) -> list[list[str]]:
        return [["go", "mod", "tidy"], ["go", "mod", "download", "all"], ["go", "mod", "verify"]]

    def lock(self, project: Path) -> dict[str, str]:
        lines = [line.split() for line in (project / "go.sum").read_text().splitlines()]
        return {f"{module} {version}": digest for module, version, digest in lines}


class Cargo(Client):
    name, ecosystem, repository = "cargo", "cargo", "cargo"
    variables: ClassVar[Mapping[str, str]] = {
        "AT": "{url}",
        # Where cargo is a proxy of rustup's, that looks for toolchains below the home directory.
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME") or str(Path.home() / ".rustup"),
    }

    def prepare(self, project: Path) -> None:
        wanted = {
            "tokio": ["full"],
            "serde": ["derive"],
            "clap": ["derive"],
            "reqwest": ["json"],
            "axum": [],
            "sqlx": [],
        }
        lines = (f'{name} = {{ version = "*", features = {json.dumps(some)} }}\n' for name, some in wanted.items())
        head = '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\n'
        (project / "Cargo.toml").write_text(head + "".join(lines))
        (project / "src").mkdir()
        (project / "src" / "lib.rs").write_text("")

    def commands(self) -> list[list[str]]:
        """With the arguments that `entrepot run` puts before its own."""
        declared = next(client for client in find_ecosystems()["cargo"].clients if client.name == "cargo")
        words = " ".join(f'"{word.replace("{url}", "$AT")}"' for word in declared.arguments)
        return [["sh", "-c", f"cargo {words} fetch"]]

    def lock(self, project: Path) -> dict[str, str]:
        packages = tomllib.loads((project / "Cargo.lock").read_text())["package"]
        return {f"{one['name']} {one['version']}": one["checksum"] for one in packages if "checksum" in one}


class Maven(Client):
    name, ecosystem, repository = "mvn", "maven", "maven"
    PLACE = "repository"
    POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>example</groupId><artifactId>app</artifactId><version>1.0</version>
  <properties>
    <maven.compiler.source>17</maven.compiler.source><maven.compiler.target>17</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency>
      <groupId>org.apache.httpcomponents.client5</groupId><artifactId>httpclient5</artifactId><version>5.3.1</version>
    </dependency>
    <dependency>
      <groupId>com.fasterxml.jackson.core</groupId><artifactId>jackson-databind</artifactId><version>2.17.2</version>
    </dependency>
    <dependency><groupId>com.google.guava</groupId><artifactId>guava</artifactId><version>33.2.1-jre</version></dependency>
    <dependency>
      <groupId>org.junit.jupiter</groupId><artifactId>junit-jupiter</artifactId><version>5.10.3</version>
      <scope>test</scope>
    </dependency>
  </dependencies>
</project>
"""
    SETTINGS = """\
<settings>
  <localRepository>${env.PWD}/repository</localRepository>
  <mirrors><mirror><id>entrepot</id><mirrorOf>*</mirrorOf><url>${env.AT}</url></mirror></mirrors>
</settings>
"""

    def environment(self, url: str, host: str) -> dict[str, str]:
        """By settings that name a variable, as `entrepot run` writes a file of them."""
        return {"AT": f"{url}/{self.repository}"}

    def prepare(self, project: Path) -> None:
        (project / "pom.xml").write_text(self.POM)
        (project / "settings.xml").write_text(self.SETTINGS)
        source = project / "src" / "main" / "java" / "App.java"
        source.parent.mkdir(parents=True)
        source.write_text("public class App { public static void main(String[] words) {} }\n")

    def commands(self) -> list[list[str]]:
        return [["sh", "-c", "mvn -B -q -s settings.xml package"]]

    def lock(self, project: Path) -> dict[str, str]:
        place = project / self.PLACE
        files = (file for file in place.rglob("*") if file.suffix in (".jar", ".pom"))
        return {str(file.relative_to(place)): f"sha1:{_hex_of(file, 'sha1')}" for file in files}


class Apt(Client):
    """Into a root of its own, in which nothing is installed, from the archive that this machine has."""

    name, ecosystem, repository = "apt-get", "apt", "debian"
    WANTED = ("nginx", "git", "python3-requests", "build-essential")
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "Dir::Etc::SourceList": "$PWD/sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": "$PWD/state",
        "Dir::State::Status": "$PWD/status",
        "Dir::Cache": "$PWD/cache",
        "APT::Sandbox::User": "root",
        "APT::Get::List-Cleanup": "false",
    }

    def settings(self) -> str:
        archive, _ = _debian()
        return f'[repositories.{self.repository}]\necosystem = "apt"\nupstreams = [{json.dumps(archive)}]\n'

    def environment(self, url: str, host: str) -> dict[str, str]:
        return {"AT": f"{url}/{self.repository}"}

    def prepare(self, project: Path) -> None:
        (project / "status").touch()
        for name in ("state/lists/partial", "cache/archives/partial"):
            (project / name).mkdir(parents=True)

    def commands(self) -> list[list[str]]:
        suite, options = _debian()[1], " ".join(f'-o {name}="{value}"' for name, value in self.OPTIONS.items())
        install = f"install -q -y --download-only --no-install-recommends {' '.join(self.WANTED)}"
        return [
            ["sh", "-c", f'echo "deb [signed-by={KEYRING}] $AT {suite} main" >sources.list'],
            ["sh", "-c", f"apt-get {options} -q update"],
            ["sh", "-c", f"apt-get {options} {install}"],
        ]

    def lock(self, project: Path) -> dict[str, str]:
        files = (project / "cache" / "archives").glob("*.deb")
        return {file.name: f"sha256:{_hex_of(file, 'sha256')}" for file in files}


KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def _debian() -> tuple[str, str]:
    """The archive that this machine installs from (by HTTPS, as the recorder wants it), and its first suite."""
    for file in sorted(Path("/etc/apt").glob("sources.list.d/*.sources")):
        told = re.findall(r"^URIs: *http(?:s)?(://\S+/debian)/?\nSuites: *(\S+)", file.read_text(), re.MULTILINE)
        if told:
            return f"https{told[0][0]}", told[0][1]
    raise RuntimeError("no archive of Debian's is configured here")


def _hex_of(file: Path, algorithm: str) -> str:
    return hashlib.new(algorithm, file.read_bytes(), usedforsecurity=False).hexdigest()


_ALL = (Pip(), Uv(), Npm(), Pnpm(), Go(), Cargo(), Maven(), Apt())
CLIENTS: dict[str, Client] = {client.name: client for client in _ALL}
