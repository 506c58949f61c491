"""`entrepot config`: check, show and explain the configuration."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from entrepot.assembly import check_policies
from entrepot.cli.context import ConfigOption, load_settings, resolve_upstreams
from entrepot.cli.drafting import blueprint_of
from entrepot.cli.importing import import_configuration
from entrepot.cli.lazy import new_app
from entrepot.cli.rehearsal import lines_of, rehearse
from entrepot.config.reference import reference
from entrepot.config.settings import Settings
from entrepot.config.show import effective_values, found_upstreams
from entrepot.ecosystems import find_ecosystems

app = new_app("Check, show and explain the configuration.")
app.command(name="import")(import_configuration)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Configuration (TOML).")],
    against: Annotated[
        Path | None,
        typer.Option(metavar="LOG", help="Also say what it would have refused of the requests in this access log."),
    ] = None,
) -> None:
    """Say what is wrong with a configuration file, line by line, and what to do."""
    loaded = load_settings(file)
    blueprint = blueprint_of(loaded)
    for warning in check_policies(blueprint):
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{file}: sound; repositories: {', '.join(loaded.settings.repositories)}")
    if against is not None:
        for line in lines_of(rehearse(blueprint, against)):
            print(line)


@app.command()
def show(config: ConfigOption = None) -> None:
    """Print every value in effect and where it came from, discovered upstreams too; secrets are never shown."""
    loaded = load_settings(config)
    rows = [*effective_values(loaded), *found_upstreams(resolve_upstreams(loaded))]
    width = max(len(f"{key} = {value}") for key, value, _ in rows if len(f"{key} = {value}") <= 72)
    for key, value, origin in rows:
        print(f"{f'{key} = {value}':{width}}  # {origin}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    print(json.dumps(Settings.model_json_schema(), indent=2))


@app.command(name="reference")
def print_reference() -> None:
    """Print the settings reference (Markdown)."""
    print(reference(find_ecosystems()), end="")
