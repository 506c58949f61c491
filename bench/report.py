"""Writes docs/evidence.md and its pictures from the kept results. What was not measured anew stays as it is."""

import re
from pathlib import Path

from bench.machine import ROOT
from bench.picture import draw
from bench.tables import Table, load_tables

PAGE = ROOT / "docs" / "evidence.md"
PICTURES = ROOT / "docs" / "evidence"
ORDER = (
    *("live", "as_of", "herd", "resets", "crash", "upstream", "local", "slow"),
    *("warm-pypi", "warm-npm", "warm-golang", "cold", "packument", "catalog_size", "startup"),
    *("mirror", "mirror_live", "mirror_many", "bill", "tree"),
    *("apt_generations", "dnf_generations", "image"),
)
_SECTION = re.compile(r"<!-- begin (?P<name>\S+) -->\n.*?<!-- end (?P=name) -->\n", re.DOTALL)
_HEAD = """# Evidence

Every table on this page was written by the command above it, which makes it again. `make bench` runs the comparisons,
`make bench ARGS=report` writes the page from the newest results; `make bench ARGS=herd` (or `resets`, `crash`,
`upstream`, `local`, `slow`) runs a campaign and keeps its table.

"""


def write_report() -> None:
    sections = dict(_known_sections())
    for table in load_tables():
        sections[table.name] = _section(table)
    if not sections:
        return
    names = sorted(sections, key=_rank)
    PAGE.write_text(_HEAD + "\n".join(sections[name] for name in names))


def _known_sections() -> list[tuple[str, str]]:
    if not PAGE.exists():
        return []
    return [(found["name"], found[0]) for found in _SECTION.finditer(PAGE.read_text())]


def _rank(name: str) -> tuple[int, str]:
    family = next((known for known in ORDER if name == known or name.startswith(f"{known}-")), "")
    return (ORDER.index(family) if family else len(ORDER), name)


def _section(table: Table) -> str:
    lines = [f"<!-- begin {table.name} -->", f"## {table.title}", "", f"`{table.command}`", ""]
    if table.bars:
        lines += [f"![{table.title}]({_drawn(table).relative_to(PAGE.parent)})", ""]
    lines += [table.markdown(), ""]
    lines += [*(f"- {note}" for note in table.notes), *([""] if table.notes else [])]
    load = f"; load average {table.load:.1f} before" if table.load else ""
    lines += [f"{table.when}, {table.machine}{load}.", ""]
    return "\n".join([*lines, f"<!-- end {table.name} -->\n"])


def _drawn(table: Table) -> Path:
    PICTURES.mkdir(parents=True, exist_ok=True)
    file = PICTURES / f"{table.name}.svg"
    file.write_text(draw(table))
    return file
