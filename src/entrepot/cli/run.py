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
from entrepot.cli.main import FAILED
from entrepot.cli.recording import check_writable, lines_of, write_bill
from entrepot.cli.session import Session
from entrepot.cli.summary import summary
from entrepot.errors import EntrepotError

app = new_app()


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def run(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="What to run, with its arguments.")],
    config: ConfigOption = None,
    data: DataOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no summary.")] = False,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what was served into a CycloneDX bill of materials.")
    ] = None,
    freeze: Annotated[bool, typer.Option("--freeze", help="Keep what was served, so that it can be replayed.")] = False,
    replay: Annotated[
        str, typer.Option(metavar="ID|FILE", help="Serve what a session was served, and nothing else.")
    ] = "",
) -> int:
    """Run a command with every package manager pointed at Entrepot, and print what was served from where. Its exit
    status is the command's."""
    if record is not None:
        check_writable(record)
    with (
        Session(config, data, what=Path(command[0]).name, replay=replay) as session,
        tempfile.TemporaryDirectory(prefix="entrepot-") as directory,
    ):
        began = time.time()
        environment = environment_of(os.environ, session.clients, session.url_of, Path(directory), session.hosts_of)
        try:
            status = run_child(command, environment)
        except CannotRun as error:
            print(f"entrepot: error: {error}", file=sys.stderr)
            return error.exit_status
        for line in _report(session, began, quiet=quiet):
            print(line, file=sys.stderr)
        if not (_keep(session, record, freeze=freeze) or status):
            return FAILED
    return status


def _keep(session: Session, record: Path | None, *, freeze: bool) -> bool:
    """What was asked for besides the run. Whether it was done: a command that failed is told of first."""
    try:
        if freeze:
            missing = session.freeze()
            print(f"entrepot: session {session.name} is frozen: --replay {session.name}", file=sys.stderr)
            if missing:
                print(f"entrepot: warning: not stored any more: {', '.join(missing[:5])}", file=sys.stderr)
        if record is not None:
            bill = session.bill()
            write_bill(record, bill)
            for line in lines_of(record, bill, session.name):
                print(line, file=sys.stderr)
    except EntrepotError as error:
        print(f"entrepot: error: {error}", file=sys.stderr)
        return False
    return True


def _report(session: Session, began: float, *, quiet: bool) -> list[str]:
    counts = session.counts()
    if counts is None:
        return ["entrepot: the server ended before the command did; what it served is not known"]
    lines = [] if quiet else summary(counts)
    if counts:
        lines += find_leftovers(Path.cwd(), session.mark, session.lockfiles, began)
    return lines
