"""`entrepot token`: make a token for somebody who may ask."""

import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from secrets import token_urlsafe
from typing import Annotated

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from entrepot.cli.lazy import new_app
from entrepot.config.tokens import ALL, Token
from entrepot.errors import BadRequest

PREFIX = "entrepot_"
"""By which whoever finds one in a file knows what it is."""
RANDOM_BYTES = 32

app = new_app("Make a token for somebody who may ask.")


@app.callback()
def token() -> None:
    """Make a token for somebody who may ask."""


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the access log calls whoever sends it.")],
    repository: Annotated[
        list[str] | None,
        typer.Option("--repository", metavar="NAME", help="A repository it is for; may be repeated; default: all."),
    ] = None,
    right: Annotated[
        list[str] | None,
        typer.Option("--right", metavar="RIGHT", help="read, write, trigger or admin; may be repeated; default: read."),
    ] = None,
    until: Annotated[str, typer.Option("--until", metavar="DATE", help="The last day on which it counts.")] = "",
) -> None:
    """Print a new token, this once, and the lines for the configuration, which hold its digest only."""
    secret = PREFIX + token_urlsafe(RANDOM_BYTES)
    made = _token(name, secret, repository or [ALL], right or ["read"], until)
    print(f"{secret}\n\nThis is the token. It is shown this once, and kept nowhere.", file=sys.stderr)
    print("These lines go into the configuration; the server reads them when it starts:\n", file=sys.stderr, flush=True)
    for line in _lines_of(made, until):
        print(line)


def _token(name: str, secret: str, repositories: list[str], rights: list[str], until: str) -> Token:
    """Raises BadRequest."""
    values = {
        "name": name,
        "sha256": sha256(secret.encode()).hexdigest(),
        "repositories": repositories,
        "rights": rights,
        "until": until,
    }
    try:
        return Token.model_validate(values)
    except ValidationError as error:
        raise BadRequest("\n".join(map(_complaint, error.errors(include_url=False)))) from error


def _complaint(detail: ErrorDetails) -> str:
    reason = detail["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    return f"{detail['loc'][0]}: {reason}" if detail["loc"] else reason


def _lines_of(made: Token, until: str) -> Iterator[str]:
    """As TOML, whose texts and lists are written like JSON's."""
    yield "[[tokens]]"
    yield f"name = {json.dumps(made.name)}"
    yield f"sha256 = {json.dumps(made.sha256)}"
    yield f"repositories = {json.dumps(made.repositories)}"
    yield f"rights = {json.dumps(made.rights)}"
    if until:
        yield f"until = {json.dumps(until)}"
