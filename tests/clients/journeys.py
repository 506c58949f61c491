"""What each client does on an ordinary day: it installs a few packages, some of which need others."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from tests.clients.room import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    client: str
    ecosystem: str
    commands: tuple[str, ...]
    """What must be installed here."""
    install: Callable[[Room], None]
    brings: tuple[str, ...]
    """Paths, from their end, that are there afterwards."""


def _pip(room: Room) -> None:
    room.run(sys.executable, "-m", "pip", "install", "--no-compile", "--target", "site", "acme-app")


def _uv(room: Room) -> None:
    room.run("uv", "pip", "install", "--target", "site", "acme-app")


def _npm(room: Room) -> None:
    room.write("package.json", '{"name": "mine", "version": "1.0.0"}')
    room.run("npm", "install", "left", "odd", "old")


def _pnpm(room: Room) -> None:
    room.write("package.json", '{"name": "mine", "version": "1.0.0"}')
    room.run("pnpm", "add", "left", "odd", "old")


def _go(room: Room) -> None:
    room.write("go.mod", "module mine.example/mine\n\ngo 1.20\n")
    room.run("go", "get", "go.example/hello@latest")


PIP = Journey(
    client="pip",
    ecosystem="pypi",
    commands=(),
    install=_pip,
    brings=("acme_app-2.0.dist-info/METADATA", "acme_core-1.1.dist-info/METADATA", "acme_core/__init__.py"),
)
UV = Journey(client="uv", ecosystem="pypi", commands=("uv",), install=_uv, brings=PIP.brings)
NPM = Journey(
    client="npm",
    ecosystem="npm",
    commands=("npm", "node"),
    install=_npm,
    brings=("left/index.js", "@acme/foo/index.js", "odd/index.js", "old/index.js"),
)
PNPM = Journey(client="pnpm", ecosystem="npm", commands=("pnpm", "node"), install=_pnpm, brings=NPM.brings)
GO = Journey(
    client="go",
    ecosystem="golang",
    commands=("go",),
    install=_go,
    brings=("go.sum", "hello@v1.1.0/hello.go", "!capital@v1.0.0/capital.go", "old@v2.0.0+incompatible/old.go"),
)
JOURNEYS = (PIP, UV, NPM, PNPM, GO)
