"""Mirror, pull the plug, install: real lock files and bills of at least a hundred packages, five real clients.

Each project is locked in the open. An empty store mirrors it (a second time as well), then a server on that store runs
in a namespace without a way out, with `network = "offline"`, and the client installs there with nothing kept from
before.
"""

import json
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.live.clients import SEARCHED
from tests.live.house import House
from tests.live.locked import BILL, COMMAND_SECONDS, PROJECTS, FailedError, GoProject, Project, last_words
from tests.live.namespace import Namespace, free_port
from tests.live.published import REGISTRIES
from tests.live.recorder import Recorder

NAME = "mirror"
LEAST = 100
LATE = 504


@dataclass(slots=True, kw_only=True)
class Order:
    """One run of `entrepot mirror`, or of an import."""

    seconds: float
    counts: dict[str, int] = field(default_factory=dict)
    artifact_bytes: int = 0
    """Of artifacts that came from upstream."""


@dataclass(slots=True, kw_only=True)
class Row:
    client: str
    way: str
    packages: int
    first: Order | None = None
    second: Order | None = None
    installed: float = 0.0
    """Seconds."""
    missed: list[str] = field(default_factory=list)
    """What was asked for and neither held nor known to be absent."""
    way_out: int = 0
    """Packets that wanted out of the namespace, and names that were looked up."""
    failure: str = ""

    @property
    def is_met(self) -> bool:
        again = self.second.artifact_bytes if self.second else 0
        return not self.failure and not again and not self.way_out and self.packages >= LEAST


def try_mirror(namespace: Namespace, work: Path, clients: list[str]) -> list[Row]:
    """`work` is emptied first."""
    shutil.rmtree(work, ignore_errors=True)
    rows = []
    with Recorder() as recorder:
        for project in PROJECTS:
            if not clients or project.client.name in clients:
                rows += _Trial(project, namespace, recorder, work / project.client.name).rows()
    return rows


class _Trial:
    """All ways of one client."""

    def __init__(self, project: Project, namespace: Namespace, recorder: Recorder, work: Path) -> None:
        self._project, self._namespace, self._recorder, self._work = project, namespace, recorder, work
        self._place, self._packages = work / "locked", 0
        self._generator = "a bill"

    def rows(self) -> list[Row]:
        project = self._project
        self._place.mkdir(parents=True)
        try:
            project.lock(self._place)
            self._packages = project.count(self._place)
        except FailedError as error:
            return [self._told(self._row("locking", failure=str(error)))]
        rows = [self._by_lock(), self._by_bundle(), self._by_bill()]
        if isinstance(project, GoProject):
            rows += [self._by_getting(project), self._by_getting_alone(project)]
        return rows

    def _row(self, way: str, failure: str = "") -> Row:
        return Row(client=self._project.client.name, way=way, packages=self._packages, failure=failure)

    def _told(self, row: Row) -> Row:
        print(f"  {' | '.join(_cells(row))}", file=sys.stderr, flush=True)
        return row

    # --- ways -------------------------------------------------------------------------------------------------------

    def _by_lock(self) -> Row:
        """A server that runs does the work."""
        row, data = self._row("lock file"), self._work / "data"
        words = [f"--lockfile={self._place / name}" for name in self._project.locks]
        with self._trying(row), self._house(data) as house:
            row.first = self._mirror(house, *words)
            row.second = self._mirror(house, *words)
        self._install(row, data, self._project.install)
        return self._told(row)

    def _by_bundle(self) -> Row:
        """What the store of the first way holds, carried to another one."""
        row, data, bundle = self._row("export → import"), self._work / "carried", self._work / "bundle.tar.zst"
        words = [f"--lockfile={self._place / name}" for name in self._project.locks]
        key = self._work / "bundle.key"
        with self._trying(row):
            began = time.monotonic()
            self._run(self._house(self._work / "data"), "bundles", "keygen", str(key), bare=True)
            self._run(self._house(self._work / "data"), "export", str(bundle), f"--key={key}", *words, *self._words)
            self._run(self._house(data), "import", str(bundle), f"--trust={key}.pub")
            row.first = Order(seconds=time.monotonic() - began)
        self._install(row, data, self._project.install)
        return self._told(row)

    def _by_bill(self) -> Row:
        """The command does the work by itself."""
        row, data = self._row("bill"), self._work / "billed"
        with self._trying(row):
            row.way = f"bill of {self._project.bill(self._place)}"
            house, words = self._house(data), (f"--sbom={self._place / BILL}", *self._project.bill_words)
            row.first = self._mirror(house, *words)
            row.second = self._mirror(house, *words)
        self._install(row, data, self._project.install_billed)
        return self._told(row)

    def _by_getting(self, project: GoProject) -> Row:
        row = self._row("lock file, `go get` of package paths")
        self._install(row, self._work / "data", project.get)
        return self._told(row)

    def _by_getting_alone(self, project: GoProject) -> Row:
        row, data = self._row("a package URL, `go get` of a package path"), self._work / "alone"
        module = project.ALONE[0]
        purl = f"pkg:golang/{module}@{project.version_of(module, self._place)}"
        with self._trying(row):
            row.first = self._mirror(self._house(data), purl, "--dependencies", "runtime")
        self._install(row, data, project.get_alone)
        return self._told(row)

    @contextmanager
    def _trying(self, row: Row) -> Iterator[None]:
        try:
            yield
        except FailedError as error:
            row.failure = str(error)

    # --- with the network -------------------------------------------------------------------------------------------

    @property
    def _words(self) -> tuple[str, ...]:
        return self._project.words

    def _house(self, data: Path) -> House:
        outside = self._namespace.outside
        return House(data, outside, free_port(outside), self._recorder.url)

    def _mirror(self, house: House, *words: str) -> Order:
        began = time.monotonic()
        told = json.loads(self._run(house, "mirror", "--json", *self._words, *words))
        seconds = time.monotonic() - began
        counts = {name: value for name, value in told.items() if isinstance(value, int)} | told.get("counts", {})
        fetched = _fetched_artifacts(house.data, told["id"], self._project.client.repository)
        return Order(seconds=seconds, counts=counts, artifact_bytes=fetched)

    def _run(self, house: House, *words: str, bare: bool = False) -> str:
        """Raises FailedError."""
        done = house.run(*words, bare=bare, timeout=COMMAND_SECONDS)
        if done.returncode:
            said = last_words(f"{done.stdout} {done.stderr}")
            raise FailedError(f"entrepot {words[0]} ended with {done.returncode}: {said}")
        return done.stdout

    # --- without it -------------------------------------------------------------------------------------------------

    def _install(self, row: Row, data: Path, commands: Callable[[Path], list[list[str]]]) -> None:
        if row.failure:
            return
        client, inside = self._project.client, self._namespace
        settings = f'[repositories.{client.repository}]\necosystem = "{client.ecosystem}"\nnetwork = "offline"\n'
        port = free_port(inside.outside)
        house = House(data, inside.inside, port, self._recorder.url, settings=settings, prefix=inside.entered(()))
        lookups, unroutable = len(inside.lookups()), inside.unroutable()
        with house:
            began = time.monotonic()
            row.failure = self._installed(house.url, commands)
            row.installed = time.monotonic() - began
            row.missed = [f"{visit.status} {visit.path}" for visit in house.visits() if visit.status >= 500]
        row.way_out = len(inside.lookups()) - lookups + inside.unroutable() - unroutable

    def _installed(self, url: str, commands: Callable[[Path], list[list[str]]]) -> str:
        """What the first failing command said last."""
        project, home = self._work / "project", self._work / "home"
        for directory in (project, home):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
        for name in self._project.carried:
            shutil.copy(self._place / name, project / name)
        environment = {
            "PATH": os.pathsep.join((*SEARCHED, os.environ["PATH"])),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            **self._project.client.environment(url, self._namespace.inside),
        }
        for command in commands(self._place):
            done = self._namespace.run(command, cwd=project, environment=environment, timeout=COMMAND_SECONDS)
            if done.returncode:
                return f"{' '.join(command)} ended with {done.returncode}: {last_words(done.stdout)}"
        return ""


def _fetched_artifacts(data: Path, job: str, repository: str) -> int:
    """Bytes of artifacts that a job fetched, as the catalog has it."""
    is_artifact = REGISTRIES[repository].is_artifact
    with closing(sqlite3.connect(f"file:{data / 'catalog.db'}?mode=ro", uri=True)) as connection:
        wanted = "SELECT key, size_bytes FROM mirror_items WHERE job = ? AND kind = 'file' AND state = 'done'"
        return sum(size for key, size in connection.execute(wanted, (job,)) if is_artifact(key))


# --- telling ----------------------------------------------------------------------------------------------------------

COLUMNS = (
    *("client", "mirrored from", "packages", "first run", "second run: artifact bytes", "installed offline"),
    *("asked for and not held", "ways out tried", "bar", "verdict"),
)


def markdown(rows: list[Row]) -> str:
    lines = [
        "### Mirrored, cut off, installed: real registries, real clients, empty caches",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|" + "---|" * len(COLUMNS),
        *(f"| {' | '.join(cell.replace('|', '/') for cell in _cells(row))} |" for row in rows),
    ]
    return "\n".join([*lines, ""])


def _cells(row: Row) -> Iterator[str]:
    yield from (row.client, row.way, str(row.packages), _told(row.first))
    yield f"{row.second.artifact_bytes:,} ({row.second.seconds:.0f} s)" if row.second else "-"
    yield f"fails: {row.failure}" if row.failure else f"{row.installed:.0f} s"
    yield ", ".join(row.missed[:4]) + (f" and {len(row.missed) - 4} more" if len(row.missed) > 4 else "") or "none"
    yield str(row.way_out)
    yield from (f"≥ {LEAST} packages, 0 bytes, installs", "met" if row.is_met else "**missed**")


def _told(order: Order | None) -> str:
    if order is None:
        return "-"
    names = ("done", "held", "absent", "refused", "skipped", "failed")
    counts = ", ".join(f"{order.counts[name]:,} {name}" for name in names if order.counts.get(name))
    size = f", {order.counts['fetched_bytes'] / 1e6:,.0f} MB" if order.counts.get("fetched_bytes") else ""
    return f"{order.seconds:.0f} s" + (f": {counts}{size}" if counts else "")
