"""A server without a port within this process, for long work that no other server could do."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import uvloop

from entrepot.assembly import Blueprint, Workshop
from entrepot.cli.control import Control
from entrepot.cli.drafting import blueprint_of
from entrepot.cli.partial import NothingDone
from entrepot.config.load import Loaded

POLL_SECONDS = 0.01
START_SECONDS = 30.0


@contextmanager
def working(loaded: Loaded) -> Iterator[Control]:
    """It works in a thread of its own, and answers on the control socket and nowhere else. Raises whatever keeps a
    server from starting."""
    blueprint = blueprint_of(loaded)
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
