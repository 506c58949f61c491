"""Package managers that all do the same: install a package, say which version they took, and install what a lock file
pins."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

from tests.clients.room import Room

PIP = (sys.executable, "-m", "pip")
_PROJECT = '{"name": "mine", "version": "1.0.0"}'
_YARN = """npmRegistryServer: "{url}"
unsafeHttpWhitelist: ["127.0.0.1"]
nodeLinker: node-modules
enableTelemetry: false
enableGlobalCache: false
npmMinimalAgeGate: 0
httpRetry: 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """`{package}` stands for a package's name in commands. A client's own age gate is off."""

    name: str
    ecosystem: str
    needs: tuple[str, ...]
    install: tuple[str, ...]
    prepare: Callable[[Room, str], None]
    """Has all files of a project that wants the package."""
    installed: Callable[[Room, str], str]
    """The version that is there, without Go's `v`."""
    locked_by: tuple[str, ...]
    """The files that pin it."""
    install_locked: tuple[str, ...]
    tells: bool = True
    """Whether it shows people more of a refusal than status and address."""
    lock: tuple[str, ...] = ()
    """Writes the lock file, where `install` does not."""

    def buy(self, room: Room, package: str) -> str:
        """Installs the newest, and says which that is."""
        self.prepare(room, package)
        room.run(*(word.format(package=package) for word in self.install))
        if self.lock:
            room.run(*self.lock)
        return self.installed(room, package)

    def buy_again(self, room: Room, other: Room) -> str:
        """What the lock file of another room pins, but from here."""
        self.prepare(room, "")
        for name in self.locked_by:
            room.write(name, other.read(name).replace(other.url, room.url))
        return room.run(*self.install_locked)


def _as_node(room: Room, package: str) -> None:
    room.write("package.json", _PROJECT)


def _as_yarn(room: Room, package: str) -> None:
    _as_node(room, package)
    room.write("yarn.lock", "")
    room.write(".yarnrc.yml", _YARN.format(url=room.url))


def _as_python(room: Room, package: str) -> None:
    room.write("wanted.in", f"{package}\n")


def _as_go(room: Room, package: str) -> None:
    room.write("go.mod", "module mine.example/mine\n\ngo 1.20\n")


def _of_node(room: Room, package: str) -> str:
    return str(json.loads(room.read(f"node_modules/{package}/package.json"))["version"])


def _of_python(room: Room, package: str) -> str:
    (found,) = (room.project / "site").glob(f"{package.replace('-', '_')}-*.dist-info")
    return found.name.removesuffix(".dist-info").rpartition("-")[2]


def _of_go(room: Room, package: str) -> str:
    found = re.search(rf"{re.escape(package)} v(\S+)", room.read("go.mod"))
    assert found
    return found[1]


NPM = Buyer(
    name="npm",
    ecosystem="npm",
    needs=("npm", "node"),
    prepare=_as_node,
    install=("npm", "install", "--no-audit", "{package}"),
    installed=_of_node,
    locked_by=("package.json", "package-lock.json"),
    install_locked=("npm", "ci", "--no-audit"),
)
PNPM = Buyer(
    name="pnpm",
    ecosystem="npm",
    needs=("pnpm", "node"),
    prepare=_as_node,
    install=("pnpm", "add", "{package}"),
    installed=_of_node,
    locked_by=("package.json", "pnpm-lock.yaml"),
    install_locked=("pnpm", "install", "--frozen-lockfile"),
    tells=False,
)
YARN = Buyer(
    name="yarn",
    ecosystem="npm",
    needs=("yarn", "node"),
    prepare=_as_yarn,
    install=("yarn", "add", "{package}"),
    installed=_of_node,
    locked_by=("package.json", "yarn.lock"),
    install_locked=("yarn", "install", "--immutable"),
)
PYTHON = Buyer(
    name="pip",
    ecosystem="pypi",
    needs=(),
    prepare=_as_python,
    install=(*PIP, "install", "--no-compile", "--target", "site", "{package}"),
    installed=_of_python,
    lock=(*PIP, "lock", "-r", "wanted.in"),
    locked_by=("pylock.toml",),
    install_locked=(*PIP, "install", "--no-compile", "--target", "site", "-r", "pylock.toml"),
)
UV = Buyer(
    name="uv",
    ecosystem="pypi",
    needs=("uv",),
    prepare=_as_python,
    install=("uv", "pip", "install", "--target", "site", "{package}"),
    installed=_of_python,
    lock=("uv", "pip", "compile", "--format", "pylock.toml", "-o", "pylock.toml", "wanted.in"),
    locked_by=("pylock.toml",),
    install_locked=("uv", "pip", "install", "--target", "site", "-r", "pylock.toml"),
)
GO = Buyer(
    name="go",
    ecosystem="golang",
    needs=("go",),
    prepare=_as_go,
    install=("go", "get", "{package}"),
    installed=_of_go,
    locked_by=("go.mod", "go.sum"),
    install_locked=("go", "mod", "download"),
)
BUYERS = (NPM, PNPM, YARN, PYTHON, UV, GO)
