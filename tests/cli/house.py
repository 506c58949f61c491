"""One person's Entrepot: configuration, data directory, environment, and commands as they are typed."""

import fcntl
import io
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from entrepot.cli.control import Control
from entrepot.cli.main import run
from tests.waiting import PATIENCE_SECONDS, wait_for

ENTREPOT = (sys.executable, "-P", "-c", "from entrepot.cli.main import main; main()")
FOREIGN = ("PIP_", "UV_", "NPM_", "npm_", "GO", "ENTREPOT_", "XDG_", "YARN_", "BUN_", "POETRY_", "PDM_")
"""Variables of whoever runs the tests that clients would listen to."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """A command that has ended."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class House:
    directory: Path
    config: str
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        return {
            **kept,
            "HOME": str(self.directory / "home"),
            "ENTREPOT_CONFIG": str(self.directory / "entrepot.toml"),
            "ENTREPOT_DATA": str(self.data),
        }

    def furnish(self) -> None:
        (self.directory / "home").mkdir(parents=True)
        (self.directory / "entrepot.toml").write_text(self.config)

    def entrepot(self, *arguments: str) -> Done:
        """A command, within this process: whoever calls it sees to the environment."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = run(arguments)
        return Done(status=status, out=out.getvalue(), err=err.getvalue())

    def process(self, *arguments: str, variables: Mapping[str, str] | None = None, cwd: Path | None = None) -> Done:
        """A command in a process of its own, with streams that its children inherit."""
        done = subprocess.run(
            [*ENTREPOT, *arguments],
            env={**self.environment, **(variables or {})},
            cwd=cwd or self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        return Done(status=done.returncode, out=done.stdout, err=done.stderr)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """A command that goes on; it reads from and writes to pipes."""
        return subprocess.Popen(
            [*ENTREPOT, *arguments],
            env=self.environment,
            cwd=self.directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[str]:
        """A server; where it is."""
        with (self.directory / "serve.log").open("ab") as log:
            server = subprocess.Popen(
                [*ENTREPOT, "serve", "--listen", "127.0.0.1:0", *arguments],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        try:
            yield wait_for(lambda: self._address(server))
        finally:
            server.terminate()
            server.wait(PATIENCE_SECONDS)

    def _address(self, server: "subprocess.Popen[bytes]") -> str | None:
        assert server.poll() is None, (self.directory / "serve.log").read_text()
        control = Control.connect(self.data)
        if control is None:
            return None
        with control:
            about = control.call("ping")
        assert isinstance(about, dict)
        return about["url"] if status_of(f"{about['url']}/health") == 200 else None

    def is_free(self) -> bool:
        """Whether no server has the data directory."""
        with (self.data / "server.lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
        body: bytes = answer.read()
    return body


def status_of(url: str) -> int | None:
    """None where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None
