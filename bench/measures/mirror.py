"""A lock file of 300 packages of 1 MiB, mirrored beside aria2c with the same files and as many connections."""

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from bench.contenders.base import Place
from bench.contenders.entrepot import COMMAND, Entrepot
from bench.effort import Effort
from bench.fixtures import Fixtures, Item
from bench.machine import ROOT, Missing, Process, free_port, need
from bench.scratch import scratch
from bench.tables import Bar, Table, median, ratios, verdict

FILES, SIZE = 300, 1 << 20
LATENCY_MS = 20
EARLIER = "mirrored-earlier"
CONNECTIONS = 16
MOST = 1.3
ARIA2C, ALSO = "aria2c", "aria2c, index pages as well"
SERVER, ALONE = "entrepot mirror, in front of a server", "entrepot mirror by itself"


def measure(effort: Effort) -> list[Table]:
    table = Table(
        name="mirror",
        title=f"Mirroring {FILES} packages of 1 MiB from a registry {LATENCY_MS} ms away, beside aria2c",
        command="make bench ARGS=mirror",
        columns=["what", "time", "× aria2c", "bar", "verdict"],
        unit="× aria2c",
        notes=_notes(effort),
    )
    with scratch("mirror") as directory, _stage(directory) as stage:
        found = stage.compare(effort.rounds)
    for label in (ARIA2C, ALSO, SERVER, ALONE):
        _judge(table, label, found)
    return [table]


def _notes(effort: Effort) -> list[str]:
    stage = (
        f"A PyPI registry on loopback begins each answer {LATENCY_MS} ms after its request. {CONNECTIONS} connections "
        f"each, {effort.rounds} rounds in turn, medians; every process on any core."
    )
    sides = (
        f"aria2c (`-j {CONNECTIONS} -x 1`) has a list of the addresses of the files, checks no digest, does not wait "
        "for the disk. entrepot reads requirements with hashes and 300 index pages, checks digests, and waits for the "
        "disk (fsync) before a file counts; its times are of the command, with the start of Python."
    )
    return [stage, sides, "git-pkgs/proxy is not beside: the module proxy answers that it is not available."]


def _judge(table: Table, label: str, found: dict[str, list[float]]) -> None:
    times = ratios(found[label], found[ARIA2C])
    share, cells = median(times), [label, f"{median(found[label]):.2f} s"]
    judged = label in (SERVER, ALONE)
    bar = [f"≤ {MOST} ×", verdict(share <= MOST)] if judged else ["reported", ""]
    table.rows.append([*cells, f"{share:.2f} ×", *bar])
    table.bars.append(Bar(group="300 × 1 MiB", label=label, value=share, goal=MOST if judged else None))
    table.raw[label] = found[label]


@dataclass(slots=True, kw_only=True)
class Stage:
    """A registry, and what is to be fetched from it."""

    directory: Path
    base: str
    items: tuple[Item, ...]
    _number: int = 0
    _found: dict[str, list[float]] = field(default_factory=dict)

    def compare(self, rounds: int) -> dict[str, list[float]]:
        """Seconds. The first round fills the caches of the machine, and is not counted."""
        artifacts = [self.base + item.path for item in self.items]
        pages = [f"{self.base}/simple/{item.project}/" for item in self.items]
        for _ in range(rounds + 1):
            self._found.setdefault(ARIA2C, []).append(self._aria2c(artifacts))
            self._found.setdefault(SERVER, []).append(self._in_front_of_a_server())
            self._found.setdefault(ALSO, []).append(self._aria2c([*pages, *artifacts]))
            self._found.setdefault(ALONE, []).append(self._by_itself())
        return {label: seconds[1:] for label, seconds in self._found.items()}

    @contextmanager
    def _place(self) -> Iterator[Path]:
        self._number += 1
        place = self.directory / f"place-{self._number}"
        place.mkdir()
        try:
            yield place
        finally:
            shutil.rmtree(place)

    def _aria2c(self, addresses: Sequence[str]) -> float:
        with self._place() as place:
            wanted = place / "wanted"
            lines = (f"{address}\n  out={number}\n" for number, address in enumerate(addresses))
            wanted.write_text("".join(lines))
            command = [need("aria2c"), f"--input-file={wanted}", f"--dir={place / 'files'}", "-j", str(CONNECTIONS)]
            seconds = _timed([*command, "-x", "1", "--quiet", "--no-conf"])
            files = list((place / "files").iterdir())
            if len(files) != len(addresses):
                raise Missing(f"aria2c fetched {len(files)} of {len(addresses)} files")
            return seconds

    def _in_front_of_a_server(self) -> float:
        with self._place() as place, Entrepot().start(place / "entrepot", self.base, core=None):
            return self._mirror(place / "entrepot")

    def _by_itself(self) -> float:
        with self._place() as place:
            Entrepot().prepare(Place(directory=place, port=free_port(), origin=self.base))
            # So that the store is there, as it is behind a server.
            _timed([COMMAND, "mirror", f"pkg:pypi/{EARLIER}@1.0", *_where(place)])
            return self._mirror(place)

    def _mirror(self, place: Path) -> float:
        lock = self.directory / "requirements.txt"
        options = ["--lockfile", str(lock), "--repository", "pypi", "--concurrency", str(CONNECTIONS)]
        seconds = _timed([COMMAND, "mirror", *options, *_where(place)])
        held = sum(file.stat().st_size == SIZE for file in (place / "data").rglob("*") if file.is_file())
        if held < FILES:
            raise Missing(f"entrepot stored {held} of {FILES} files")
        return seconds


def _where(place: Path) -> list[str]:
    return ["--config", str(place / "entrepot.toml"), "--data", str(place / "data")]


def _timed(command: Sequence[str]) -> float:
    """Raises Missing with its last words where it fails."""
    began = perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    seconds = perf_counter() - began
    if done.returncode:
        raise Missing(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-300:]}")
    return seconds


@contextmanager
def _stage(directory: Path) -> Iterator[Stage]:
    port = free_port()
    fixtures = Fixtures(directory / "files", f"http://127.0.0.1:{port}")
    for number in range(FILES):
        fixtures.add_wheel("1 MiB", f"mirrored-{number}", random.Random(number).randbytes(SIZE))
    wanted = tuple(fixtures.items)
    fixtures.add_wheel("1 KiB", EARLIER, random.Random(EARLIER).randbytes(1 << 10))
    lines = (f"{item.project}==1.0 --hash=sha256:{item.sha256}\n" for item in wanted)
    (directory / "requirements.txt").write_text("".join(lines))
    command = [sys.executable, "-m", "bench.delayed", str(fixtures.root), str(port), str(LATENCY_MS)]
    with Process(command, directory / "origin.log", {"PYTHONPATH": str(ROOT)}) as origin:
        origin.wait_until_it_answers(f"{fixtures.base}/simple/mirrored-0/")
        yield Stage(directory=directory, base=fixtures.base, items=wanted)
