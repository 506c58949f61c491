"""Programs in front of clients that neither a variable nor a file of their own can point at us: they add arguments."""

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from entrepot.contracts.ecosystem import Client

_SCRIPT = """#!/bin/sh
# Written by `entrepot run`, and gone when that ends.
case "$1" in +*)
    # A toolchain that rustup shall take must stay in the first place.
    toolchain=$1
    shift
    exec {program} "$toolchain" {arguments} "$@" ;;
esac
exec {program} {arguments} "$@"
"""


def put_in_front(client: Client, url: str, environment: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Write a program of the client's name into a directory that is searched before all others. Nothing for a client
    that needs no arguments, is not installed, or has such a program already. Returns what changes."""
    path = environment.get("PATH", os.defpath)
    script, program = directory / client.command, shutil.which(client.command, path=path)
    if not client.arguments or program is None or script.exists():
        return {}
    places = {"{url}": url, "{directory}": str(directory.parent)}
    arguments = shlex.join(_filled(argument, places) for argument in client.arguments)
    directory.mkdir(exist_ok=True)
    script.write_text(_SCRIPT.format(program=shlex.quote(program), arguments=arguments), encoding="utf-8")
    script.chmod(0o755)
    return {"PATH": path if path.startswith(f"{directory}{os.pathsep}") else f"{directory}{os.pathsep}{path}"}


def _filled(template: str, places: Mapping[str, str]) -> str:
    """Other braces, which may be the client's own, stay."""
    for place, value in places.items():
        template = template.replace(place, value)
    return template
