"""The `entrepot` command: its options, and how errors are told."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from entrepot import __version__
from entrepot.cli.lazy import LazyGroup
from entrepot.cli.partial import NOTHING_DONE, NothingDone
from entrepot.errors import EntrepotError

FAILED = 2
INTERRUPTED = 130

app = typer.Typer(cls=LazyGroup, rich_markup_mode=None, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"entrepot {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def entrepot(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """A caching package proxy: keeps a verified copy of every package that builds need."""
    if context.invoked_subcommand is None:
        print(context.get_help())


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit status. An error of ours, or in the call, is one line and no traceback."""
    try:
        status = typer.main.get_command(app).main(list(arguments), prog_name="entrepot", standalone_mode=False)
    except (EntrepotError, typer.TyperException) as error:
        text = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        for line in text.splitlines():
            print(f"entrepot: error: {line}", file=sys.stderr)
        return NOTHING_DONE if isinstance(error, NothingDone) else FAILED
    except typer.Abort:
        return INTERRUPTED
    return status if isinstance(status, int) else 0


def main() -> None:
    sys.exit(run(sys.argv[1:]))
