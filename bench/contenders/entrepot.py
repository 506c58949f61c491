"""Entrepot itself: one worker unless told otherwise, access log on, everything else as it comes."""

import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from bench.contenders.base import Contender, Launch, Place, output_of

COMMAND = str(Path(sys.executable).with_name("entrepot"))
_CONFIGURATION = """
[server]
access_log = "{directory}/access.log"
[repositories.pypi]
ecosystem = "pypi"
upstreams = ["{origin}/simple/"]
[repositories.npm]
ecosystem = "npm"
upstreams = ["{origin}/npm/"]
[repositories.go]
ecosystem = "golang"
upstreams = ["{origin}/go/"]
sumdb = "off"
[repositories.plain]
ecosystem = "generic"
upstreams = ["{origin}/"]
rules = [{{ path = '/.*', class = 'immutable' }}]
"""


class Entrepot(Contender):
    name = "entrepot"
    ecosystems: ClassVar[Mapping[str, str]] = {"pypi": "/pypi/simple", "npm": "/npm", "golang": "/go"}
    alive = "/ready"

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers

    def install(self) -> str:
        return output_of([COMMAND, "--version"])

    def prepare(self, place: Place) -> Launch:
        return Launch(command=self.command(place.directory, place.port, place.origin))

    def command(self, directory: Path, port: int, origin: str) -> list[str]:
        file = directory / "entrepot.toml"
        file.write_text(_CONFIGURATION.format(directory=directory, origin=origin))
        command = [COMMAND, "serve", "--config", str(file), "--data", str(directory / "data")]
        return [*command, "--listen", f"127.0.0.1:{port}", "--workers", str(self._workers)]


def control(directory: Path, verb: str, **arguments: object) -> object:
    """Ask the server whose place this is, through its control socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(directory / "data" / "control.sock"))
        connection.sendall(json.dumps({"verb": verb, "arguments": arguments}).encode() + b"\n")
        with connection.makefile("rb") as lines:
            answer = json.loads(lines.readline())
    if not answer["ok"]:
        raise RuntimeError(f"{verb}: {answer['error']}")
    return answer["result"]


def metric(directory: Path, name: str, repository: str) -> int:
    """A counter of one repository, over all workers."""
    wanted = f'{name}_total{{repository="{repository}"}} '
    text = str(control(directory, "metrics"))
    return sum(int(float(line.removeprefix(wanted))) for line in text.splitlines() if line.startswith(wanted))
