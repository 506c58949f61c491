"""Commands that are loaded when they are called.

A command's module imports what it needs at its top, as any module does. That `entrepot --help` is quick all the same
comes from here: the list of commands is a table, and only the module of the command that is called is imported.
"""

import importlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS: Final = {
    "serve": "Serve the configured repositories.",
    "run": "Run a command with every package manager pointed at Entrepot.",
    "doctor": "Say whether clients, upstreams and store are in order.",
    "stats": "Show what was served from where, and what is stored.",
    "purge": "Delete what is stored under a name.",
    "invalidate": "Have upstream asked again before what is stored is used.",
    "forget": "Drop what is remembered of a package.",
    "accept": "Take other bytes for a file whose digest is remembered.",
    "explain": "Say why a request is answered as it is.",
    "token": "Make a token for somebody who may ask.",
    "mirror": "Fetch packages before they are needed: from package URLs, SBOMs, lock files, directories.",
    "pins": "List what mirror jobs keep from eviction, and let go of it.",
    "export": "Write what is stored into a bundle, or as files, for a site without a network.",
    "import": "Take over what a bundle of another site brings.",
    "bundles": "List the bundles that were written and taken over, and make keys.",
    "fills": "List what is fetched behind answers, and forget what failed.",
    "config": "Check, show and explain the configuration.",
}
"""Each command and what it does, as the help shows it; the module is `entrepot.cli.<command>`."""
_MODULES: Final = {"import": "taking"}
"""Where a command's name cannot be a module's."""


class _Formatter(Protocol):
    def section(self, name: str, /) -> AbstractContextManager[None]: ...
    def write_dl(self, rows: Sequence[tuple[str, str]], /) -> None: ...


class LazyGroup(TyperGroup):
    def list_commands(self, ctx: object) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | TyperGroup | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"entrepot.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command = typer.main.get_command(module.app)
        if not isinstance(command, TyperCommand | TyperGroup):
            raise TypeError(f"{module.__name__}.app is no Typer application")
        command.name = cmd_name
        return command

    def format_commands(self, ctx: object, formatter: _Formatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def new_app(help: str | None = None) -> typer.Typer:  # noqa: A002 - the name that Typer uses
    """An application for a command's module."""
    return typer.Typer(help=help, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
