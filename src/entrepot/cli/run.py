"""`entrepot run`: one command with every package manager pointed at us."""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from entrepot.cli.child import CannotRun, run_child
from entrepot.cli.context import ConfigOption, DataOption
from entrepot.cli.environment import environment_of
from entrepot.cli.lazy import new_app
from entrepot.cli.leftovers import find_leftovers
from entrepot.cli.session import Session
from entrepot.cli.summary import summary

app = new_app()


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def run(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="What to run, with its arguments.")],
    config: ConfigOption = None,
    data: DataOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no summary.")] = False,
) -> int:
    """Run a command with every package manager pointed at Entrepot, and print what was served from where. Its exit
    status is the command's."""
    with Session(config, data) as session, tempfile.TemporaryDirectory(prefix="entrepot-") as directory:
        began = time.time()
        environment = environment_of(os.environ, session.clients, session.url_of, Path(directory))
        try:
            status = run_child(command, environment)
        except CannotRun as error:
            print(f"entrepot: error: {error}", file=sys.stderr)
            return error.exit_status
        for line in _report(session, began, quiet=quiet):
            print(line, file=sys.stderr)
    return status


def _report(session: Session, began: float, *, quiet: bool) -> list[str]:
    counts = session.counts()
    if counts is None:
        return ["entrepot: the server ended before the command did; what it served is not known"]
    lines = [] if quiet else summary(counts)
    if counts:
        lines += find_leftovers(Path.cwd(), session.mark, session.lockfiles, began)
    return lines
