"""First hits after a restart: a catalog of 1,000,000 entries beside one of 1,000.

Every entry has a file of its own, with bytes of its own. Both catalogs and the files of the round are in the system's
page cache: the server restarts, not the machine."""

import argparse
import hashlib
import random
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tests.campaign.server import Server, generic
from tests.campaign.shelf import BODY_BYTES, Shelf, body_of, key_of, open_shelf
from tests.campaign.table import Table
from tests.rogue import Rogue

REPOSITORY = "files"
READY_SECONDS = 5.0
HEAD_END = b"\r\n\r\n"


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign catalog_size", description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--beside", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--keys", type=int, default=900, help="distinct random keys in each round")
    options = parser.parse_args(arguments)
    table = Table(f"Catalog of {options.entries:,} entries beside one of {options.beside:,}")
    directory = Path(tempfile.mkdtemp(prefix="entrepot-catalog-"))
    try:
        with Rogue() as origin:
            origin.serve("/first.bin", b"the model of all others")
            _compare(table, directory, origin.base, options)
    finally:
        shutil.rmtree(directory)
    return table.show()


def _compare(table: Table, directory: Path, base: str, options: argparse.Namespace) -> None:
    shelves = {}
    for count in (options.beside, options.entries):
        began = time.monotonic()
        shelves[count] = open_shelf(directory / str(count), generic(REPOSITORY, base), REPOSITORY, "/first.bin")
        shelves[count].fill(count)
        print(f"  made {count:,} entries, each with a file of {BODY_BYTES} bytes, in {time.monotonic() - began:.0f} s")
    rates: dict[int, list[float]] = {count: [] for count in shelves}
    ready: dict[int, list[float]] = {count: [] for count in shelves}
    chance = random.Random(20260105)
    for number in range(options.rounds):
        # Each is first in half of the rounds.
        for count in sorted(shelves, reverse=bool(number % 2)):
            keys = chance.sample(range(count), min(options.keys, count))
            rates[count].append(_round(shelves[count], keys))
            ready[count].append(shelves[count].server.ready_seconds)
    small, large = (statistics.median(rates[count]) for count in (options.beside, options.entries))
    table.add(
        f"first hits on distinct random keys after a restart, median of {options.rounds} rounds",
        "≥ 0.90 ×",
        f"{large / small:.3f} × ({large:.0f}/s beside {small:.0f}/s)",
        large >= 0.9 * small,
    )
    slowest = max(ready[options.entries])
    table.add(f"ready with {options.entries:,} entries", "≤ 5 s", f"slowest {slowest:.2f} s", slowest <= READY_SECONDS)


def _round(shelf: Shelf, numbers: Sequence[int]) -> float:
    """Start, ask for each key once, stop: requests per second. Every body is compared."""
    requests = [
        f"GET /{REPOSITORY}/{key_of(number)} HTTP/1.1\r\nHost: {shelf.server.host}\r\n\r\n".encode()
        for number in numbers
    ]
    bodies = [body_of(number) for number in numbers]
    _warm(shelf, bodies)
    with shelf.server.start() as server:
        seconds, right = _ask(server, requests, bodies)
        server.stop()
    if right != len(numbers):
        raise RuntimeError(f"only {right} of {len(numbers)} answers were right")
    return len(numbers) / seconds


def _warm(shelf: Shelf, bodies: Sequence[bytes]) -> None:
    """Have the system's page cache hold what the round will read."""
    for body in bodies:
        sha256 = hashlib.sha256(body).hexdigest()
        assert Path(shelf.server.data, "blobs", sha256[:2], sha256[2:]).read_bytes() == body
    with open(shelf.server.data / "catalog.db", "rb") as catalog:
        while catalog.read(8 << 20):
            pass


def _ask(server: Server, requests: Sequence[bytes], bodies: Sequence[bytes]) -> tuple[float, int]:
    right = 0
    with closing(socket.create_connection((server.host, server.port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        for request, body in zip(requests, bodies, strict=True):
            connection.sendall(request)
            right += _answer(connection) == body
        return time.perf_counter() - began, right


def _answer(connection: socket.socket) -> bytes:
    data = b""
    while len(data) < BODY_BYTES or len(data) < data.find(HEAD_END) + len(HEAD_END) + BODY_BYTES:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("the server closed the connection")
        data += more
        if not data.startswith(b"HTTP/1.1 200") and HEAD_END in data:
            raise RuntimeError(data[:200].decode("latin-1"))
    return data[-BODY_BYTES:]
