"""`entrepot accept`: take other bytes for a name that had some already."""

import sys
from typing import Annotated

import msgspec
import typer

from entrepot.cli.context import ConfigOption, DataOption
from entrepot.cli.lazy import new_app
from entrepot.cli.operating import Operator
from entrepot.cli.targets import TargetArgument
from entrepot.errors import BadRequest

app = new_app()


class _Known(msgspec.Struct):
    key: str
    remembered: str
    stored: str


@app.command()
def accept(
    target: TargetArgument,
    sha256: Annotated[
        str, typer.Argument(metavar="[SHA256]", help="The digest to take; default: that of what upstream has now.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Take other bytes for a file whose digest is remembered, after showing both digests."""
    operator = Operator(config, data)
    known = msgspec.convert(operator.call("accept", target=target), _Known)
    new = sha256.lower() or _offered(operator, target, known)
    print(f"{known.key}\n  remembered  sha256:{known.remembered}")
    if known.stored:
        print(f"  stored      sha256:{known.stored}")
    if new in ("", known.remembered):
        print("  nothing to accept: upstream's bytes are those that are remembered")
        return
    print(f"  new         sha256:{new}")
    if not yes:
        _confirm()
    operator.call("accept", target=target, sha256=new)
    print("accepted")


def _offered(operator: Operator, target: str, known: _Known) -> str:
    if known.stored:
        raise BadRequest(
            f"{target} is stored, and what is stored is served. To take other bytes name their SHA-256, "
            f"or `entrepot purge {target}` first"
        )
    return msgspec.convert(operator.call("offered", target=target), str)


def _confirm() -> None:
    if not sys.stdin.isatty():
        raise BadRequest("nobody is there to be asked; say --yes to accept the new bytes")
    if not typer.confirm("From now on the name stands for the new bytes. Accept them?"):
        raise typer.Abort
