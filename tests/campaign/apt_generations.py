"""Clients that update and install, over and over, while upstream publishes one generation after the other.

Nobody may ever get files of two generations, whether the archive has names by hash or only plain ones.
"""

import argparse
import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.clients.fixture_apt import Archive, Machine, new_signer
from tests.clients.registry import Registry
from tests.clients.room import ClientFailed
from tests.faults.served import Served

CONFIG = """[repositories.deb]
ecosystem = "apt"
upstreams = ["{url}/"]
freshness = {{ mutable_ttl = "0s" }}
stale = {{ while_revalidate = "0s" }}
"""
_MIXED = re.compile(r"Hash Sum mismatch|unexpected size|BADSIG|Clearsigned file isn't valid")


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of all rounds."""

    rounds: int = 0
    mixed: int = 0
    """Updates that apt refused because the files did not go together."""
    failed: Counter[str] = field(default_factory=Counter)
    """Other failures, by what apt said first."""
    versions: set[str] = field(default_factory=set)
    """Of the package that every generation has anew: those that were installed."""

    def __str__(self) -> str:
        told = f"{self.rounds} rounds, {self.mixed} mixed, {sum(self.failed.values())} failed otherwise"
        return f"{told}; {len(self.versions)} editions installed" + "".join(
            f"\n  {count} × {text}" for text, count in self.failed.most_common(5)
        )


def rehearse(
    directory: Path, *, clients: int, generations: int, by_hash: bool, workers: int = 1, pause: float = 0.5
) -> Outcome:
    """`pause` in seconds between two generations."""
    with new_signer() as signer, Registry(decoded=True) as registry:
        archive = Archive(directory / "archive", signer, by_hash=by_hash)
        _publish(archive, registry)
        with Served(directory / "server", CONFIG.format(url=registry.url), workers=workers) as served:
            url = f"http://127.0.0.1:{served.address[1]}/deb{archive.prefix}"
            line = f"deb [signed-by={signer.keyring}] {url} stable main\n"
            machines = [Machine(directory / f"machine{number}", line) for number in range(clients)]
            outcome, ended, lock = Outcome(), threading.Event(), threading.Lock()
            # What nobody has asked for yet is not brought along: the first client shows what is wanted.
            _round(machines[0], outcome, lock)

            def go_on(machine: Machine) -> None:
                while not ended.is_set():
                    _round(machine, outcome, lock)
                _round(machine, outcome, lock)

            with ThreadPoolExecutor(clients) as pool:
                running = [pool.submit(go_on, machine) for machine in machines]
                for _ in range(generations - 1):
                    _publish(archive, registry)
                    time.sleep(pause)
                ended.set()
                for one in running:
                    one.result()
            return outcome


def _publish(archive: Archive, registry: Registry) -> None:
    archive.publish("base", f"1.{archive.editions + 1}")
    archive.index()
    registry.files, registry.modified = archive.files, archive.modified


def _round(machine: Machine, outcome: Outcome, lock: threading.Lock) -> None:
    mixed, failure, found = False, "", []
    try:
        machine.update()
        found = list(machine.install("base"))
    except ClientFailed as error:
        mixed = bool(_MIXED.search(str(error)))
        failure = next((line for line in str(error).splitlines() if line.startswith("E: ")), str(error)[:200])
    machine.forget_packages()
    with lock:
        outcome.rounds += 1
        outcome.mixed += mixed
        outcome.versions.update(found)
        if failure and not mixed:
            outcome.failed[re.sub(r"[0-9a-f]{16,}|:[0-9]+", "…", failure)] += 1


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign apt_generations", description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--generations", type=int, default=50)
    options = parser.parse_args(arguments)
    bad = 0
    for by_hash in (True, False):
        with tempfile.TemporaryDirectory() as place:
            outcome = rehearse(
                Path(place), clients=options.clients, generations=options.generations, by_hash=by_hash, workers=2
            )
        print(f"{'by hash' if by_hash else 'plain names'}: {outcome}", flush=True)
        bad += outcome.mixed + outcome.failed.total()
    return 1 if bad else 0
