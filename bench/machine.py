"""This machine: its cores, its processes, its ports, and what there is to say about it."""

import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Self
from urllib.error import HTTPError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "bench"
"""Installed contenders, and what a run writes."""
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]
IDLE_SECONDS, IDLE_SHARE = 0.5, 0.1


class Missing(Exception):
    """Something that a measurement needs is not on this machine; the text says what and why."""


def need(command: str) -> str:
    """The path of a command. Raises Missing."""
    found = shutil.which(command)
    if found is None:
        raise Missing(f"{command} is not installed")
    return found


def pinned(core: int | None, command: Sequence[str]) -> list[str]:
    """The command on one core; None: on all of them."""
    return list(command) if core is None else [need("taskset"), "-c", str(core), *command]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """A context manager: a server in a process group of its own, with its output in a file."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._command, self.log = list(command), log
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self.log.parent,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def wait_until_idle(self, patience: float = 60.0) -> None:
        """Whatever it goes on doing for clients that have left must not burden the next contender's round."""
        began = time.monotonic()
        before = self._cpu_seconds()
        while time.monotonic() - began < patience:
            time.sleep(IDLE_SECONDS)
            now = self._cpu_seconds()
            if now - before < IDLE_SECONDS * IDLE_SHARE:
                return
            before = now

    def _cpu_seconds(self) -> float:
        """Of all processes of its group."""
        ticks = 0
        for file in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = file.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # It ended meanwhile.
            if self._process is not None and int(fields[2]) == self._process.pid:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def wait_until_it_answers(self, url: str, patience: float = 60.0, pause: float = 0.05) -> float:
        """Seconds until the URL answered with anything but an error of the server. Raises Missing."""
        began = time.perf_counter()
        while time.perf_counter() - began < patience:
            if self._process is not None and self._process.poll() is not None:
                break
            if _answers(url):
                return time.perf_counter() - began
            time.sleep(pause)
        lines = self.log.read_text(errors="replace").splitlines()
        raise Missing(f"it does not answer: {lines[-1] if lines else 'without a word'}")


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=10):
            return True
    except HTTPError as error:
        return error.code < 500
    except (OSError, HTTPException):
        return False


def description() -> str:
    """The machine in one line, without its name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{len(CORES)} cores ({model}), {memory:.0f} GiB, {system}"


def load_average() -> float:
    return os.getloadavg()[0]
