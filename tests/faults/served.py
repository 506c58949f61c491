"""`entrepot serve` in a process of its own, as people start it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.faults.wire import Address, Got, request
from tests.rogue import KeptPort

READY_SECONDS = 30.0
COMMAND_SECONDS = 50.0


class Served:
    """A context manager; `start` and `stop` may also be called in between, with another time."""

    def __init__(self, directory: Path, config: str, *, workers: int = 1, wrapper: Sequence[str] = ()) -> None:
        """`directory` gets configuration, data and logs; `wrapper` is a command that runs the server's."""
        directory.mkdir(parents=True, exist_ok=True)
        self.data = directory / "data"
        self._port = KeptPort()
        self.address: Address = ("127.0.0.1", self._port.number)
        self._log = directory / "server.log"
        self._config = directory / "entrepot.toml"
        self._config.write_text(config)
        self._entrepot = str(Path(sys.executable).with_name("entrepot"))
        self._places = ("--config", str(self._config), "--data", str(self.data))
        self._command = [
            *wrapper,
            self._entrepot,
            *("serve", *self._places),
            *("--listen", f"127.0.0.1:{self.address[1]}", "--workers", str(workers)),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, offset: float = 0.0, environment: Mapping[str, str] | None = None) -> None:
        """Returns when it is ready; `offset` in seconds moves its clock."""
        variables = {**os.environ, "ENTREPOT_CLOCK_OFFSET": str(offset), **(environment or {})}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=variables, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not get ready:\n{self.log()[-4000:]}")
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        try:
            return request(self.address, "/ready", timeout=5).status == 200
        except OSError:
            return False

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def reconfigure(self, change: Callable[[str], str]) -> None:
        """From the next start on."""
        self._config.write_text(change(self._config.read_text()))

    def line(self, command: str, *arguments: str) -> list[str]:
        """One of our commands with the places of this server."""
        return [self._entrepot, command, *self._places, *arguments]

    def entrepot(self, command: str, *arguments: str, status: int = 0) -> str:
        """What one of our commands prints that speaks to this server, or works in its place."""
        line = self.line(command, *arguments)
        done = subprocess.run(line, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
        if done.returncode != status:
            raise RuntimeError(f"{' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def get(
        self, path: str, fields: Iterable[tuple[str, str]] = (), *, method: str = "GET", timeout: float = 30.0
    ) -> Got:
        return request(self.address, path, fields, method=method, timeout=timeout)

    def log(self) -> str:
        """Everything that was written to stdout and stderr: the access log, and our own."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    # --- what is on its disk and in its memory ------------------------------------------------------------------------

    def blobs(self) -> set[str]:
        """The digests of what is stored."""
        return {path.parent.name + path.name for path in (self.data / "blobs").glob("??/*") if path.is_file()}

    def leftovers(self) -> list[str]:
        """Temporary files."""
        return [path.name for path in (self.data / "incoming").glob("*")]

    def forget_peak(self) -> None:
        """Begin measuring the highest memory anew (proc(5), clear_refs)."""
        for process in self.processes():
            Path(f"/proc/{process}/clear_refs").write_text("5")

    def memory(self, field: str = "VmRSS") -> int:
        """Bytes of all its processes; `VmHWM`: the highest since `forget_peak`."""
        return sum(_status_bytes(process, field) for process in self.processes())

    def processes(self) -> Iterator[int]:
        waiting = [self.pid]
        while waiting:
            process = waiting.pop()
            yield process
            for task in Path(f"/proc/{process}/task").glob("*/children"):
                waiting += map(int, task.read_text().split())


def _status_bytes(process: int, field: str) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) << 10
    return 0
