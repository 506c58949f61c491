"""The world as of two years ago: what clients resolve in dated views, beside what their own options for it give.

The reference is made directly against the registries that this machine's clients use: `uv --exclude-newer`,
`npm --before`, and for Go, whose command has no such option, the versions of the list whose date is not later.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.live.clients import SEARCHED
from tests.live.house import House
from tests.live.namespace import Namespace, free_port
from tests.live.recorder import Recorder
from tests.live.resolvers import COMMAND_SECONDS, RESOLVERS, Resolver, UnresolvedError, Versions, read

NAME = "as_of"
AGE = timedelta(days=730)
SHOWN = 4
"""Differences that a cell names."""


@dataclass(slots=True, kw_only=True)
class Row:
    """One resolution in every way; a text instead of versions is why there are none."""

    resolver: Resolver
    wanted: str
    day: date
    """The last one of what is to be seen."""
    directly: Versions | str
    through: dict[str, Versions | str] = field(default_factory=dict)
    """By the way it was asked for."""
    today: Versions | str = ""

    @property
    def is_same(self) -> bool:
        if isinstance(self.directly, str) or not self.directly:
            return False
        return all(found == self.directly for found in self.through.values())


def try_as_of(namespace: Namespace, work: Path) -> list[Row]:
    """`work` is emptied first."""
    shutil.rmtree(work, ignore_errors=True)
    day = (datetime.now(UTC) - AGE).date()
    moment = _end_of(day)
    rows = [_row(resolver, wanted, day, work) for resolver in RESOLVERS for wanted in resolver.wanted]
    with Recorder() as recorder:
        address, port = namespace.outside, free_port(namespace.outside)
        with House(work / "data", address, port, recorder.url) as house:
            for row in rows:
                for mount in (f"/@{day}", f"/@{moment:%FT%TZ}"):
                    row.through[f"`{mount}/…`"] = _through(row, namespace, house.url + mount, work)
                row.today = _through(row, namespace, house.url, work)
                _tell(row)
        with House(work / "data", address, port, recorder.url, settings=_pinned(day)) as house:
            for row in rows:
                row.through[f'`as_of = "{day}"`'] = _through(row, namespace, house.url, work)
    return rows


def _pinned(day: date) -> str:
    """Settings that show every repository as of the day, whoever asks."""
    clients = [resolver.client for resolver in RESOLVERS]
    return "".join(
        f'[repositories.{client.repository}]\necosystem = "{client.ecosystem}"\ncooldown.as_of = "{day}"\n'
        for client in clients
    )


# --- resolving --------------------------------------------------------------------------------------------------------


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)


def _row(resolver: Resolver, wanted: str, day: date, work: Path) -> Row:
    print(f"{NAME} {resolver.client.name} {wanted}, directly …", file=sys.stderr, flush=True)
    with _project(resolver, wanted, work) as project:
        directly = _or_why(lambda: resolver.directly(wanted, _end_of(day), project))
    return Row(resolver=resolver, wanted=wanted, day=day, directly=directly)


def _through(row: Row, namespace: Namespace, url: str, work: Path) -> Versions | str:
    """From a namespace in which only we are, and with nothing that the client kept from before."""
    resolver = row.resolver

    def run() -> Versions:
        command = resolver.arguments(row.wanted)
        done = namespace.run(command, cwd=project, environment=environment, timeout=COMMAND_SECONDS)
        return read(resolver, project, done)

    with _project(resolver, row.wanted, work) as project:
        environment = {
            "PATH": os.pathsep.join((*SEARCHED, os.environ["PATH"])),
            "HOME": str(project / "home"),
            "LANG": "C.UTF-8",
            **resolver.client.environment(url, namespace.outside),
        }
        return _or_why(run)


def _or_why(resolve: Callable[[], Versions]) -> Versions | str:
    try:
        return resolve()
    except (UnresolvedError, subprocess.TimeoutExpired) as error:
        return str(error)


@contextmanager
def _project(resolver: Resolver, wanted: str, work: Path) -> Iterator[Path]:
    """A new one with a new home. It has a name of its own, as go's helpers may write for a while after go has ended."""
    work.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=work, ignore_cleanup_errors=True) as name:
        project = Path(name)
        (project / "home").mkdir()
        resolver.prepare(wanted, project)
        yield project


# --- telling ----------------------------------------------------------------------------------------------------------


def markdown(rows: list[Row]) -> str:
    ways = list(rows[0].through)
    columns = ["client", "asked for", "directly", *ways, "without a date", "bar", "verdict"]
    lines = [
        f"### As of {rows[0].day}: real registries, resolved directly and through us",
        "",
        f"| {' | '.join(columns)} |",
        "|" + "---|" * len(columns),
        *(f"| {' | '.join(cell.replace('|', '/') for cell in _cells(row))} |" for row in rows),
    ]
    return "\n".join([*lines, ""])


def _cells(row: Row) -> Iterator[str]:
    yield from (row.resolver.client.name, row.wanted)
    if isinstance(row.directly, str):
        yield f"could not be shown: {row.directly}"
    else:
        yield f"{len(row.directly)} versions: {row.resolver.at_top(row.wanted, row.directly)}"
    yield from (_compared(row.directly, found, SHOWN) for found in row.through.values())
    yield _compared(row.directly, row.today, 0)
    yield from ("same in all views", "met" if row.is_same else "**missed**")


def _compared(expected: Versions | str, found: Versions | str, shown: int) -> str:
    """How many differ, the first of them with what was found."""
    if isinstance(found, str):
        return f"fails: {found}"
    if isinstance(expected, str):
        return f"{len(found)} versions"
    names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if not names:
        return "same"
    named = ", ".join(f"{name} {found.get(name, 'missing')}" for name in islice(names, shown))
    return f"{len(names)} differ" + (f": {named}" if named else "")


def _tell(row: Row) -> None:
    print(f"  {' | '.join(_cells(row))}", file=sys.stderr, flush=True)
