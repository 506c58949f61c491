"""`entrepot bundles`: what was written and taken over, and the keys for it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from entrepot.cli.lazy import new_app
from entrepot.cli.options import ConfigOption, DataOption, JsonOption

app = new_app("List the bundles that were written and taken over, and make keys.")


@app.callback(invoke_without_command=True)
def bundles(
    context: typer.Context, config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """List the bundles that this store has written and those that it has taken over."""
    if context.invoked_subcommand is not None:
        return
    from entrepot.cli.carrying import bundle_lines, read_bundles
    from entrepot.cli.operating import Operator

    answer = Operator(config, data).call("bundles")
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    for line in bundle_lines(read_bundles(answer)):
        print(line)


@app.command()
def keygen(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The private key; the public one is FILE.pub.")],
) -> None:
    """Make a key to sign bundles with. Keep FILE to yourself; FILE.pub goes to those who import."""
    from entrepot.mirror.bundles.signing import make_keys

    public = make_keys(file)
    print(f"private key: {file}")
    print(f"public key:  {file}.pub")
    print(f"\non the other side, in entrepot.toml:\n\n[bundles]\ntrusted_keys = [{json.dumps(public)}]")
