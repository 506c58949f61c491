"""`entrepot fills`: what is fetched behind answers."""

import json
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from entrepot.cli.context import ConfigOption, DataOption
from entrepot.cli.lazy import new_app
from entrepot.cli.operating import Operator
from entrepot.cli.tables import table
from entrepot.errors import BadRequest

HEAD = ("path", "state", "failures", "next try", "for")

app = new_app("List what is fetched behind answers, and forget what failed.")


class _Fill(msgspec.Struct):
    key: str
    state: str
    client: str
    failures: int
    next_try_at: str | None
    error: str


@app.callback(invoke_without_command=True)
def fills(
    context: typer.Context,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything that is known, as JSON.")] = False,
) -> None:
    """List what is fetched behind answers: what waits, what failed, and what was done lately."""
    if context.invoked_subcommand is not None:
        return
    answer = Operator(config, data).call("fills")
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    for line in lines_of(msgspec.convert(answer, list[_Fill])):
        print(line)


@app.command()
def clear(
    key: Annotated[str, typer.Argument(metavar="[KEY]", help="REPOSITORY/PATH, as `entrepot fills` lists it.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All that failed and are not tried again.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Forget a fill and why it waits: the next request for it starts it anew."""
    if bool(key) == everything:
        raise BadRequest("name the fill to clear, or say --all for all that failed")
    operator = Operator(config, data)
    answer = operator.call("clear-failed-fills") if everything else operator.call("clear-fill", key=key)
    cleared = msgspec.convert(answer, list[str])
    for one in dict.fromkeys(map(_path_of, cleared)):
        print(f"cleared {one}")
    if not cleared:
        print("nothing to do: nothing failed")


def lines_of(told: list[_Fill]) -> Iterator[str]:
    """For people."""
    if not told:
        yield "nothing is fetched behind answers"
        return
    rows = [(_path_of(one.key), one.state, str(one.failures), one.next_try_at or "-", one.client) for one in told]
    head, *lines = table([HEAD, *rows])
    yield head
    for one, line in zip(told, lines, strict=True):
        yield line
        if one.error:
            yield f"  {one.error}"


def _path_of(key: str) -> str:
    """Without the representation."""
    return key.partition(" ")[0]
