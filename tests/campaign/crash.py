"""kill -9 at random moments, and at each system call on the way of a body into the store."""

import argparse
import random
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaign.server import Server, generic
from tests.campaign.store import StoreCheck
from tests.campaign.swarm import Client, SwarmProcess, swarm
from tests.campaign.table import Table
from tests.campaign.tracing import AVAILABLE, Strace, short, victim_of
from tests.rogue import Page, Rogue, pattern

DOWNLOADS = 8
SMALLEST, LARGEST = 50_000, 2_000_000
RATE = 2_000_000
"""Bytes per second of each download."""
LATEST = 1.4
"""Seconds after the downloads' start."""
STRIKES = (("flock", 1), ("write", 8), ("fdatasync", 1), ("rename", 2), ("mkdir", 1), ("fsync", 2))
"""System calls of the thread that stores a body, and how often one body makes them at most."""
CATALOG_STRIKES = (("pwrite64", 12), ("fdatasync", 1))
"""Those of the thread that writes the catalog."""
SETTLED = 1.0
"""Seconds after which an injected kill that has not struck will not."""


@dataclass(slots=True)
class Toll:
    """What was found after the crashes."""

    wrong: int = 0
    not_served: int = 0
    temporary: int = 0
    unsound: list[str] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    cut: int = 0
    """Transfers that the crash broke."""
    complete: int = 0

    def show(self, table: Table, name: str, rounds: str) -> None:
        table.add(f"{name}: bodies served afterwards", "0 wrong, all served", self._served(rounds), not self._bad)
        slowest = max(self.ready, default=0.0)
        table.add(f"{name}: ready again", "≤ 5 s", f"slowest {slowest:.2f} s", slowest <= 5)
        table.add(f"{name}: temporary files left", "0", str(self.temporary), self.temporary == 0)
        unsound = ", ".join(self.unsound[:3]) or "none"
        table.add(
            f"{name}: entries without their bytes, files that are not their digest", "0", unsound, not self.unsound
        )

    @property
    def _bad(self) -> bool:
        return bool(self.wrong or self.not_served)

    def _served(self, rounds: str) -> str:
        broken = f"{self.cut} transfers broken and {self.complete} complete at the crash"
        return f"{self.wrong} wrong, {self.not_served} not served ({rounds}; {broken})"


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=20260105)
    options = parser.parse_args(arguments)
    table = Table(f"Crashes (seed {options.seed})")
    kill_at_random(table, options.rounds, random.Random(options.seed))
    if AVAILABLE:
        show_order(table)
        strike_each_call(table)
    else:
        table.add("each system call of the commit path", "0 wrong", "not run: there is no strace here", ok=False)
    return table.show()


# --- random moments ---------------------------------------------------------------------------------------------------


def kill_at_random(table: Table, rounds: int, chance: random.Random) -> None:
    toll = Toll()
    with tempfile.TemporaryDirectory(prefix="entrepot-crash-") as directory, Rogue() as origin:
        check = StoreCheck(Path(directory, "data"))
        for number in range(rounds):
            bodies = _bodies(number, chance)
            for path, body in bodies.items():
                origin.serve(path, Page(body=body, rate=RATE))
            with Server(Path(directory), generic("files", origin.base), workers=1 + number % 2) as server:
                _crash(server, bodies, chance, toll)
                _restart_and_look(server, bodies, check, toll)
    toll.show(table, "kill -9", f"{rounds} rounds of {DOWNLOADS} downloads")


def _bodies(number: int, chance: random.Random) -> dict[str, bytes]:
    sizes = [chance.randrange(SMALLEST, LARGEST) for _ in range(DOWNLOADS)]
    return {f"/{number}-{index}.bin": pattern(size, seed=size) for index, size in enumerate(sizes)}


def _crash(server: Server, bodies: dict[str, bytes], chance: random.Random, toll: Toll) -> None:
    server.start()
    toll.ready.append(server.ready_seconds)
    clients = [Client(path=f"/files{path}") for path in bodies]
    crowd = SwarmProcess(server.host, server.port, clients, _wanted(bodies))
    time.sleep(chance.uniform(0, LATEST))
    server.kill()
    for outcome in crowd.outcomes():
        toll.wrong += outcome.wrong
        toll.complete += outcome.right
        toll.cut += not outcome.right


def _wanted(bodies: dict[str, bytes]) -> dict[str, bytes]:
    return {f"/files{path}": body for path, body in bodies.items()}


def _restart_and_look(server: Server, bodies: dict[str, bytes], check: StoreCheck, toll: Toll) -> None:
    server.start()
    toll.ready.append(server.ready_seconds)
    toll.temporary += len(check.temporary())
    toll.unsound += check.broken_entries() + check.wrong_blobs()
    clients = [Client(path=f"/files{path}") for path in bodies]
    for outcome in swarm(server.host, server.port, clients, _wanted(bodies), limit=60):
        toll.wrong += outcome.wrong
        toll.not_served += not outcome.right
    server.stop()


# --- each system call -------------------------------------------------------------------------------------------------


def strike_each_call(table: Table) -> None:
    toll, struck = Toll(), []
    with tempfile.TemporaryDirectory(prefix="entrepot-strike-") as directory, Rogue() as origin:
        check = StoreCheck(Path(directory, "data"))
        log = check.data / "catalog.db-wal"
        plan: list[tuple[str, int, tuple[Path, ...]]] = [
            (call, number, ()) for call, most in STRIKES for number in range(1, most + 1)
        ]
        plan += [(call, number, (log,)) for call, most in CATALOG_STRIKES for number in range(1, most + 1)]
        for index, (call, number, paths) in enumerate(plan):
            bodies = {f"/{index}.bin": pattern(300_000, seed=index)}
            origin.serve(f"/{index}.bin", next(iter(bodies.values())))
            with Server(Path(directory), generic("files", origin.base)) as server:
                victim = _strike(
                    server, bodies, Path(directory, "trace"), f"{call}:signal=KILL:when={number}", paths, toll
                )
                if victim:
                    struck.append(victim)
                    print(f"    killed at {victim}", flush=True)
                _restart_and_look(server, bodies, check, toll)
    toll.show(table, "killed at each call", f"{len(struck)} kills in {len(plan)} rounds")
    _show_reach(table, struck)


def _strike(
    server: Server, bodies: dict[str, bytes], output: Path, inject: str, paths: Iterable[Path], toll: Toll
) -> str:
    server.start()
    toll.ready.append(server.ready_seconds)
    output.unlink(missing_ok=True)
    call = inject.partition(":")[0]
    with Strace(worker_of(server), output, calls=call, inject=inject, paths=list(paths)) as trace:
        clients = [Client(path=f"/files{path}") for path in bodies]
        for outcome in swarm(server.host, server.port, clients, _wanted(bodies), limit=20):
            toll.wrong += outcome.wrong
            toll.complete += outcome.right
            toll.cut += not outcome.right
        struck = trace.struck(SETTLED)
        server.kill()
        return (victim_of(trace.lines()) or call) if struck else ""


def _show_reach(table: Table, struck: Sequence[str]) -> None:
    """Whether the kills really hit the steps that matter."""
    steps = {
        "write of the body": "write(" + "|incoming/",
        "fdatasync of the body": "fdatasync(" + "|incoming/",
        "rename": "rename(" + "|incoming/",
        "fsync of the directory": "fsync(" + "|blobs/",
        "write of the catalog": "pwrite64(" + "|catalog.db-wal",
        "fdatasync of the catalog": "fdatasync(" + "|catalog.db-wal",
    }
    missed = []
    for step, words in steps.items():
        call, _, place = words.partition("|")
        if not any(victim.startswith(call) and place in victim for victim in struck):
            missed.append(step)
    hit = f"{len(steps) - len(missed)} of {len(steps)}{'; not: ' + ', '.join(missed) if missed else ''}"
    table.add("killed at each call: steps that were hit", "all", hit, not missed)


# --- the order --------------------------------------------------------------------------------------------------------


def show_order(table: Table) -> None:
    """The trace of one download into the store."""
    with tempfile.TemporaryDirectory(prefix="entrepot-order-") as directory, Rogue() as origin:
        origin.serve("/before.bin", pattern(1000))
        origin.serve("/one.bin", pattern(300_000))
        with Server(Path(directory), generic("files", origin.base)) as server:
            server.start()
            # The first commit after a start also begins the catalog's log.
            server.get("/files/before.bin")
            output = Path(directory, "trace")
            with Strace(worker_of(server), output) as trace:
                server.get("/files/one.bin")
                time.sleep(SETTLED)
                lines = steps_of(trace.lines())
            server.stop()
    print("\n".join(["", "The order of the commit path, as traced:", "", *(f"    {line}" for line in lines), ""]))
    found = order_of(lines)
    table.add("order", " → ".join(ORDER), " → ".join(found), found == list(ORDER))


ORDER = ("write", "fdatasync", "rename", "fsync directory", "catalog write", "catalog fdatasync")


def steps_of(lines: Sequence[str]) -> list[str]:
    """The traced calls that touch body, directory or catalog and succeeded, shortened, without thread numbers."""
    kept = []
    for line in lines:
        text = short(line.partition(" ")[2].strip())
        touches = "incoming/" in text or "blobs" in text or "catalog.db" in text
        if touches and "O_RDONLY|O_N" not in text and "resumed" not in text:
            kept.append(text)
    return kept


def order_of(steps: Sequence[str]) -> list[str]:
    """The kinds of step in their order, repetitions of one kind taken together."""
    found: list[str] = []
    for step in steps:
        kind = _kind_of(step)
        if kind and (not found or found[-1] != kind):
            found.append(kind)
    return found


def _kind_of(step: str) -> str:
    if step.startswith("write(") and "incoming/" in step:
        return "write"
    if step.startswith("fdatasync("):
        return "fdatasync" if "incoming/" in step else "catalog fdatasync"
    if step.startswith("rename(") and "= -1" not in step:
        return "rename"
    if step.startswith("fsync(") and "blobs/" in step:
        return "fsync directory"
    return "catalog write" if step.startswith("pwrite64(") and "catalog.db-wal" in step else ""


def worker_of(server: Server) -> int:
    """The serving process of a server with one worker."""
    assert server.process is not None
    return next(pid for pid in server.pids() if pid != server.process.pid)
