"""How a command is told what to act on, and how it tells what it did."""

from typing import Annotated

import msgspec
import typer

TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="REPOSITORY/PATH (a * at its end stands for everything that begins so), an address of ours, "
        "or a package URL such as pkg:npm/left-pad@1.3.0.",
    ),
]


def print_keys(done: str, target: str, answer: object) -> None:
    """One line for each path that something was done to, in whatever representation it was stored."""
    keys = dict.fromkeys(key.partition(" ")[0] for key in msgspec.convert(answer, list[str]))
    for key in keys:
        print(f"{done} {key}")
    if not keys:
        print(f"nothing to do: nothing is kept of {target}")
