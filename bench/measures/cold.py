"""A cold file of 100 MiB through Entrepot, beside the same origin without anything in between."""

import random
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.client import Transfer, download
from bench.contenders.base import Running
from bench.contenders.entrepot import Entrepot
from bench.effort import Effort
from bench.fixtures import Fixtures, Item
from bench.machine import ROOT, Missing, Process, free_port
from bench.origin import Origin
from bench.scratch import scratch
from bench.tables import Bar, Table, median, ratios, verdict

SIZE = 100 << 20
RATE = 100_000_000
"""Bytes per second."""
LEAST, LATEST_MS = 0.95, 5.0


@dataclass(slots=True)
class Pairs:
    """Direct and through, in turn."""

    direct: list[Transfer] = field(default_factory=list)
    through: list[Transfer] = field(default_factory=list)

    def throughput(self) -> list[float]:
        return ratios([one.mb_per_second for one in self.through], [one.mb_per_second for one in self.direct])

    def delay_ms(self) -> float:
        late = [mine.first_byte - other.first_byte for mine, other in zip(self.through, self.direct, strict=True)]
        return median(late) * 1000


def measure(effort: Effort) -> list[Table]:
    table = Table(
        name="cold",
        title="A cold file of 100 MiB, beside the origin itself",
        command="make bench ARGS=cold",
        columns=["origin", "direct", "through entrepot", "throughput", "first byte", "bar", "verdict"],
        unit="× direct",
        notes=[
            f"Direct and through in turn, {effort.rounds} of each, medians; a wheel whose index page is known.",
            "Every process on any core; every body was compared with the origin's.",
        ],
    )
    with scratch("cold") as directory:
        _add(table, "100 MB/s", _paced(directory / "paced", effort.rounds), judged=True)
        _add(table, "as fast as it goes", _unpaced(directory / "unpaced", effort.rounds), judged=False)
    return [table]


def _add(table: Table, label: str, pairs: Pairs, *, judged: bool) -> None:
    share, late = median(pairs.throughput()), pairs.delay_ms()
    direct = median([one.mb_per_second for one in pairs.direct])
    through = median([one.mb_per_second for one in pairs.through])
    cells = [label, f"{direct:,.0f} MB/s", f"{through:,.0f} MB/s", f"{share:.3f} ×", f"{late:+.1f} ms"]
    bar = f"≥ {LEAST} ×, first byte ≤ {LATEST_MS:g} ms later"
    table.rows.append([*cells, *([bar, verdict(share >= LEAST and late <= LATEST_MS)] if judged else ["reported", ""])])
    table.bars.append(Bar(group=label, label="entrepot", value=share, goal=LEAST if judged else None))
    table.raw[f"{label} throughput"] = pairs.throughput()


def _paced(directory: Path, rounds: int) -> Pairs:
    port = free_port()
    fixtures = Fixtures(directory / "files", f"http://127.0.0.1:{port}")
    wheels = _write_wheels(fixtures, rounds)
    command = [sys.executable, "-m", "bench.paced", str(fixtures.root), str(port), str(RATE)]
    with ExitStack() as stack:
        log = directory / "output.log"
        origin = stack.enter_context(Process(command, log, {"PYTHONPATH": str(ROOT)}))
        origin.wait_until_it_answers(f"{fixtures.base}/simple/")
        server = stack.enter_context(Entrepot().start(directory / "entrepot", fixtures.base, core=None))
        return _pairs(fixtures.base, server, wheels)


def _unpaced(directory: Path, rounds: int) -> Pairs:
    with ExitStack() as stack:
        origin = stack.enter_context(Origin(directory / "origin", core=None))
        wheels = _write_wheels(origin.fixtures, rounds)
        server = stack.enter_context(Entrepot().start(directory / "entrepot", origin.base, core=None))
        return _pairs(origin.base, server, wheels)


def _write_wheels(fixtures: Fixtures, rounds: int) -> list[Item]:
    """One for each round, all different; and one to begin with, which is not measured."""
    body = bytearray(random.Random(7).randbytes(SIZE))
    for number in range(rounds + 1):
        body[:4] = number.to_bytes(4)
        fixtures.add_wheel("100 MiB", f"cold-{number}", bytes(body))
    fixtures.write("/simple/index.html", b"<!DOCTYPE html><html></html>")
    return fixtures.of("pypi")


def _pairs(base: str, server: Running, wheels: list[Item]) -> Pairs:
    pairs = Pairs()
    download(server.url_of(wheels[0]))
    for wheel in wheels[1:]:
        through = server.url_of(wheel)
        pairs.direct.append(_right(wheel, download(base + wheel.path)))
        pairs.through.append(_right(wheel, download(through)))
    return pairs


def _right(wheel: Item, transfer: Transfer) -> Transfer:
    if transfer.sha256 != wheel.sha256:
        raise Missing("wrong bytes arrived")
    return transfer
