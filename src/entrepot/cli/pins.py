"""`entrepot pins`: what mirror jobs keep from eviction."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final

import msgspec
import typer

from entrepot.cli.lazy import new_app
from entrepot.cli.options import ConfigOption, DataOption, JsonOption
from entrepot.cli.tables import count_text, size_text, table

HEAD: Final = ("job", "entries", "size", "since", "what")

app = new_app("List what mirror jobs keep from eviction, and let go of it.")


class _Pins(msgspec.Struct):
    job: str
    name: str
    entries: int
    size_bytes: int
    pinned_at: datetime


@app.callback(invoke_without_command=True)
def pins(
    context: typer.Context, config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """List what mirror jobs keep from eviction."""
    if context.invoked_subcommand is not None:
        return
    from entrepot.cli.operating import Operator

    answer = Operator(config, data).call("pins")
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    for line in lines_of(msgspec.convert(answer, list[_Pins])):
        print(line)


@app.command()
def release(
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job, as `entrepot pins` lists it.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Let go of what a job keeps: it may be evicted like everything else, unless another job keeps it."""
    from entrepot.cli.operating import Operator

    released = msgspec.convert(Operator(config, data).call("release-pins", job=job), int)
    print(f"released {count_text(released, 'entry')} of job {job}")


def lines_of(told: list[_Pins]) -> Iterator[str]:
    """For people."""
    if not told:
        yield "nothing is pinned"
        return
    yield from table([HEAD, *map(_row, told)])


def _row(one: _Pins) -> tuple[str, ...]:
    return one.job, str(one.entries), size_text(one.size_bytes), f"{one.pinned_at:%Y-%m-%d %H:%M}", one.name
