"""Every upstream fault of promises §2 in four situations, as a table: `python -m tests.campaign upstream`.

The same trials run in `make test`, with less patience; here the clock is read too, upstream flaps for minutes, names
resolve to where they should not, and afterwards everything has to come right.
"""

import argparse
import itertools
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaign.astray import resolved_astray
from tests.faults.cases import CASES, Case, Want
from tests.faults.rows import LARGE, ORIGINS, ROWS
from tests.faults.stand import Origin, Stand
from tests.faults.trial import Cell, Trial, origins_for
from tests.rogue import reset_before_answer
from tests.rogue.faults import flapping

SITUATIONS = ("cold artifact", "warm artifact", "fresh index", "stale index", "afterwards")
STORED_SECONDS = 0.05
"""In which everything is answered that needs no contact."""
FLAP_SECONDS = 2.0
PAUSE_SECONDS = 0.1


@dataclass(slots=True)
class Report:
    rows: dict[str, dict[str, Cell]] = field(default_factory=dict)

    def add(self, row: str, cells: Mapping[str, Cell]) -> None:
        self.rows[row] = dict(cells)
        for situation, cell in cells.items():
            for complaint in cell.complaints:
                print(f"{row}, {situation}: {complaint}", file=sys.stderr, flush=True)

    def show(self) -> int:
        """Print it; 0 if nothing is wrong."""
        print("\n### Faults of upstream, in four situations and afterwards\n")
        print(f"| fault | {' | '.join(SITUATIONS)} | wrong | outages spelled 404 |")
        print("|---|" + "---|" * (len(SITUATIONS) + 2))
        for row, cells in self.rows.items():
            shown = " | ".join(_shown(cells.get(situation)) for situation in SITUATIONS)
            wrong, lies = sum(cell.wrong for cell in cells.values()), sum(cell.lies for cell in cells.values())
            print(f"| {row} | {shown} | {wrong} | {lies} |")
        return int(any(_is_bad(cell) for cells in self.rows.values() for cell in cells.values()))


def _is_bad(cell: Cell) -> bool:
    return bool(cell.wrong or cell.lies or cell.complaints)


def _shown(cell: Cell | None) -> str:
    if cell is None or not cell.seen:
        return "—"
    counted = [f"{times} × {answer}" for answer, times in Counter(cell.seen).items()]
    text = f"{', '.join([*counted, *cell.notes])}; ≤ {cell.slowest:.2f} s"
    return f"**{text}**" if _is_bad(cell) else text


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign upstream", description=__doc__)
    parser.add_argument("--patience", type=float, default=1.0, help="seconds that the server waits for an origin")
    parser.add_argument("--flapping", type=float, default=300.0, help="seconds for which one origin comes and goes")
    parser.add_argument("--only", default="", help="the cases whose name holds this")
    options = parser.parse_args(list(arguments))
    cases = [case for case in CASES if options.only in case.name]
    rows = {name: row for name, row in ROWS.items() if options.only in name}
    report = Report()
    with tempfile.TemporaryDirectory() as scratch:
        plain = sum(origins_for(case) for case in cases if not case.tls) + 1
        tls = sum(origins_for(case) for case in cases if case.tls)
        with Stand(Path(scratch, "stand"), plain=plain, tls=tls, patience=options.patience) as stand:
            flap = Flap(stand, options.flapping)
            flap.start()
            trials = {case.name: (case, Trial(stand, case)) for case in cases}
            for name, (case, trial) in trials.items():
                report.add(name, _try(case, trial))
            flap.join()
            report.add(f"flapping 50 % for {options.flapping:g} s", flap.cells)
            for name, (_, trial) in trials.items():
                report.rows[name]["afterwards"] = trial.afterwards()
        with Stand(Path(scratch, "rows"), plain=ORIGINS, patience=options.patience, cap=LARGE) as stand:
            for name, row in rows.items():
                report.add(name, row(stand))
        if not options.only:
            report.add("a name that resolves to what is not public", resolved_astray(Path(scratch, "astray")))
    return report.show()


def _try(case: Case, trial: Trial) -> dict[str, Cell]:
    tries: dict[str, tuple[Callable[[], Cell], float]] = {
        "cold artifact": (trial.cold_artifact, case.seconds),
        "warm artifact": (trial.warm_artifact, STORED_SECONDS),
        "fresh index": (trial.fresh_index, STORED_SECONDS),
        "stale index": (trial.stale_index, case.seconds),
    }
    found = {}
    for situation, (look, seconds) in tries.items():
        cell = found[situation] = look()
        if cell.slowest > seconds:
            cell.complaints.append(f"took {cell.slowest:.2f} s instead of {seconds:g} s")
    return found


class Flap(threading.Thread):
    """One origin that is there half of the time, while clients go on asking."""

    def __init__(self, stand: Stand, seconds: float) -> None:
        super().__init__(name="flapping")
        self._stand, self._seconds = stand, seconds
        self._origin: Origin = stand.take()
        self.cells = {situation: Cell() for situation in SITUATIONS[:4]}

    def run(self) -> None:
        shelf, rogue = self._origin.shelf, self._origin.rogue
        self._stand.warm([*shelf.artifacts("warm"), *shelf.indexes("fresh"), *shelf.indexes("stale")])
        rogue.disturb("*", reset_before_answer(), when=flapping(FLAP_SECONDS, FLAP_SECONDS))
        end = time.monotonic() + self._seconds
        for number in itertools.count():
            if time.monotonic() > end:
                break
            self._ask_each(number)
            time.sleep(PAUSE_SECONDS)
        rogue.calm()

    def _ask_each(self, number: int) -> None:
        shelf, get = self._origin.shelf, self._stand.get
        for thing in shelf.artifacts("warm"):
            self.cells["warm artifact"].add(thing, get(thing), Want.RIGHT, frozenset())
        for thing in shelf.indexes("fresh"):
            self.cells["fresh index"].add(thing, get(thing), Want.RIGHT, frozenset())
        for thing in shelf.indexes("stale"):
            self.cells["stale index"].add(thing, get(thing), Want.RIGHT, frozenset())
        # Another query is another file to Entrepot, and the same one to the origin.
        thing = shelf.file("free", "cold", "small")
        got = self._stand.server.get(f"{thing.path}?{number}")
        self.cells["cold artifact"].add(thing, got, Want.BOUNDED, frozenset({502, 503, 504}))
