"""How long a command takes to help, and a server to be ready."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from bench.contenders.entrepot import COMMAND, Entrepot
from bench.effort import Effort
from bench.machine import Missing, free_port
from bench.scratch import scratch
from bench.tables import Table, median, verdict

RUNS, QUICK_RUNS = 15, 5
HELP_SECONDS, READY_SECONDS = 0.3, 1.5
POLL_SECONDS = 0.002


def measure(effort: Effort) -> list[Table]:
    runs = QUICK_RUNS if effort.quick else RUNS
    table = Table(
        name="startup",
        title="Start",
        command="make bench ARGS=startup",
        columns=["what", "median", "slowest", "bar", "verdict"],
        notes=[f"{runs} runs of each, in turn; the ready server is asked every {POLL_SECONDS * 1000:g} ms."],
    )
    _helps(table, runs)
    with scratch("startup") as directory:
        _starts(table, directory, runs)
    return [table]


def _helps(table: Table, runs: int) -> None:
    bare, helping = _in_turn(
        runs, lambda: _seconds_of([sys.executable, "-c", "pass"]), lambda: _seconds_of([COMMAND, "--help"])
    )
    more = median([mine - other for mine, other in zip(helping, bare, strict=True)])
    bar = f"≤ {HELP_SECONDS} s above `python -c pass`"
    table.rows.append(["`python -c pass`", *_shown(bare), "", ""])
    table.rows.append(
        ["`entrepot --help`", *_shown(helping), bar, f"{verdict(more <= HELP_SECONDS)}: {more:.3f} s above"]
    )
    table.raw |= {"python -c pass": bare, "entrepot --help": helping}


def _starts(table: Table, directory: Path, runs: int) -> None:
    fresh = iter(range(runs + 1))
    _ready_seconds(directory / "known")
    empty, known = _in_turn(
        runs, lambda: _ready_seconds(directory / f"fresh-{next(fresh)}"), lambda: _ready_seconds(directory / "known")
    )
    for label, found in (("an empty data directory", empty), ("an existing data directory", known)):
        met = verdict(median(found) <= READY_SECONDS)
        table.rows.append([f"`entrepot serve` until ready, {label}", *_shown(found), f"≤ {READY_SECONDS} s", met])
        table.raw[f"ready, {label}"] = found


def _in_turn(runs: int, first: Callable[[], float], second: Callable[[], float]) -> tuple[list[float], list[float]]:
    """One run of each to begin with, which is not measured."""
    first()
    second()
    pairs = [(first(), second()) for _ in range(runs)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _seconds_of(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _ready_seconds(directory: Path) -> float:
    """From the start of the command to the first good answer of /ready."""
    port = free_port()
    command = _command(directory, port)
    began = time.perf_counter()
    with open(directory / "output.log", "ab") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        while time.perf_counter() - began < 60:
            if _is_ready(port):
                return time.perf_counter() - began
            time.sleep(POLL_SECONDS)
        raise Missing("the server did not become ready within a minute")
    finally:
        server.terminate()
        server.wait(60)


def _command(directory: Path, port: int) -> Sequence[str]:
    directory.mkdir(parents=True, exist_ok=True)
    return Entrepot().command(directory, port, "http://127.0.0.1:9")


def _is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as response:
            return bool(response.status == 200)
    except (OSError, HTTPException):
        return False


def _shown(found: Sequence[float]) -> list[str]:
    return [f"{median(found):.3f} s", f"{max(found):.3f} s"]
