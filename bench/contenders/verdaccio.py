"""verdaccio, the package proxy for npm."""

import json
import re
from collections.abc import Mapping
from typing import ClassVar

from bench.contenders.base import Contender, Launch, Place, output_of, run_installer
from bench.machine import CACHE, Missing, need

HOME = CACHE / "verdaccio"
LAST_FOR_NODE_20 = "6.8.0"
_CONFIGURATION = """
storage: {directory}/storage
uplinks:
  origin:
    url: {origin}/npm/
    cache: true
    maxage: 1d
packages:
  '**':
    access: $all
    proxy: origin
server:
  keepAliveTimeout: 60
web:
  enable: false
middlewares:
  audit:
    enabled: false
log: {{ type: file, path: {directory}/access.log, level: http, format: json }}
"""


class Verdaccio(Contender):
    name = "verdaccio"
    ecosystems: ClassVar[Mapping[str, str]] = {"npm": ""}
    alive = "/-/ping"

    def install(self) -> str:
        package = HOME / "node_modules" / "verdaccio" / "package.json"
        if not package.exists():
            self._install()
        return f"verdaccio {json.loads(package.read_text())['version']}, node {output_of([need('node'), '--version'])}"

    def _install(self) -> None:
        found = re.match(r"v(\d+)", output_of([need("node"), "--version"]))
        major = int(found[1]) if found else 0
        if major < 20:
            raise Missing("verdaccio could not be installed: it needs node 20")
        HOME.mkdir(parents=True, exist_ok=True)
        # It asks for a tag of node-fetch that not every mirror of the registry has.
        (HOME / "package.json").write_text(json.dumps({"private": True, "overrides": {"node-fetch": "^2.6.7"}}))
        wanted = "verdaccio@^6" if major >= 22 else f"verdaccio@{LAST_FOR_NODE_20}"
        command = [need("npm"), "install", "--prefix", str(HOME), "--ignore-scripts", "--no-audit", "--no-fund"]
        run_installer(self.name, [*command, "--no-package-lock", wanted])

    def prepare(self, place: Place) -> Launch:
        file = place.directory / "config.yaml"
        file.write_text(_CONFIGURATION.format(directory=place.directory, origin=place.origin))
        program = str(HOME / "node_modules" / "verdaccio" / "bin" / "verdaccio")
        command = [need("node"), program, "--config", str(file), "--listen", place.base]
        return Launch(command=command, environment={"NODE_ENV": "production"})
