"""Hits of a repository with 1,000 rules beside one without: one server, the same files, in alternating rounds.

A file that was served once is served again without a question (hot); a file that is asked for the first time is judged
by every rule. Rates are of the client's clock; the processor's time is that of the server alone, and shows more."""

import argparse
import os
import random
import shutil
import socket
import statistics
import string
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaign.server import Server
from tests.campaign.shelf import Shelf, body_of, key_of
from tests.campaign.table import Table
from tests.rogue import Rogue, pattern

HOT_BYTES = 16 << 10
HOT_TIMES = 5
"""They take so much less time that a round needs more of them."""
SHARE = 0.95
READY_SECONDS = 1.5
STARTS = 3
PLAIN, RULED = "plain", "ruled"
HEAD_END = b"\r\n\r\n"


@dataclass(slots=True)
class Series:
    """What one repository did, round by round."""

    rates: list[float] = field(default_factory=list)
    """Requests per second."""
    costs: list[float] = field(default_factory=list)
    """Seconds of the server's processor for each request."""


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign many_rules", description=__doc__)
    parser.add_argument("--rules", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--requests", type=int, default=1500, help="in each round, of each repository")
    options = parser.parse_args(arguments)
    table = Table(f"Hits with {options.rules:,} rules, half of them expressions, beside none")
    directory = Path(tempfile.mkdtemp(prefix="entrepot-rules-"))
    try:
        with Rogue() as origin:
            origin.serve("/first.bin", pattern(HOT_BYTES))
            _measure(table, directory, origin.base, options)
    finally:
        shutil.rmtree(directory)
    return table.show()


def _measure(table: Table, directory: Path, base: str, options: argparse.Namespace) -> None:
    rules = {PLAIN: "", RULED: _rules(options.rules)}
    server = Server(directory, *(_repository(name, base, text) for name, text in rules.items()))
    with server.start():
        for name in rules:
            assert server.get(f"/{name}/first.bin") == (200, pattern(HOT_BYTES))
        server.stop()
    for name in rules:
        Shelf(server, name).fill(options.rounds * options.requests)
    for workers in (1, 2):
        _starts(table, server, workers)
    server.workers = 1
    with server.start():
        hot, first = {name: Series() for name in rules}, {name: Series() for name in rules}
        for number in range(options.rounds):
            fresh = range(number * options.requests, (number + 1) * options.requests)
            # Each is first in half of the rounds.
            for name in sorted(rules, reverse=bool(number % 2)):
                _ask(server, hot[name], [f"/{name}/first.bin"] * (options.requests * HOT_TIMES), [pattern(HOT_BYTES)])
                _ask(server, first[name], [f"/{name}/{key_of(one)}" for one in fresh], [body_of(one) for one in fresh])
        server.stop()
    _compare(table, f"hot hits of {HOT_BYTES >> 10} KiB", hot)
    _compare(table, "first hits on distinct keys", first)


def _repository(name: str, base: str, rules: str) -> str:
    head = f'[repositories.{name}]\necosystem = "generic"\nupstreams = ["{base}/"]\nrules = [\n{rules}]\n'
    return f'{head}[repositories.{name}.freshness]\nmutable_ttl = "30d"\n'


def _rules(count: int) -> str:
    """Some of them name some of the files, and say what a miss gets: hits are served all the same."""
    chance = random.Random(count)
    return "".join(f'  {{ {_selector(chance, number)}, mode = "none" }},\n' for number in range(count))


def _selector(chance: random.Random, number: int) -> str:
    word, short = _word(chance, 6), _word(chance, 3)
    if number % 2:
        glob = (f"pool/{number % 256:02x}/*/{short}*", f"{word}-*", f"@{word}/*", f"{short}?[a-m]*")[number // 2 % 4]
        return f"package = '{glob}'"
    path = (
        f"/pool/{number // 2 % 256:02x}/{chance.randrange(10)}.*-[0-9]+\\.bin",
        f"/.*/{word}/refs/tags/.*",
        f".*{word}.*",
        f"/(?i:{word}/.*\\.(zip|gz)|{short}/(a|b)+/.*[0-9]{{4}}-[0-9]{{2}})",
    )[number // 2 % 4]
    return f"path = '{path}'"


def _word(chance: random.Random, length: int) -> str:
    return "".join(chance.choices(string.ascii_lowercase, k=length))


def _starts(table: Table, server: Server, workers: int) -> None:
    """The rules are read by the parent and by each worker."""
    server.workers, found = workers, []
    for _ in range(STARTS):
        with server.start():
            found.append(server.ready_seconds)
            server.stop()
    median = statistics.median(found)
    shown = f"median {median:.2f} s, slowest {max(found):.2f} s"
    table.add(f"ready with these rules, --workers {workers}", f"≤ {READY_SECONDS} s", shown, median <= READY_SECONDS)


def _ask(server: Server, series: Series, paths: Sequence[str], bodies: Sequence[bytes]) -> None:
    """`bodies`: one for each path, or one for all."""
    requests = [f"GET {path} HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode() for path in paths]
    right, spent = 0, _processor_seconds(server)
    with closing(socket.create_connection((server.host, server.port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        for number, request in enumerate(requests):
            wanted = bodies[number % len(bodies)]
            connection.sendall(request)
            right += _answer(connection, len(wanted)) == wanted
        seconds = time.perf_counter() - began
    if right != len(requests):
        raise RuntimeError(f"only {right} of {len(requests)} answers were right")
    series.rates.append(len(requests) / seconds)
    series.costs.append((_processor_seconds(server) - spent) / len(requests))


def _answer(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size or len(data) < data.find(HEAD_END) + len(HEAD_END) + size:
        more = connection.recv(65536)
        if not more or not (data or more).startswith(b"HTTP/1.1 200"):
            raise RuntimeError((data + more)[:200].decode("latin-1"))
        data += more
    return data[-size:]


def _processor_seconds(server: Server) -> float:
    ticks = 0
    for pid in server.pids():
        ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _compare(table: Table, what: str, found: dict[str, Series]) -> None:
    plain, ruled = found[PLAIN], found[RULED]
    ratio = statistics.median(mine / other for mine, other in zip(ruled.rates, plain.rates, strict=True))
    rates = f"{statistics.median(ruled.rates):.0f}/s beside {statistics.median(plain.rates):.0f}/s"
    table.add(f"{what}, requests per second", f"≥ {SHARE} ×", f"{ratio:.3f} × ({rates})", ratio >= SHARE)
    # Medians: what the server does besides, such as its backup, falls into some round.
    cheap, dear = statistics.median(plain.costs), statistics.median(ruled.costs)
    costs, ratio = f"{dear * 1e6:.0f} µs beside {cheap * 1e6:.0f} µs", cheap / dear
    table.add(
        f"{what}, requests per second of the server's processor",
        f"≥ {SHARE} ×",
        f"{ratio:.3f} × ({costs})",
        ratio >= SHARE,
    )
