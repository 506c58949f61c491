"""A running `entrepot serve` in a process group of its own, as campaigns and integration tests need it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Self

from tests.rogue import KeptPort

COMMAND = str(Path(sys.executable).with_name("entrepot"))


def generic(name: str, upstream: str, pins: Mapping[str, str] | None = None) -> str:
    """A repository of plain files as configuration; with `pins` (path to sha256) the digests are known, without them
    every file is immutable, and known only after it was seen."""
    head = f'[repositories.{name}]\necosystem = "generic"\nupstreams = ["{upstream}/"]\n'
    if pins is None:
        return head + "rules = [{ path = '/.*', class = 'immutable' }]\n"
    lines = "".join(f'"{path}" = "sha256:{sha256}"\n' for path, sha256 in pins.items())
    return f"{head}[repositories.{name}.checksums]\n{lines}"


class Server:
    """`directory` holds the configuration, the logs and, unless `data` says otherwise, the data directory."""

    def __init__(
        self,
        directory: Path,
        *repositories: str,
        settings: str = "",
        workers: int = 1,
        data: Path | None = None,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`settings`: further configuration. `prefix`: what the command is run by (strace, prlimit …)."""
        self.directory, self.data = directory, data or directory / "data"
        self._kept = KeptPort()
        self.host, self.port, self.workers = "127.0.0.1", self._kept.number, workers
        self.prefix, self.environment = tuple(prefix), dict(environment or {})
        self.ready_seconds = 0.0
        self.process: subprocess.Popen[bytes] | None = None
        self._configuration = "\n".join((settings, *repositories))

    @property
    def base(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def errors(self) -> str:
        """Everything the server said on standard error."""
        return (self.directory / "stderr.log").read_text()

    def start(self, patience: float = 30.0) -> Self:
        """Returns when it is ready; `ready_seconds` tells how long that took. Raises RuntimeError."""
        self.launch()
        began = time.monotonic()
        while not self.is_ready():
            if self.exit_code() is not None or time.monotonic() - began > patience:
                self.kill()
                raise RuntimeError(f"the server did not become ready: {self.errors[-3000:]}")
            time.sleep(0.01)
        self.ready_seconds = time.monotonic() - began
        return self

    def launch(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        file = self.directory / "entrepot.toml"
        file.write_text(self._configuration)
        command = [*self.prefix, COMMAND, "serve", "--config", str(file), "--data", str(self.data)]
        command += ["--listen", f"{self.host}:{self.port}", "--workers", str(self.workers)]
        with open(self.directory / "stderr.log", "ab") as errors, open(self.directory / "access.log", "ab") as access:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=access,
                stderr=errors,
                start_new_session=True,
                env={**os.environ, **self.environment},
            )

    def is_ready(self) -> bool:
        try:
            return self.get("/ready", timeout=5)[0] == 200
        except (OSError, HTTPException):
            return False

    def get(self, path: str, timeout: float = 60.0, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body. Raises OSError or HTTPException where the connection or the transfer broke."""
        connection = HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    # --- processes --------------------------------------------------------------------------------------------------

    def exit_code(self) -> int | None:
        return self.process.poll() if self.process is not None else None

    def pids(self) -> list[int]:
        """The serving processes: parent and workers, without what runs them."""
        return [pid for pid in _group(self._started.pid) if "entrepot" in _command_of(pid) and not self._is_prefix(pid)]

    def terminate(self) -> None:
        self._started.send_signal(signal.SIGTERM)

    def wait(self, timeout: float = 60.0) -> int:
        return self._started.wait(timeout)

    def stop(self, timeout: float = 60.0) -> int:
        """SIGTERM, and the exit code."""
        if self.exit_code() is None:
            self.terminate()
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL to every process of the group, and return when all are gone."""
        if self.process is None:
            return
        group = self.process.pid
        while _group(group):
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                break
            self.process.poll()
            time.sleep(0.002)
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _is_prefix(self, pid: int) -> bool:
        return bool(self.prefix) and _command_of(pid).split("\0")[0].endswith(self.prefix[0])

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise RuntimeError("the server was not started")
        return self.process


def _group(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # It ended meanwhile.
            if int(fields[2]) == group and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
