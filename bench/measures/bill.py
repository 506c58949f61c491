"""Bills of materials with 5,000 components: read and planned in seconds, and no trouble to hits meanwhile."""

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import perf_counter

from bench.client import download
from bench.contenders.base import Running
from bench.contenders.entrepot import COMMAND, Entrepot
from bench.effort import Effort
from bench.load import Load, press
from bench.machine import CLIENT_CORE, SERVER_CORE, pinned
from bench.origin import Origin
from bench.scratch import scratch
from bench.tables import Table, median, ratios, verdict

COMPONENTS = 5000
MOST_SECONDS, MOST_P99 = 10.0, 1.3
# About 2,000 hits a second: what is measured is how long they wait, and not how many go through.
CONNECTIONS, PAUSE_MS = 20, 10


def measure(effort: Effort) -> list[Table]:
    note = (
        "Each is `entrepot mirror --sbom FILE --dry-run` in front of a server on one core, over and over while hits "
        "are counted. The first has packages of a kind that nobody serves: it is only read, by the helper process. "
        "The second has plain files, each of which is planned, too."
    )
    table = Table(
        name="bill",
        title=f"Bills of materials with {COMPONENTS:,} components, beside hits",
        command="make bench ARGS=bill",
        columns=["what", "measured", "bar", "verdict"],
        notes=[note],
    )
    with scratch("bill") as directory, _stage(directory) as stage:
        for label, purl_of in (("read", _unserved), ("read and planned", stage.plain_file)):
            bill = directory / f"{label.replace(' ', '-')}.cdx.json"
            bill.write_bytes(_bill(purl_of))
            _judge(table, label, [_round(stage, bill, effort) for _ in range(effort.rounds)])
    return [table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """An origin and a server in front of it, with a file that is held."""

    origin: Origin
    server: Running
    hit: str

    def plain_file(self, number: int) -> str:
        return f"pkg:generic/tool{number}@1.0.{number}?download_url={self.origin.base}/tools/{number}.tar.gz"

    def rehearse(self, bill: Path) -> float:
        """Seconds until everything was planned."""
        place = self.server.place.directory
        where = ["--config", str(place / "entrepot.toml"), "--data", str(place / "data")]
        command = ["nice", "-n", "19", COMMAND, "mirror", "--sbom", str(bill), "--dry-run", *where]
        began = perf_counter()
        done = subprocess.run(pinned(CLIENT_CORE, command), capture_output=True, text=True, check=False, timeout=300)
        seconds = perf_counter() - began
        listed = sum("tool" in line for line in done.stdout.splitlines())
        assert listed == COMPONENTS, f"{listed} components were planned: {done.stderr[-500:]}"
        return seconds


@contextmanager
def _stage(directory: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        origin = stack.enter_context(Origin(directory / "origin"))
        origin.fixtures.write_all()
        server = stack.enter_context(Entrepot().start(directory / "entrepot", origin.base, SERVER_CORE))
        hit = server.url_of(origin.fixtures.of("pypi")[0])
        download(hit)
        yield Stage(origin=origin, server=server, hit=hit)


def _unserved(number: int) -> str:
    return f"pkg:swift/swift.example/tools/tool{number}@1.0.{number}"


def _bill(purl_of: Callable[[int], str]) -> bytes:
    """As generators write them, with what a mirror has no use for."""
    components = [
        {
            "bom-ref": f"ref-{number}",
            "type": "library",
            "name": f"tool{number}",
            "version": f"1.0.{number}",
            "purl": purl_of(number),
            "description": "Does one thing well. " * 5,
            "licenses": [{"license": {"id": "MIT"}}],
            "hashes": [{"alg": "SHA-512", "content": f"{number:0128x}"}],
            "externalReferences": [{"type": "website", "url": f"https://tools.example/{number}"}],
            "properties": [{"name": "package:path", "value": f"node_modules/tool{number}"}],
        }
        for number in range(COMPONENTS)
    ]
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components}, indent=2).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    quiet: Load
    beside: Load
    seconds: list[float]
    """Of each order."""


def _round(stage: Stage, bill: Path, effort: Effort) -> _Round:
    # The first one starts the helper, and finds nothing in any cache.
    first = stage.rehearse(bill)
    quiet = _hits(stage, effort)
    ended = Event()
    with ThreadPoolExecutor(1) as pool:
        orders = pool.submit(lambda: [stage.rehearse(bill) for _ in iter(ended.is_set, True)])
        beside = _hits(stage, effort)
        ended.set()
        return _Round(quiet=quiet, beside=beside, seconds=[first, *orders.result()])


def _hits(stage: Stage, effort: Effort) -> Load:
    return press(stage.hit, effort.seconds, connections=CONNECTIONS, pause_ms=PAUSE_MS)


def _judge(table: Table, label: str, rounds: list[_Round]) -> None:
    seconds = [one for each in rounds for one in each.seconds]
    table.rows.append(
        [
            f"{label}: from the command to its end",
            f"{median(seconds):.1f} s (slowest {max(seconds):.1f} s)",
            f"≤ {MOST_SECONDS:g} s",
            verdict(max(seconds) <= MOST_SECONDS),
        ]
    )
    quiet, busy = [one.quiet.p99_ms for one in rounds], [one.beside.p99_ms for one in rounds]
    times = ratios(busy, quiet)
    table.rows.append(
        [
            f"{label}: p99 of hits meanwhile",
            f"{median(times):.2f} × (quiet {median(quiet):.1f} ms, busy {median(busy):.1f} ms)",
            f"≤ {MOST_P99:g} × quiet",
            verdict(median(times) <= MOST_P99),
        ]
    )
    table.raw[f"{label}, seconds"] = seconds
    table.raw[f"{label}, p99"] = times
