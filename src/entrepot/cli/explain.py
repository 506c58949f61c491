"""`entrepot explain`: why a request is answered as it is."""

import json
from typing import Annotated

import msgspec
import typer

from entrepot.cli.context import ConfigOption, DataOption
from entrepot.cli.lazy import new_app
from entrepot.cli.operating import Operator

app = new_app("Say why a request is answered as it is.")


class _Explanation(msgspec.Struct):
    resource: str
    facts: dict[str, str]


@app.command()
def explain(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="REPOSITORY/PATH, an address of ours, or a purl.")],
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same, as JSON.")] = False,
) -> None:
    """Say which rules apply to a package or path, what is stored of it, and what a request gets now."""
    answer = Operator(config, data).call("explain", target=target)
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    for number, one in enumerate(msgspec.convert(answer, list[_Explanation])):
        if number:
            print()
        print(one.resource)
        width = max(map(len, one.facts))
        for name, text in one.facts.items():
            print(f"  {name:{width}}  {text}")
