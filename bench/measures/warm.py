"""Warm hits: every contender serves a file that it has, in alternating rounds."""

import hashlib
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.request import urlopen

from bench.contenders.all import Field, start_all
from bench.contenders.base import Running
from bench.effort import Effort
from bench.fixtures import Item
from bench.load import CONNECTIONS, Load, press
from bench.machine import Missing
from bench.origin import Origin
from bench.scratch import scratch
from bench.tables import Bar, Table, median, ratios, verdict

BARS = {"16 KiB": 0.55, "1 MiB": 1.0, "100 MiB": 0.9}
AIMS = {"16 KiB": 0.7, "1 MiB": 1.6}
AGAINST = "nginx proxy_cache"
US = "entrepot"
TRIES, PAUSE_SECONDS = 5, 1.0
_ECOSYSTEMS = {"pypi": "a Python index", "npm": "an npm registry", "golang": "Go modules"}

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Series:
    """What one contender did with one file, round by round."""

    running: Running
    url: str
    loads: list[Load] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        return [load.mib_per_second for load in self.loads]


def measure(effort: Effort) -> list[Table]:
    tables = []
    for ecosystem, title in _ECOSYSTEMS.items():
        with ExitStack() as stack:
            directory = stack.enter_context(scratch("warm"))
            origin = stack.enter_context(Origin(directory / "origin"))
            origin.fixtures.write_all()
            found = start_all(stack, directory, origin.base, {ecosystem})
            tables.append(_measure_ecosystem(ecosystem, title, origin, found, effort))
    return tables


def _measure_ecosystem(ecosystem: str, title: str, origin: Origin, found: Field, effort: Effort) -> Table:
    table = Table(
        name=f"warm-{ecosystem}",
        title=f"Warm hits through {title}",
        command="make bench ARGS=warm",
        columns=["file", "contender", "MiB/s", "requests/s", "p99", "busy", "beside nginx", "spread", "bar", "verdict"],
        unit="× nginx proxy_cache",
    )
    for item in origin.fixtures.of(ecosystem):
        _compare(table, item, _rounds(table, item, origin, found, effort))
    table.notes += _notes(ecosystem, found, effort)
    return table


def _rounds(table: Table, item: Item, origin: Origin, found: Field, effort: Effort) -> list[Series]:
    everybody = []
    for running in found.in_ecosystem(item.ecosystem):
        try:
            everybody.append(_warmed(running, item))
        except (Missing, OSError) as error:
            table.rows.append([item.label, running.name, f"fails: {error}", *[""] * 7])
    asked = origin.seen(item.path)
    for _ in range(effort.rounds):
        for series in everybody:
            series.loads.append(press(series.url, effort.seconds))
            series.running.process.wait_until_idle()
    if origin.seen(item.path) != asked:
        table.notes.append(f"{item.label}: not only hits: the origin was asked again.")
    return everybody


def _warmed(running: Running, item: Item) -> Series:
    """Asked for twice, and right. Raises Missing, OSError."""
    url = _patiently(lambda: running.url_of(item))
    for _ in range(2):
        sha256, sent_by = _patiently(lambda: _digest_of(url))
        if not sent_by.startswith(running.place.base):
            raise Missing("it sends its clients to the origin")
        if sha256 != item.sha256:
            raise Missing("it sends other bytes than the origin")
    return Series(running, url)


def _digest_of(url: str) -> tuple[str, str]:
    """Of the body; and the URL that it came from in the end."""
    with urlopen(url, timeout=120) as response:
        return hashlib.sha256(response.read()).hexdigest(), response.url


def _patiently(ask: Callable[[], Answer]) -> Answer:
    """Some need several tries for what they have not seen before. Raises OSError."""
    for _ in range(TRIES - 1):
        try:
            return ask()
        except OSError:
            time.sleep(PAUSE_SECONDS)
    return ask()


def _compare(table: Table, item: Item, everybody: list[Series]) -> None:
    nginx = next(series for series in everybody if series.running.name == AGAINST)
    ours = next(series for series in everybody if series.running.name == US)
    for series in everybody:
        name = series.running.name
        found = ratios(series.rates, nginx.rates)
        table.raw[f"{item.label} {name}"] = series.rates
        table.bars.append(
            Bar(group=item.label, label=name, value=median(found), goal=BARS[item.label] if series is ours else None)
        )
        spread = f"{min(found):.2f}–{max(found):.2f}"
        table.rows.append(
            [item.label, name, *_rates(series), f"{median(found):.2f} ×", spread, *_judged(series, ours, found, item)]
        )


def _rates(series: Series) -> list[str]:
    loads = series.loads
    failures = sum(load.failures for load in loads)
    p99 = f"{median([load.p99_ms for load in loads]):.1f} ms"
    return [
        f"{median(series.rates):,.0f}",
        f"{median([load.per_second for load in loads]):,.0f}" + (f" ({failures} failed)" if failures else ""),
        p99 if all(load.requests for load in loads) else "–",
        " / ".join(f"{median(busy):.0f} %" for busy in zip(*(load.busy for load in loads), strict=True)),
    ]


def _judged(series: Series, ours: Series, found: list[float], item: Item) -> list[str]:
    """The bar and whether it was met: ours beside nginx, a package proxy by how much faster we are."""
    if series is ours:
        aim = f" (aim {AIMS[item.label]})" if item.label in AIMS else ""
        return [f"≥ {BARS[item.label]} ×{aim}", verdict(median(found) >= BARS[item.label])]
    if not series.running.contender.is_package_proxy:
        return ["", ""]
    faster = median(ratios(ours.rates, series.rates))
    return ["we are faster (aim 2 ×)", f"{verdict(faster > 1)}: {faster:.1f} ×"]


def _notes(ecosystem: str, found: Field, effort: Effort) -> list[str]:
    notes = [
        f"{CONNECTIONS} connections that are kept, wrk on one core, every server on the other, access logs on.",
        f"Medians of {effort.rounds} alternating rounds of {effort.seconds} s; ratios are medians of theirs.",
        "Busy: the server's core and the generator's; where the second is full, the generator is what limits.",
        "Every body was compared with the origin's; the origin was not asked during the rounds.",
        f"Versions: {'; '.join(found.versions)}.",
    ]
    return notes + [f"Missing: {why.removesuffix('.')}." for why in found.missing_in(ecosystem).values()]
