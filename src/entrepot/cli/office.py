"""Who does long work: the server that has the data directory, else one without a port within this process."""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from entrepot.assembly import Blueprint, Workshop
from entrepot.cli.context import load_settings
from entrepot.cli.control import Control
from entrepot.cli.operating import blueprint_of
from entrepot.cli.ownership import own
from entrepot.cli.partial import NothingDone
from entrepot.config.load import data_directory

POLL_SECONDS = 0.01
START_SECONDS = 30.0
OURS: Mapping[str, object] = {"server.workers": 1, "server.access_log": "off", "server.shutdown_timeout": "1s"}
"""One process, that nobody sends requests to. Downloads that an interrupted job leaves behind are not waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    data: Path
    control: Control
    ours: bool
    """Whether what is begun here ends with this process."""


@contextmanager
def open_office(config: Path | None, data: Path | None) -> Iterator[Office]:
    """Raises ConfigError, and whatever keeps a server from starting."""
    loaded = load_settings(config, {**OURS, **({"storage.directory": str(data)} if data else {})})
    directory = data_directory(loaded.settings, os.environ)
    control = Control.connect(directory)
    if control is not None:
        with control:
            yield Office(data=directory, control=control, ours=False)
        return
    descriptor = own(directory, server=True)
    try:
        with _working(blueprint_of(loaded)) as control:
            yield Office(data=directory, control=control, ours=True)
    finally:
        os.close(descriptor)


@contextmanager
def _working(blueprint: Blueprint) -> Iterator[Control]:
    """A server in a thread of its own: it answers on the control socket and nowhere else."""
    end: Future[None] = Future()
    with ThreadPoolExecutor(1, "office") as pool:
        running = pool.submit(uvloop.run, _work(blueprint, end))
        try:
            with _connect(blueprint.data, running) as control:
                yield control
        finally:
            end.set_result(None)
            running.result()


async def _work(blueprint: Blueprint, end: "Future[None]") -> None:
    workshop = Workshop(blueprint)
    workshop.make_app()
    # `entrepot run` needs a port, so it waits for a server that has one.
    workshop.sessions.refuse()
    await workshop.start()
    try:
        await asyncio.wrap_future(end)
    finally:
        await workshop.stop()


def _connect(data: Path, running: "Future[None]") -> Control:
    """Raises NothingDone, and whatever kept the server from starting."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if running.done():
            running.result()
        control = Control.connect(data)
        if control is not None:
            return control
        time.sleep(POLL_SECONDS)
    raise NothingDone(f"{data}: nothing answers on its control socket after {START_SECONDS:.0f} s; try again later")
