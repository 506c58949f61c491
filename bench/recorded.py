"""Tables that other commands print as Markdown, kept like those that are measured here."""

import re
import subprocess
import sys
from collections.abc import Sequence

from bench.machine import ROOT, Missing, load_average
from bench.tables import Table

_SECTION = re.compile(r"^### (?P<title>.+)\n\n(?P<lines>(?:\|.*\n)+)", re.MULTILINE)


def record(name: str, command: Sequence[str], shown: str) -> list[Table]:
    """Run it, show what it prints, and keep its tables; `shown` is the command to make them again. Raises Missing."""
    lines, load = [], load_average()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    sections = enumerate(_SECTION.finditer("".join(lines)))
    tables = [_table_of(name, number, found, shown, load) for number, found in sections]
    if not tables:
        raise Missing(f"{shown} printed no table (exit code {process.returncode})")
    return tables


def campaign(name: str) -> list[Table]:
    return record(name, [sys.executable, "-m", "tests.campaign", name], f"make campaign ARGS={name}")


def _table_of(name: str, number: int, found: re.Match[str], shown: str, load: float) -> Table:
    cells = [
        [cell.strip().replace("\x00", "\\|") for cell in line.replace("\\|", "\x00").strip("| ").split("|")]
        for line in found["lines"].splitlines()
    ]
    columns, _, *rows = cells
    return Table(
        name=f"{name}-{number}" if number else name,
        title=found["title"],
        command=shown,
        columns=columns,
        rows=rows,
        load=load,
    )
