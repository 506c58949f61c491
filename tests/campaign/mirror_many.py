"""A mirror job of very many files: what the server takes for it, and what a SIGKILL in its middle costs."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from entrepot.cli.control import Control
from tests.campaign.counted import REPORT, body_of
from tests.campaign.memory import MemoryWatch, memory_of
from tests.campaign.server import COMMAND, Server, generic
from tests.campaign.table import Table

MOST_MIB = 200
IN_FLIGHT = 16
"""`mirroring.concurrency` as it comes."""
AGAIN_SECONDS = 120.0
"""A restarted server takes the job on when the lease of the killed one has expired."""


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign mirror_many", description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    options = parser.parse_args(arguments)
    table = Table(f"A mirror job of {options.items:,} files, killed in the middle")
    directory = Path(tempfile.mkdtemp(prefix="entrepot-many-"))
    try:
        with _origin() as base:
            _measure(table, directory, base, options.items)
    finally:
        shutil.rmtree(directory)
    return table.show()


def _measure(table: Table, directory: Path, base: str, items: int) -> None:
    server = Server(directory, generic("plain", base))
    purls = "".join(f"pkg:generic/file{number}@1?download_url={base}{_path(number)}\n" for number in range(items))
    with server.start():
        quiet = memory_of(server.pids())
        with MemoryWatch(server.pids) as watch:
            began = time.monotonic()
            job = _order(server, purls)
            _wait(lambda: _settled(server, job) >= items // 2)
            first = time.monotonic() - began
        server.kill()
    before = _asked(base)
    with server.start():
        began = time.monotonic()
        _wait(lambda: _asked(base)["requests"] > before["requests"], AGAIN_SECONDS)
        waited = time.monotonic() - began
        with MemoryWatch(server.pids) as second:
            _wait(lambda: _job(server, job).state not in ("queued", "planning", "running"))
        seconds, told, asked = time.monotonic() - began, _job(server, job), _asked(base)
        wrong = sum(
            server.get(f"/plain{_path(number)}")[1] != body_of(_path(number)) for number in range(0, items, 997)
        )
        server.stop()
    peak = watch.peak.most(second.peak)
    largest = f"{peak.largest:.0f} MiB (idle {quiet.largest:.0f})"
    table.add("RSS of the process that has most", f"≤ {MOST_MIB} MiB", largest, peak.largest <= MOST_MIB)
    together = f"RSS {peak.rss:.0f} MiB (idle {quiet.rss:.0f}), of which they share much: PSS {peak.pss:.0f}"
    table.add("all processes together", f"RSS ≤ {MOST_MIB} MiB", together, peak.rss <= MOST_MIB)
    counts = told.counts
    whole = told.state == "completed" and counts["done"] + counts["held"] == items and not wrong
    measured = f"{told.state}, {counts['done']:,} done, {counts['held']:,} held, {wrong} wrong"
    table.add("after SIGKILL and restart", "completed, all files right", measured, whole)
    repeated = asked["requests"] - asked["files"]
    table.add("requests repeated at the origin", f"≤ {IN_FLIGHT} in flight", f"{repeated}", repeated <= IN_FLIGHT)
    pace = f"{first:.0f} s to the middle; after the restart {waited:.0f} s of waiting, then {seconds - waited:.0f} s"
    table.add("time", "reported", pace, True)


def _path(number: int) -> str:
    return f"/pool/{number % 256:02x}/file-{number}.bin"


def _order(server: Server, purls: str) -> str:
    place = ["--config", str(server.directory / "entrepot.toml"), "--data", str(server.data)]
    command = [COMMAND, "mirror", "-", "--detach", "--json", *place]
    done = subprocess.run(command, input=purls, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return str(json.loads(done.stdout)["id"])


class Told(msgspec.Struct, frozen=True):
    """What the server says of a job."""

    state: str
    counts: dict[str, int]


def _job(server: Server, job: str) -> Told:
    control = Control.connect(server.data)
    assert control is not None, server.errors[-2000:]
    with control:
        return msgspec.convert(control.call("mirror-job", id=job), Told)


def _settled(server: Server, job: str) -> int:
    counts = _job(server, job).counts
    return counts["done"] + counts["held"] + counts["failed"]


def _asked(base: str) -> dict[str, int]:
    with urllib.request.urlopen(base + REPORT) as answer:
        told: dict[str, int] = json.load(answer)
        return told


def _wait(until: Callable[[], bool], most_seconds: float = 7200.0) -> None:
    began = time.monotonic()
    while not until():
        if time.monotonic() - began > most_seconds:
            raise RuntimeError("it took too long")
        time.sleep(0.1)


@contextmanager
def _origin() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.campaign.counted"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()
