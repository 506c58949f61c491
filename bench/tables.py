"""What a measurement found: a table that can be kept, printed and drawn."""

import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.machine import ROOT, description, load_average

OUT = ROOT / "bench" / "out"


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar of the picture."""

    group: str
    label: str
    value: float
    goal: float | None = None


class Table(msgspec.Struct, kw_only=True):
    name: str
    title: str
    command: str
    columns: list[str]
    rows: list[list[str]] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)
    bars: list[Bar] = msgspec.field(default_factory=list)
    unit: str = ""
    """What the bars count."""
    raw: dict[str, list[float]] = msgspec.field(default_factory=dict)
    """Every single measurement."""
    machine: str = msgspec.field(default_factory=description)
    load: float = msgspec.field(default_factory=load_average)
    """The load average when the measurement began: what else the machine was doing."""
    when: str = msgspec.field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))

    def markdown(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def text(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.columns))]
        shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        rule = "  ".join("─" * width for width in widths)
        return "\n".join([self.title, "", shown[0], rule, *shown[1:], "", *self.notes])

    def save(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{self.name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(self)))


def load_tables(directory: Path = OUT) -> list[Table]:
    return [msgspec.json.decode(file.read_bytes(), type=Table) for file in sorted(directory.glob("*.json"))]


def verdict(met: bool) -> str:
    return "met" if met else "**missed**"


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round: what disturbs a round disturbs both sides of it."""
    return [mine / other if other else float("inf") for mine, other in zip(ours, theirs, strict=True)]
