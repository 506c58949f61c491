"""`entrepot forget`: drop what is remembered of a package."""

from typing import Annotated

import typer

from entrepot.cli.context import ConfigOption, DataOption
from entrepot.cli.lazy import new_app
from entrepot.cli.operating import Operator
from entrepot.cli.targets import print_keys

app = new_app()


@app.command()
def forget(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="REPOSITORY/PACKAGE, REPOSITORY/PATH, or a package URL such as pkg:npm/left-pad."
        ),
    ],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Drop the digests that are remembered of a package's files, and which upstream the package belongs to."""
    print_keys("forgot", target, Operator(config, data).call("forget", target=target))
