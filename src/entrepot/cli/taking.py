"""`entrepot import`: what a bundle of another site brings."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from entrepot.cli.lazy import new_app
from entrepot.cli.options import ConfigOption, DataOption

NOT_COMPLETE = 2

app = new_app()


@app.command()
def take(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="BUNDLE.tar.zst, as entrepot export wrote it.")],
    trust: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A public key whose signature is believed.")
    ] = None,
    allow_unsigned: Annotated[
        bool, typer.Option("--allow-unsigned", help="Fill gaps from a bundle that nobody trusted has signed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check all of it and say what would be taken over; change nothing.")
    ] = False,
    into: Annotated[
        list[str] | None, typer.Option(metavar="THEIRS=OURS", help="A repository that has another name here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome, as JSON.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> int:
    """Take over what a bundle of another site brings. All of it is checked before anything is taken over.

    An import that was broken off goes on where it stopped when it is begun again. Exit status 2 when something was not
    taken over: a repository that is not here, or a file whose name is remembered to stand for other bytes.
    """
    from entrepot.cli.carrying import import_lines, import_notes, read_import
    from entrepot.cli.operating import Operator

    answer = Operator(config, data).call(
        "import",
        path=str(bundle.absolute()),
        trust=[str(file.absolute()) for file in trust or []],
        allow_unsigned=allow_unsigned,
        dry_run=dry_run,
        into=_names(into or []),
    )
    told = read_import(answer)
    for line in import_notes(told):
        print(line, file=sys.stderr)
    if as_json:
        print(json.dumps(answer, indent=2))
    else:
        for line in import_lines(told):
            print(line)
    return 0 if told.complete else NOT_COMPLETE


def _names(pairs: list[str]) -> dict[str, str]:
    """Raises BadRequest."""
    from entrepot.errors import BadRequest

    found = {}
    for pair in pairs:
        theirs, _, ours = pair.partition("=")
        if not theirs or not ours:
            raise BadRequest(f"--into {pair}: it is THEIRS=OURS, two names of repositories")
        found[theirs] = ours
    return found
