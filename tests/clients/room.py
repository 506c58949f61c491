"""Package managers as a developer has them: a home of their own with empty caches, and only one registry in sight."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from entrepot.ecosystems import find_ecosystems
from tests.clients.fixture_golang import GOSUMDB

HOUSE = Path(__file__).parents[2]
SEARCHED = os.pathsep.join(
    (str(HOUSE / ".cache/tools/bin"), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))
)
TIMEOUT_SECONDS = 50.0
NOWHERE = "http://127.0.0.1:9"
"""As a proxy: whatever is not on loopback cannot be reached."""
_KEPT = (".py", ".js", ".go", ".mod", ".sum", "package.json", "METADATA")

_QUIET = {
    "LANG": "C.UTF-8",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "UV_PYTHON": sys.executable,
    "UV_PYTHON_DOWNLOADS": "never",
    "GOSUMDB": GOSUMDB,
    "GOFLAGS": "-modcacherw",
    "GOTOOLCHAIN": "local",
    "GOENV": "off",
    "GOTELEMETRY": "off",
} | {
    # A refusal is final here, and clients that ask again and again for the same reason only take time.
    "PIP_RETRIES": "0",
    "UV_HTTP_RETRIES": "0",
    "npm_config_fetch_retries": "0",
}


class ClientFailed(Exception):
    """A command ended with an error; the text is what it printed."""


@dataclass(frozen=True, slots=True)
class Room:
    """`directory` must be new; `url` is that of the repository, without trailing slash."""

    directory: Path
    url: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """Further ones of the environment."""

    @property
    def home(self) -> Path:
        return self.directory / "home"

    @property
    def project(self) -> Path:
        return self.directory / "project"

    def write(self, name: str, text: str) -> None:
        self.project.mkdir(parents=True, exist_ok=True)
        (self.project / name).write_text(text)

    def read(self, name: str) -> str:
        return (self.project / name).read_text()

    def run(self, *command: str) -> str:
        """What a command prints. Raises ClientFailed."""
        self.project.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(exist_ok=True)
        proxied = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE)
        around = proxied | dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1,localhost")
        environment = {"PATH": SEARCHED, "HOME": str(self.home), "TMPDIR": str(self.home), **around, **_QUIET}
        done = subprocess.run(
            command,
            cwd=self.project,
            env=environment | pointers(self.url) | dict(self.variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise ClientFailed(f"{' '.join(command)}: {done.returncode}\n{done.stdout}")
        return done.stdout

    def installed(self) -> dict[str, str]:
        """The files that clients installed for a program to use: path to sha256."""
        places = {self.project: "", self.directory / "home/go/pkg/mod": "cache/"}
        found = {}
        for root, passed_over in places.items():
            for path in sorted(root.rglob("*")):
                name = path.relative_to(root).as_posix()
                skipped = passed_over and name.startswith(passed_over)
                if name.endswith(_KEPT) and path.is_file() and not path.is_symlink() and not skipped:
                    found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


def pointers(url: str) -> dict[str, str]:
    """The environment variables with which all clients of all ecosystems are pointed at a URL."""
    return {
        variable: template.format(url=url, host="127.0.0.1")
        for ecosystem in find_ecosystems().values()
        for client in ecosystem.clients
        for variable, template in client.variables.items()
    }


def missing(*commands: str) -> str:
    """Why a test cannot be run here; empty: it can."""
    lost = [command for command in commands if shutil.which(command, path=SEARCHED) is None]
    return f"not installed here: {', '.join(lost)}" if lost else ""
