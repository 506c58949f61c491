"""npm documents of 5 MB: rendered once, served as quickly as plain files, and no trouble to others while rendered."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep

from bench.client import Transfer, download
from bench.contenders.base import Running
from bench.contenders.entrepot import Entrepot, control, metric
from bench.effort import Effort
from bench.load import CONNECTIONS, Load, press
from bench.machine import CLIENT_CORE, ROOT, SERVER_CORE, pinned
from bench.origin import Origin
from bench.scratch import scratch
from bench.tables import Bar, Table, median, ratios, verdict

REQUESTS = 100
WORKERS = 2
OTHERS = 20
LEAST_RATE, MOST_P99 = 0.9, 2.0
NAME = "large"
ABBREVIATED = "application/vnd.npm.install-v1+json"
COUNTS_ARE_SHARED_SECONDS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    label: str
    connections: int
    pause_ms: int


PACES = (
    Pace(label="about 2,000 hits a second", connections=20, pause_ms=10),
    Pace(label="as many as go through", connections=CONNECTIONS, pause_ms=0),
)
_CODINGS = {"plain": "identity", "gzip": "gzip"}


def measure(effort: Effort) -> list[Table]:
    table = Table(
        name="packument",
        title="npm documents of 5 MB, two workers on one core",
        command="make bench ARGS=packument",
        columns=["what", "measured", "bar", "verdict"],
        unit="× a plain file of the same size",
    )
    with scratch("packument") as directory:
        with _stage(directory / "one", SERVER_CORE) as stage:
            size = stage.origin.fixtures.add_packument(NAME)
            table.notes.append(f"The document has {size / 1e6:.1f} MB.")
            _rendered_once(table, stage)
            _beside_plain_files(table, stage, effort)
        with _stage(directory / "others", SERVER_CORE) as stage:
            for pace in PACES:
                _while_others_are_rendered(table, stage, pace, effort)
    return [table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """An origin and a server in front of it."""

    origin: Origin
    server: Running

    def url(self, path: str) -> str:
        return self.server.place.base + path

    def rendered(self) -> int:
        """How often a document was rendered, by all workers since the start."""
        sleep(COUNTS_ARE_SHARED_SECONDS)
        return metric(self.server.place.directory, "entrepot_rendered", "npm")


@contextmanager
def _stage(directory: Path, core: int | None) -> Iterator[Stage]:
    with ExitStack() as stack:
        origin = stack.enter_context(Origin(directory / "origin"))
        origin.fixtures.write_all()
        server = stack.enter_context(Entrepot(WORKERS).start(directory / "entrepot", origin.base, core))
        yield Stage(origin=origin, server=server)


# --- rendered once ----------------------------------------------------------------------------------------------------


def _rendered_once(table: Table, stage: Stage) -> None:
    path = f"/npm/{NAME}"
    wanted = _ask_at_once(stage, path)
    cold = (stage.rendered(), stage.origin.seen(path))
    control(stage.server.place.directory, "invalidate", target=f"npm/{NAME}")
    again = _ask_at_once(stage, path)
    stale = (stage.rendered(), stage.origin.seen(path, 304))
    _judge(
        table,
        f"{REQUESTS} requests at once, nothing stored",
        f"{cold[1]} upstream request, rendered {cold[0]} time{'s' if cold[0] != 1 else ''}",
        "1 request, rendered once, equal bodies",
        cold == (1, 1) and len(wanted) == 1,
    )
    _judge(
        table,
        f"{REQUESTS} requests at once, expired",
        f"{stale[1]} upstream 304, {stage.origin.seen(path) - cold[1]} requests, rendered {stale[0]} time in all",
        "one 304, still rendered once",
        stale == (1, 1) and stage.origin.seen(path) == 2 and again == wanted,
    )


def _ask_at_once(stage: Stage, path: str) -> set[str]:
    """The digests of the bodies."""
    with ThreadPoolExecutor(REQUESTS) as pool:
        found = pool.map(lambda _: download(stage.url(path)), range(REQUESTS))
        return {transfer.sha256 for transfer in found}


# --- as quick as a plain file -----------------------------------------------------------------------------------------


def _beside_plain_files(table: Table, stage: Stage, effort: Effort) -> None:
    for label, coding in _CODINGS.items():
        headers = {"Accept": "application/json", "Accept-Encoding": coding}
        document = download(stage.url(f"/npm/{NAME}"), headers)
        assert document.encoding == ("" if coding == "identity" else coding), "another coding than was asked for"
        plain = _publish_file_of(stage, document)
        ours, theirs = [], []
        for _ in range(effort.rounds):
            ours.append(press(stage.url(f"/npm/{NAME}"), effort.seconds, headers=headers))
            theirs.append(press(plain, effort.seconds, headers=headers))
        _judge_rates(table, label, document, ours, theirs)


def _publish_file_of(stage: Stage, document: Transfer) -> str:
    """A stored generic file of the same size; its URL."""
    path = f"/files/{document.size_bytes}.bin"
    stage.origin.fixtures.write(path, bytes(document.size_bytes))
    download(stage.url(f"/plain{path}"))
    return stage.url(f"/plain{path}")


def _judge_rates(table: Table, label: str, document: Transfer, ours: list[Load], theirs: list[Load]) -> None:
    found = ratios([load.mib_per_second for load in ours], [load.mib_per_second for load in theirs])
    rates = [median([load.mib_per_second for load in loads]) for loads in (ours, theirs)]
    measured = f"{median(found):.2f} × ({rates[0]:,.0f} and {rates[1]:,.0f} MiB/s, {document.size_bytes / 1e6:.1f} MB)"
    what = f"rate of hits, {label}, beside a plain file of that size"
    _judge(table, what, measured, f"≥ {LEAST_RATE} ×", median(found) >= LEAST_RATE)
    table.bars.append(Bar(group="hits", label=label, value=median(found), goal=LEAST_RATE))
    table.raw[label] = found


# --- while others are rendered ----------------------------------------------------------------------------------------


def _while_others_are_rendered(table: Table, stage: Stage, pace: Pace, effort: Effort) -> None:
    """Every round takes documents that are new: some that are stored and only rendered, and some that come from
    upstream, are rendered and sent."""
    hit = stage.server.url_of(stage.origin.fixtures.of("pypi")[0])
    download(hit)
    rounds = [_Round.of(stage, hit, pace, effort, number) for number in range(effort.rounds)]
    quiet = [one.quiet for one in rounds]
    _judge_hits(table, pace, quiet, [one.rendered for one in rounds], "are rendered", MOST_P99)
    _judge_hits(table, pace, quiet, [one.fetched for one in rounds], "are fetched, rendered and sent", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beside:
    """Hits, and which part of their time somebody else was served too."""

    load: Load
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    quiet: Load
    rendered: _Beside
    fetched: _Beside

    @classmethod
    def of(cls, stage: Stage, hit: str, pace: Pace, effort: Effort, number: int) -> "_Round":
        stored = _publish_others(stage, f"stored-{pace.connections}-{number}")
        for url in stored:
            # Another form of the document: what is asked for below is not rendered yet.
            download(url, {"Accept": ABBREVIATED})
        new = _publish_others(stage, f"new-{pace.connections}-{number}")
        return cls(
            quiet=_hits(hit, pace, effort),
            # HEAD: nothing is to be sent.
            rendered=_hits_beside(stage, hit, "HEAD", stored, pace, effort),
            fetched=_hits_beside(stage, hit, "GET", new, pace, effort),
        )


def _publish_others(stage: Stage, prefix: str) -> list[str]:
    names = [f"{prefix}-{index}" for index in range(OTHERS)]
    for name in names:
        stage.origin.fixtures.add_packument(name)
    return [stage.url(f"/npm/{name}") for name in names]


def _hits_beside(stage: Stage, hit: str, method: str, urls: list[str], pace: Pace, effort: Effort) -> _Beside:
    before = stage.rendered()
    began = perf_counter()
    # It shares the generator's core and yields to it.
    command = pinned(CLIENT_CORE, [sys.executable, "-m", "bench.fetch", method, *urls])
    with subprocess.Popen(command, cwd=ROOT) as others, ThreadPoolExecutor(1) as pool:
        ended = pool.submit(lambda: (others.wait(120), perf_counter() - began))
        load = _hits(hit, pace, effort)
        status, seconds = ended.result()
    assert status == 0, "the documents could not be fetched"
    assert stage.rendered() - before == len(urls), "not every document was rendered once"
    return _Beside(load=load, share=min(1.0, seconds / load.seconds))


def _judge_hits(
    table: Table, pace: Pace, quiet: list[Load], beside: list[_Beside], doing: str, bar: float | None
) -> None:
    busy = [one.load for one in beside]
    times = ratios([load.p99_ms for load in busy], [load.p99_ms for load in quiet])
    medians = [median([load.p99_ms for load in loads]) for loads in (quiet, busy)]
    measured = f"{median(times):.1f} × (quiet {medians[0]:.1f} ms, busy {medians[1]:.1f} ms)"
    share = median([one.share for one in beside])
    what = f"p99 of 16 KiB hits, {pace.label}, while {OTHERS} documents {doing} ({share:.0%} of the time)"
    if bar is None:
        table.rows.append([what, measured, "reported", ""])
    else:
        _judge(table, what, measured, f"≤ {bar:g} × quiet", median(times) <= bar)
    table.raw[f"p99, {pace.label}, {doing}"] = times


def _hits(url: str, pace: Pace, effort: Effort) -> Load:
    return press(url, effort.seconds, connections=pace.connections, pause_ms=pace.pause_ms)


def _judge(table: Table, what: str, measured: str, bar: str, met: bool) -> None:
    table.rows.append([what, measured, bar, verdict(met)])
