"""50 clients pull one cold image of 1 GB in 10 layers, each three layers at a time, as docker does."""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.campaign.memory import MemoryWatch
from tests.campaign.origin import Origin
from tests.campaign.server import Server
from tests.campaign.swarm import Client, Outcome, SwarmProcess
from tests.campaign.table import Table, percentile
from tests.rogue import pattern

WAVE_SECONDS = 2.0
"""After which a client asks for its next three layers, whether it has the first ones or not."""
REPOSITORY = '[repositories.hub]\necosystem = "oci"\nupstreams = ["{base}/"]\n'


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign image", description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--layers", type=int, default=10)
    parser.add_argument("--megabytes", type=int, default=100, help="of each layer")
    parser.add_argument("--rate", type=int, default=50, help="MB/s of the registry, for each layer")
    options = parser.parse_args(arguments)
    bodies = {}
    for number in range(options.layers):
        body = pattern(options.megabytes * 1_000_000 + number)
        bodies[f"/v2/team/app/blobs/sha256:{hashlib.sha256(body).hexdigest()}"] = body
    gigabytes = sum(map(len, bodies.values())) / 1e9
    table = Table(f"Image: {options.clients} clients, {gigabytes:.1f} GB in {options.layers} layers, cold")
    for workers in (1, 2):
        _run(bodies, options.clients, options.rate * 1_000_000, workers, table)
    return table.show()


def _run(bodies: dict[str, bytes], clients: int, rate: int, workers: int, table: Table) -> None:
    pages = [f"{path}?size={len(body)}&rate={rate}" for path, body in bodies.items()]
    name = f"{workers} worker{'s' if workers > 1 else ''}"
    with (
        tempfile.TemporaryDirectory(prefix="entrepot-image-") as directory,
        Origin(pages) as origin,
        Server(Path(directory), REPOSITORY.format(base=origin.base), workers=workers) as server,
    ):
        server.start()
        # The measured server has served before: its first request loads what every process loads once.
        server.get(f"/v2/hub/team/app/blobs/sha256:{'0' * 64}")
        ours = {path.replace("/v2/", "/v2/hub/"): body for path, body in bodies.items()}
        began = time.monotonic()
        with MemoryWatch(server.pids, every=0.2) as memory:
            asked = _clients(list(ours), clients)
            outcomes = SwarmProcess(server.host, server.port, asked, ours, limit=900.0).outcomes()
        seconds = time.monotonic() - began
        report = origin.report()
        server.stop()
    _judge(name, table, outcomes, [report[path] for path in bodies], seconds)
    peak = memory.peak.pss
    table.add(f"{name}: memory of all processes", "≤ 300 MiB (aim 200)", f"{peak:.0f} MiB PSS", peak <= 300)


def _clients(paths: list[str], clients: int) -> list[Client]:
    """All begin within a second."""
    return [
        Client(path=path, starts=number / clients + position // 3 * WAVE_SECONDS)
        for number in range(clients)
        for position, path in enumerate(paths)
    ]


def _judge(
    name: str, table: Table, outcomes: Sequence[Outcome], reports: Sequence[dict[str, int]], seconds: float
) -> None:
    right, wrong = sum(one.right for one in outcomes), sum(one.wrong for one in outcomes)
    errors = sorted({one.error or str(one.status) for one in outcomes if not one.right})
    told = f"{right}, {wrong} wrong, in {seconds:.0f} s{'; ' + '; '.join(errors) if errors else ''}"
    everything = right == len(outcomes) and not wrong
    table.add(f"{name}: right layers", f"{len(outcomes)} of {len(outcomes)}, 0 wrong", told, everything)
    gets = [report["requests"] - report["ranges"] for report in reports]
    table.add(f"{name}: GETs of each layer", "1", f"{min(gets)} to {max(gets)}", set(gets) == {1})
    waits = [one.first_byte for one in outcomes if one.first_byte is not None]
    table.add(
        f"{name}: first byte", "told", f"p50 {percentile(waits, 0.5):.3f} s, p99 {percentile(waits, 0.99):.3f} s", True
    )
