"""Options that many commands have. Loads nothing heavy."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Configuration (TOML); default: $ENTREPOT_CONFIG."),
]

DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data directory; default: $ENTREPOT_DATA, else this user's own."),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Everything that is known, as JSON.")]
