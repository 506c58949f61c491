"""Package proxies for Python: devpi-server and proxpi, each in an environment of its own."""

import base64
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from bench.contenders.base import Contender, Launch, Place, run_installer
from bench.machine import CACHE


def _environment(name: str, *packages: str) -> Path:
    """The environment's commands. Raises Missing."""
    home = CACHE / name
    if not (home / "complete").exists():
        run_installer(name, [sys.executable, "-m", "venv", "--clear", str(home)])
        run_installer(name, [str(home / "bin" / "pip"), "install", "--quiet", *packages])
        (home / "complete").touch()
    return home / "bin"


def _version(commands: Path, package: str) -> str:
    found = next(commands.parent.glob(f"lib/python3*/site-packages/{package}-*.dist-info"))
    return found.name.removesuffix(".dist-info").replace("-", " ").replace("_", "-")


class Devpi(Contender):
    name = "devpi-server"
    ecosystems: ClassVar[Mapping[str, str]] = {"pypi": "/root/bench/+simple"}
    alive = "/+api"

    def install(self) -> str:
        return _version(_environment("devpi", "devpi-server"), "devpi_server")

    def prepare(self, place: Place) -> Launch:
        commands, data = _environment("devpi", "devpi-server"), place.directory / "data"
        run_installer(self.name, [str(commands / "devpi-init"), "--serverdir", str(data), "--no-root-pypi"])
        command = [str(commands / "devpi-server"), "--serverdir", str(data), "--connection-limit", "1000"]
        return Launch(command=[*command, "--host", "127.0.0.1", "--port", str(place.port)])

    def settle(self, place: Place) -> None:
        """Add an index that mirrors the origin: devpi keeps its indexes in its database."""
        login = _ask("POST", f"{place.base}/+login", {"user": "root", "password": ""}, "")
        token = base64.b64encode(f"root:{login['result']['password']}".encode()).decode()
        mirror = {"type": "mirror", "mirror_url": f"{place.origin}/simple/", "volatile": False}
        _ask("PUT", f"{place.base}/root/bench", mirror, token)


def _ask(method: str, url: str, body: Mapping[str, object], token: str) -> dict[str, dict[str, str]]:
    fields = {"Content-Type": "application/json", "Accept": "application/json"}
    if token:
        fields["X-Devpi-Auth"] = token
    with urlopen(Request(url, json.dumps(body).encode(), fields, method=method), timeout=60) as response:
        answer: dict[str, dict[str, str]] = json.load(response)
        return answer


class Proxpi(Contender):
    name = "proxpi"
    ecosystems: ClassVar[Mapping[str, str]] = {"pypi": "/index"}
    alive = "/health"

    def install(self) -> str:
        return _version(_environment("proxpi", "proxpi", "gunicorn"), "proxpi")

    def prepare(self, place: Place) -> Launch:
        commands = _environment("proxpi", "proxpi", "gunicorn")
        files = place.directory / "files"
        files.mkdir()
        command = [str(commands / "gunicorn"), "--bind", urlsplit(place.base).netloc, "--threads", "8"]
        # While others are measured it stands still; its master must not take that for death.
        command += [
            "--timeout",
            "0",
            "--worker-connections",
            "1000",
            "--keep-alive",
            "65",
            "--access-logfile",
            "access.log",
        ]
        variables = {
            "PROXPI_INDEX_URL": f"{place.origin}/simple/",
            "PROXPI_CACHE_DIR": str(files),
            "PROXPI_DOWNLOAD_TIMEOUT": "60",
        }
        return Launch(command=[*command, "proxpi.server:app"], environment=variables)
