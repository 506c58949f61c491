"""500 clients within a second ask for one cold object of 100 MB that its origin sends at 20 MB/s."""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.campaign.memory import MemoryWatch
from tests.campaign.origin import Origin
from tests.campaign.server import Server, generic
from tests.campaign.swarm import Client, Outcome, SwarmProcess
from tests.campaign.table import Table, percentile
from tests.rogue import pattern

PATH = "/big.bin"
VARIANTS = ("plain", "leaver", "reset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    known: bool
    workers: int
    variant: str

    @property
    def name(self) -> str:
        story = {"plain": "", "leaver": ", first client leaves at 1 %", "reset": ", origin resets at 50 %"}
        digest = "known" if self.known else "unknown"
        return f"digest {digest}, {self.workers} worker{'s' if self.workers > 1 else ''}{story[self.variant]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Herd:
    clients: int
    size: int
    rate: int
    body: bytes
    sha256: str


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign herd", description=__doc__)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--rate", type=int, default=20, help="MB/s of the origin")
    parser.add_argument("--only", default="", help="run only rounds whose name contains this")
    options = parser.parse_args(arguments)
    body = pattern(options.megabytes * 1_000_000)
    herd = Herd(
        clients=options.clients,
        size=len(body),
        rate=options.rate * 1_000_000,
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
    )
    title = f"Herd: {herd.clients} clients within 1 s, one cold object of {options.megabytes} MB at {options.rate} MB/s"
    table = Table(title)
    for variant in VARIANTS:
        for workers in (1, 2):
            for known in (True, False):
                round_ = Round(known=known, workers=workers, variant=variant)
                if options.only in round_.name:
                    run(herd, round_, table)
    return table.show()


def run(herd: Herd, round_: Round, table: Table) -> None:
    faults = [f"{PATH}?kind=reset_at&at={herd.size // 2}&times=1"] if round_.variant == "reset" else []
    with (
        tempfile.TemporaryDirectory(prefix="entrepot-herd-") as directory,
        Origin([f"{PATH}?size={herd.size}&rate={herd.rate}"], faults) as origin,
        Server(Path(directory), *_repositories(herd, origin.base), workers=round_.workers) as server,
    ):
        server.start()
        # The measured server has served before: its first request loads what every process loads once.
        server.get("/known/absent")
        began = time.monotonic()
        with MemoryWatch(server.pids, every=0.2) as memory:
            outcomes = SwarmProcess(
                server.host,
                server.port,
                clients_of(herd, round_),
                dict.fromkeys(("/known" + PATH, "/unknown" + PATH), herd.body),
            ).outcomes()
        seconds = time.monotonic() - began
        report = origin.report()[PATH]
        server.stop()
    judge(round_, table, outcomes, report, seconds)
    table.add(
        f"{round_.name}: memory of all processes",
        "≤ 300 MiB (aim 200)",
        f"{memory.peak.pss:.0f} MiB PSS ({memory.peak.rss:.0f} MiB RSS)",
        memory.peak.pss <= 300,
    )


def _repositories(herd: Herd, base: str) -> tuple[str, str]:
    return generic("known", base, {PATH: herd.sha256}), generic("unknown", base)


def clients_of(herd: Herd, round_: Round) -> list[Client]:
    path = f"/{'known' if round_.known else 'unknown'}{PATH}"
    leaves_at = herd.size // 100 if round_.variant == "leaver" else None
    first = Client(path=path, leaves_at=leaves_at)
    return [first, *(Client(path=path, starts=number / herd.clients) for number in range(1, herd.clients))]


def judge(round_: Round, table: Table, outcomes: Sequence[Outcome], report: dict[str, int], seconds: float) -> None:
    staying = [outcome for outcome in outcomes if not outcome.left]
    right = sum(outcome.right for outcome in staying)
    wrong = sum(outcome.wrong for outcome in outcomes)
    errors = {outcome.error or str(outcome.status) for outcome in staying if not outcome.right}
    table.add(
        f"{round_.name}: right bodies",
        f"{len(staying)} of {len(staying)}, 0 wrong",
        f"{right}, {wrong} wrong, in {seconds:.0f} s{'; ' + '; '.join(sorted(errors)) if errors else ''}",
        right == len(staying) and not wrong,
    )
    gets, resumes = report["requests"] - report["ranges"], report["ranges"]
    table.add(
        f"{round_.name}: upstream", "1 GET, ≤ 2 resumes", f"{gets} GET, {resumes} resumes", gets == 1 and resumes <= 2
    )
    waits = [outcome.first_byte for outcome in outcomes if outcome.first_byte is not None]
    table.add(
        f"{round_.name}: first body byte",
        "p99 ≤ 0.5 s (aim 0.2)",
        f"p50 {percentile(waits, 0.5):.3f} s, p99 {percentile(waits, 0.99):.3f} s",
        percentile(waits, 0.99) <= 0.5,
    )
