"""Clients that update and install, over and over, while upstream publishes one generation after the other."""

import argparse
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from tests.campaign.table import Table

WORKERS = 2
_PASSING = re.compile(r"[0-9a-f]{16,}|:[0-9]+")
"""Of a complaint: digests and ports, in which the same ones differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One update, and one installation."""

    failure: str = ""
    """What the client complained of."""
    mixed: bool = False
    """Whether it says that files do not go together."""
    editions: Sequence[str] = ()
    """Of the package that every generation has anew: what was installed."""


class Machine(Protocol):
    def round(self) -> Round: ...


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of all rounds."""

    rounds: int = 0
    mixed: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Other failures, by what the client said first."""
    editions: set[str] = field(default_factory=set)
    """Those that were installed."""

    def add(self, one: Round) -> None:
        self.rounds += 1
        self.mixed += one.mixed
        self.editions.update(one.editions)
        if one.failure and not one.mixed:
            self.failed[_PASSING.sub("…", one.failure)] += 1


def publish_beside(
    machines: Sequence[Machine], publish: Callable[[], None], *, generations: int, pause: float
) -> Outcome:
    """The first generation is there. `pause` in seconds before the next one."""
    outcome, ended, lock = Outcome(), threading.Event(), threading.Lock()

    def once(machine: Machine) -> None:
        told = machine.round()
        with lock:
            outcome.add(told)

    def go_on(machine: Machine) -> None:
        while not ended.is_set():
            once(machine)
        once(machine)

    # What nobody has asked for yet is not brought along: the first client shows what is wanted.
    once(machines[0])
    with ThreadPoolExecutor(len(machines)) as pool:
        running = [pool.submit(go_on, machine) for machine in machines]
        for _ in range(generations - 1):
            publish()
            time.sleep(pause)
        ended.set()
        for one in running:
            one.result()
    return outcome


def show(
    client: str, ways: Sequence[str], rehearse: Callable[[str, int, int], Outcome], arguments: Sequence[str]
) -> int:
    """`rehearse` gets one of the `ways` to publish, and how many clients and generations there are. The exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.campaign {client}_generations")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--generations", type=int, default=50)
    options = parser.parse_args(arguments)
    table = Table(f"{client}: {options.clients} clients update while {options.generations} generations are published")
    for way in ways:
        outcome = rehearse(way, options.clients, options.generations)
        table.add(f"{way}: rounds", "told", f"{outcome.rounds}, {len(outcome.editions)} editions installed", True)
        table.add(f"{way}: mixed generations", "0", str(outcome.mixed), not outcome.mixed)
        failures = "; ".join(f"{count} × {text}" for text, count in outcome.failed.most_common(5))
        table.add(f"{way}: other failures", "0", f"{outcome.failed.total()} {failures}".strip(), not outcome.failed)
    return table.show()
