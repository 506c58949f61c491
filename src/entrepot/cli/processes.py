"""The processes of a server: one parent that watches, and the workers that serve."""

import ctypes
import gc
import logging
import multiprocessing
import os
import resource
import signal
import sys
from pathlib import Path

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.server.mp import MPServer

from entrepot.assembly import Blueprint, Workshop
from entrepot.catalog.opening import prepare
from entrepot.config.names import split_listener
from entrepot.errors import StoreFailure
from entrepot.web.app import App

READ_BUFFER_BYTES = 65536
"""For each connection: a herd of them must stay small."""
BACKPRESSURE = 4096
MOST_FILES = 65536
HAND_OVER_SECONDS = 0.0005
"""After which a thread that computes lets the event loop go on; Python's own 5 ms would be seen in each hit's time."""
PARENT_DIED = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def serve_in_processes(blueprint: Blueprint) -> None:
    """Returns when the server was told to stop, and has."""
    server = blueprint.settings.server
    host, port = split_listener(server.listen)
    _raise_file_limit()
    multiprocessing.set_start_method("fork", force=True)
    # In a process of its own: what a migration loads would stay in the memory of whoever made it.
    preparing = multiprocessing.Process(target=_prepare_catalog, args=(blueprint,))
    preparing.start()
    preparing.join()
    granian = MPServer(
        "entrepot",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=server.workers,
        loop=Loops.uvloop,
        http=HTTPModes(server.http),
        websockets=False,
        backlog=4096,
        backpressure=BACKPRESSURE,
        http1_settings=HTTP1Settings(max_buffer_size=READ_BUFFER_BYTES),
        ssl_cert=Path(server.tls_certificate) if server.tls_certificate else None,
        ssl_key=Path(server.tls_key) if server.tls_key else None,
        log_enabled=False,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=int(server.shutdown_timeout) + 5,
    )
    parent = os.getpid()

    def make(*_: object) -> App:
        # What the parent does about the signal is inherited, and does nothing here; until the worker has its own way to
        # end, it ends at once.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _die_with(parent)
        sys.setswitchinterval(HAND_OVER_SECONDS)
        return Workshop(blueprint).make_app()

    # What is there now is shared with the workers as long as nobody writes to it; the collector would.
    gc.collect()
    gc.freeze()
    granian.serve(target_loader=make, wrap_loader=False)


def _prepare_catalog(blueprint: Blueprint) -> None:
    """Recover and migrate. What fails here fails again, and is told, when a worker opens the catalog."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    log = logging.getLogger("entrepot")
    path = blueprint.data / "catalog.db"
    is_new = not path.exists()
    try:
        recovered = prepare(path, blueprint.clock.now())
    except StoreFailure:
        return
    if recovered:
        log.error("%s", recovered)
    elif is_new and any(blueprint.data.glob("blobs/*/*")):
        log.error("%s was missing, beside a store that is not empty: its files are used again on demand", path.name)


def _raise_file_limit() -> None:
    """Every client takes a file, and so does every stored one that is being sent."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _die_with(parent: int) -> None:
    """A worker without its parent would hold port and data directory for ever."""
    ctypes.CDLL(None, use_errno=True).prctl(PARENT_DIED, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
