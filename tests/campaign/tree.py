"""A tree of many files, of which some change: what the second walk transfers, and what hits beside it take."""

import argparse
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from entrepot.cli.control import Control
from tests.campaign.server import Server
from tests.campaign.table import Table, percentile
from tests.integration.listing_servers import listing_server

FOLDERS = 100
LONG_AGO = 1_700_000_000
HIT = "/other/hit.bin"
PACE_SECONDS = 0.002
QUIET_SECONDS = 15.0
SLOWER = 1.3
MORE_SECONDS = 0.003
"""Or so much: what lies below is the noise of a machine with few cores."""


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign tree", description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--changed", type=float, default=0.01, help="share of the files that change")
    parser.add_argument("--size", type=int, default=16 << 10, help="bytes of each file")
    options = parser.parse_args(arguments)
    table = Table(f"A tree of {options.files:,} files, {options.changed:.0%} of them changed between two walks")
    directory = Path(tempfile.mkdtemp(prefix="entrepot-tree-"))
    try:
        _measure(table, directory, options)
    finally:
        shutil.rmtree(directory)
    return table.show()


@dataclass(slots=True)
class Hits:
    """One connection that asks for a stored file, paced, as long as something else goes on."""

    port: int
    seconds: list[float] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def during(self, work: Callable[[], object]) -> float:
        """The 99th percentile, in seconds."""
        thread = threading.Thread(target=self._ask)
        thread.start()
        try:
            work()
        finally:
            self._stop.set()
            thread.join()
        return percentile(self.seconds, 0.99)

    def _ask(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self._stop.is_set():
            began = time.perf_counter()
            connection.request("GET", HIT)
            connection.getresponse().read()
            self.seconds.append(time.perf_counter() - began)
            time.sleep(PACE_SECONDS)
        connection.close()


def _measure(table: Table, directory: Path, options: argparse.Namespace) -> None:
    root, scratch = directory / "root", directory / "scratch"
    scratch.mkdir()
    files = [root / "tree" / f"f{number % FOLDERS:02}" / f"{number:05}.bin" for number in range(options.files)]
    for number, path in enumerate(files):
        _write(path, number, options.size, LONG_AGO)
    _write(root / "hit.bin", 0, options.size, LONG_AGO)
    with listing_server("nginx json", root, scratch) as (host, port):
        origin = f"http://{host}:{port}"
        with Server(directory / "server", _config(origin)) as server:
            server.start()
            server.get(HIT)
            quiet = Hits(server.port).during(lambda: time.sleep(QUIET_SECONDS))
            first, _, began = _walk(server, scratch)
            table.add("first walk", "all files", f"{first:,} files in {began:.0f} s", first == options.files)
            changed = files[:: round(1 / options.changed)]
            for number, path in enumerate(changed):
                _write(path, -number - 1, options.size, LONG_AGO + 60)
            walked: list[tuple[int, int, float]] = []
            beside = Hits(server.port).during(lambda: walked.append(_walk(server, scratch)))
            (second, asked, took), wanted = walked[0], len(changed)
            told = f"{second} bodies, {asked} questions, {took:.1f} s"
            table.add("second walk", f"{wanted} bodies", told, second == wanted)
            within = beside <= max(quiet * SLOWER, quiet + MORE_SECONDS)
            told = f"{beside * 1000:.2f} ms, alone {quiet * 1000:.2f} ms"
            table.add("hit p99 beside it", f"≤ {SLOWER} × alone, or + {MORE_SECONDS * 1000:.0f} ms", told, within)


def _config(origin: str) -> str:
    """Two repositories: the tree, and one that is only read from."""
    return f"""
[repositories.files]
ecosystem = "generic"
upstreams = ["{origin}/tree"]
[[repositories.files.trees]]
path = "/"
[repositories.other]
ecosystem = "generic"
upstreams = ["{origin}"]
"""


def _write(path: Path, seed: int, size: int, modified: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"{path.name} {seed} ".encode()
    path.write_bytes((text * (size // len(text) + 1))[:size])
    os.utime(path, (modified, modified))


def _walk(server: Server, scratch: Path) -> tuple[int, int, float]:
    """Bodies of files that upstream gave, questions about files, and seconds."""
    log = scratch / "access.log"
    before, began = log.stat().st_size, time.monotonic()
    control = Control.connect(server.data)
    assert control is not None
    with control:
        job = control.call("mirror", trees=["/files/"])
        assert isinstance(job, dict)
        while not str(_state(control, job["id"])).startswith(("completed", "failed")):
            time.sleep(0.05)
    took = time.monotonic() - began
    with log.open() as file:
        file.seek(before)
        asked = [line.split('"')[2].split()[0] for line in file if ".bin HTTP" in line]
    return asked.count("200"), len(asked), took


def _state(control: Control, job: object) -> object:
    told = control.call("mirror-job", id=job)
    assert isinstance(told, dict)
    return told["state"]
