"""100 slow readers of one file of 500 MB: memory from 60 s after the file is complete."""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.campaign.memory import MemoryWatch
from tests.campaign.server import Server, generic
from tests.campaign.swarm import Client, Outcome, SwarmProcess
from tests.campaign.table import Table
from tests.rogue import Rogue, pattern

PATH = "/huge.bin"
RATE = 64 << 10
"""Bytes per second of a reader: two hours for the file."""
LIMIT_MIB = 300


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign slow", description=__doc__)
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--after", type=float, default=60.0, help="seconds after the file is complete")
    parser.add_argument("--watch", type=float, default=10.0, help="seconds during which memory is sampled")
    options = parser.parse_args(arguments)
    part = pattern(50_000_000)
    body = (part * (options.megabytes // 50 + 1))[: options.megabytes * 1_000_000]
    table = Table(f"Slow readers: {options.readers} at {RATE >> 10} KiB/s, one file of {options.megabytes} MB")
    for workers in (1, 2):
        for known in (True, False):
            _measure(table, body, options, workers=workers, known=known)
    return table.show()


def _measure(table: Table, body: bytes, options: argparse.Namespace, *, workers: int, known: bool) -> None:
    name = f"digest {'known' if known else 'unknown'}, {workers} worker{'s' if workers > 1 else ''}"
    pins = {PATH: hashlib.sha256(body).hexdigest()} if known else None
    with tempfile.TemporaryDirectory(prefix="entrepot-slow-") as directory, Rogue() as origin:
        origin.serve(PATH, body)
        with Server(Path(directory), generic("files", origin.base, pins), workers=workers) as server:
            server.start()
            clients = [Client(path=f"/files{PATH}", rate=RATE)] * options.readers
            limit = 60 + options.after + options.watch
            crowd = SwarmProcess(server.host, server.port, clients, {f"/files{PATH}": body}, limit=limit)
            complete = _wait_until_stored(server, 60)
            time.sleep(options.after)
            with MemoryWatch(server.pids) as memory:
                time.sleep(options.watch)
            outcomes = crowd.outcomes()
            server.stop()
    _judge(table, name, outcomes, complete)
    peak = memory.peak
    measured = f"{peak.rss:.0f} MiB RSS ({peak.pss:.0f} MiB PSS)"
    table.add(f"{name}: memory", f"≤ {LIMIT_MIB} MiB", measured, peak.rss <= LIMIT_MIB)


def _judge(table: Table, name: str, outcomes: Sequence[Outcome], complete: float) -> None:
    reading = sum(outcome.matches and outcome.received > 0 and not outcome.complete for outcome in outcomes)
    measured = (
        f"{reading} of {len(outcomes)} still reading, the right bytes; the file was complete after {complete:.0f} s"
    )
    table.add(f"{name}: readers", "all still reading", measured, reading == len(outcomes))


def _wait_until_stored(server: Server, seconds: float) -> float:
    """How long it took. Raises TimeoutError."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if server.get(f"/files{PATH}", headers={"Cache-Control": "only-if-cached", "Range": "bytes=0-0"})[0] == 206:
            return time.monotonic() - began
        time.sleep(0.2)
    raise TimeoutError("the file was not stored in time")
