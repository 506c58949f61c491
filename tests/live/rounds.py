"""One client's runs: cold, warm, an hour later with the world cut off, and two hours later with a silent world."""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.live.clients import SEARCHED, Client
from tests.live.house import House, Visit, forget_outage
from tests.live.namespace import Namespace, free_port
from tests.live.published import Comparison, compare
from tests.live.recorder import Recorder, Tally, World

COMMAND_SECONDS = 900.0
HOUR = 3600.0
ONLINE = ("cold", "again")
OFFLINE = ((HOUR, World.REFUSES, "an hour later, cut off"), (2 * HOUR, World.SILENT, "two hours later, silence"))


@dataclass(slots=True, kw_only=True)
class Run:
    """What one installation from nothing did."""

    name: str
    seconds: float
    failure: str
    """The last lines of what the client said; empty: all commands succeeded."""
    lock: dict[str, str]
    visits: list[Visit]
    outside: Tally
    upstream_bytes: int
    lookups: list[str]
    """Names that the client asked the name server of its namespace for."""
    unroutable: int

    @property
    def slowest(self) -> Visit | None:
        return max(self.visits, key=lambda visit: visit.milliseconds, default=None)

    @property
    def contacts(self) -> list[Visit]:
        """Requests on whose account an upstream was asked."""
        return [visit for visit in self.visits if visit.upstream_requests]


@dataclass(slots=True, kw_only=True)
class Trial:
    client: str
    runs: list[Run] = field(default_factory=list)
    bytes: Comparison = field(default_factory=Comparison)


def try_client(client: Client, namespace: Namespace, work: Path) -> Trial:
    """All runs on a store of their own. `work` is emptied first."""
    shutil.rmtree(work, ignore_errors=True)
    trial, settings = Trial(client=client.name), client.settings()
    with Recorder() as recorder:
        port = free_port(namespace.outside)
        with House(work / "data", namespace.outside, port, recorder.url, settings=settings) as house:
            for name in ONLINE:
                trial.runs.append(_run(client, name, namespace, house, recorder, work))
            trial.bytes = compare(client.repository, house)
        for offset, world, name in OFFLINE:
            recorder.look()
            recorder.world = world
            forget_outage(work / "data")
            with House(work / "data", namespace.outside, port, recorder.url, offset=offset, settings=settings) as house:
                trial.runs.append(_run(client, name, namespace, house, recorder, work))
    return trial


def _run(client: Client, name: str, namespace: Namespace, house: House, recorder: Recorder, work: Path) -> Run:
    project, home = work / "project", work / "home"
    for directory in (project, home):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    client.prepare(project)
    environment = {
        "PATH": os.pathsep.join((*SEARCHED, os.environ["PATH"])),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        **client.environment(house.url, namespace.outside),
    }
    before, lookups, unroutable = house.stats(), len(namespace.lookups()), namespace.unroutable()
    began = time.monotonic()
    failure = "\n".join(_failures(client, namespace, project, environment))
    seconds = time.monotonic() - began
    visits = house.visits()
    fetched = house.stats().get(client.repository, {}).get("upstream_bytes", 0)
    return Run(
        name=name,
        seconds=seconds,
        failure=failure,
        lock={} if failure else client.lock(project),
        visits=visits,
        outside=recorder.look(),
        upstream_bytes=fetched - before.get(client.repository, {}).get("upstream_bytes", 0),
        lookups=namespace.lookups()[lookups:],
        unroutable=namespace.unroutable() - unroutable,
    )


def _failures(client: Client, namespace: Namespace, project: Path, environment: dict[str, str]) -> Iterator[str]:
    """What the first failing command said last; nothing when all succeed."""
    for command in client.commands():
        done = namespace.run(command, cwd=project, environment=environment, timeout=COMMAND_SECONDS)
        if done.returncode:
            yield f"{' '.join(command)} ended with {done.returncode}:\n" + "\n".join(done.stdout.splitlines()[-25:])
            return
