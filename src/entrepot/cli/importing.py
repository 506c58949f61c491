"""`entrepot config import`: come from another system with its configuration."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from entrepot.errors import ConfigError

if TYPE_CHECKING:
    from entrepot.config.importing.translate import Imported


def import_configuration(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Configuration of Athens (config.toml, with its filter file and download file), artifactapi "
            "(remotes.yaml) or git-pkgs/proxy (config.yaml).",
        ),
    ],
    system: Annotated[
        Literal["athens", "artifactapi", "git-pkgs"] | None,
        typer.Option("--from", help="Which system it is of; else the content says so."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write it; it must not be there yet."),
    ] = None,
) -> None:
    """Translate the configuration of another system; what cannot be taken is named on standard error."""
    # YAML is needed by nobody else.
    from entrepot.config.importing.translate import Given, translate

    given = [Given(str(file), _read(file)) for file in files]
    imported = translate(given, system, partial(_find_beside, files[0]), inline=output is None)
    if output is None:
        print(imported.text, end="")
    else:
        _write(imported, output)
    for note in imported.notes:
        print(note, file=sys.stderr)
    print(f"next: entrepot config check {output or 'FILE'}", file=sys.stderr)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as text: {error}; name a readable file") from error


def _find_beside(configuration: Path, name: str) -> str | None:
    """A file that a configuration names: where it says, or beside it."""
    directory = configuration.parent
    found = (path for path in (directory / name, directory / Path(name).name) if path.is_file())
    return next(map(_read, found), None)


def _write(imported: "Imported", output: Path) -> None:
    files = {output: imported.text, **{output.parent / name: text for name, text in imported.beside.items()}}
    if there := next((file for file in files if file.exists()), None):
        raise ConfigError(f"{there}: is there already; move it away, or name another with --output")
    try:
        for file, text in files.items():
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{error.filename}: cannot be written: {error.strerror}; name another with --output"
        ) from error
