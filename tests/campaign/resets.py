"""100 downloads, each reset by its origin at a random place; ranges are supported."""

import argparse
import hashlib
import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.campaign.server import Server, generic
from tests.campaign.swarm import Client, swarm
from tests.campaign.table import Table
from tests.rogue import Rogue, pattern, reset_at

SMALLEST, LARGEST = 200_000, 4_000_000
SPACING = 0.05
"""Seconds between two clients."""


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign resets", description=__doc__)
    parser.add_argument("--downloads", type=int, default=100)
    parser.add_argument("--seed", type=int, default=20260105)
    options = parser.parse_args(arguments)
    chance = random.Random(options.seed)
    bodies = {
        f"/{number}.bin": pattern(chance.randrange(SMALLEST, LARGEST), seed=number)
        for number in range(options.downloads)
    }
    places = {path: chance.randrange(len(body)) for path, body in bodies.items()}
    table = Table(f"Resets: {options.downloads} downloads, each reset at a random place (seed {options.seed})")
    pins = {path: hashlib.sha256(body).hexdigest() for path, body in bodies.items()}
    with tempfile.TemporaryDirectory(prefix="entrepot-resets-") as directory, Rogue() as origin:
        for path, body in bodies.items():
            origin.serve(path, body)
        repositories = generic("known", origin.base, pins), generic("unknown", origin.base)
        with Server(Path(directory), *repositories) as server:
            server.start()
            for repository in ("known", "unknown"):
                _measure(table, server, origin, repository, bodies, places)
            server.stop()
    return table.show()


def _measure(
    table: Table, server: Server, origin: Rogue, repository: str, bodies: Mapping[str, bytes], places: Mapping[str, int]
) -> None:
    origin.forget()
    for path, at in places.items():
        origin.disturb(path, reset_at(at), times=1)
    clients = [Client(path=f"/{repository}{path}", starts=number * SPACING) for number, path in enumerate(bodies)]
    wanted = {f"/{repository}{path}": body for path, body in bodies.items()}
    outcomes = swarm(server.host, server.port, clients, wanted, limit=120)
    right, wrong = sum(outcome.right for outcome in outcomes), sum(outcome.wrong for outcome in outcomes)
    total = sum(map(len, bodies.values()))
    extra = sum(origin.sent(path) for path in bodies) / total - 1
    resumed = sum(1 for seen in origin.requests() if seen.range)
    table.add(
        f"digest {repository}: complete and right",
        "≥ 98 %, 0 wrong",
        f"{right} of {len(outcomes)}, {wrong} wrong, {resumed} resumed by range",
        right >= 0.98 * len(outcomes) and not wrong,
    )
    table.add(f"digest {repository}: extra upstream bytes", "≤ 5 %", f"{extra:.2%}", extra <= 0.05)
