"""`entrepot serve`: one server for this machine, or for whoever it listens to."""

import fcntl
import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer

from entrepot.assembly import Blueprint, new_instance
from entrepot.cli.allocators import restrain_allocators
from entrepot.cli.context import ConfigOption, load_settings, resolve_upstreams
from entrepot.cli.lazy import new_app
from entrepot.cli.welcome import welcome
from entrepot.config.load import data_directory
from entrepot.ecosystems import find_ecosystems
from entrepot.errors import ConfigError, StoreFailure
from entrepot.storage.filesystem import FilesystemBlobs

app = new_app("Serve the configured repositories.")


@app.command()
def serve(
    config: ConfigOption = None,
    listen: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where to listen.")] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Data directory.")] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", min=1, help="Processes that serve.")] = None,
    private: Annotated[bool, typer.Option(hidden=True, help="Serve only sessions; used by `entrepot run`.")] = False,
) -> None:
    """Serve the configured repositories until told to stop."""
    flags: dict[str, object] = {
        "server.listen": listen,
        "storage.directory": str(data) if data else None,
        "server.workers": workers,
    }
    loaded = load_settings(config, {key: value for key, value in flags.items() if value is not None})
    _log_to_stderr()
    blueprint = Blueprint(
        settings=loaded.settings,
        resolved=resolve_upstreams(loaded),
        ecosystems=find_ecosystems(),
        environment=dict(os.environ),
        data=data_directory(loaded.settings, os.environ),
        instance=new_instance(),
        private=private,
    )
    _own(blueprint.data)
    _tidy(blueprint.data)
    if not private:
        print(welcome(blueprint), file=sys.stderr, flush=True)
    restrain_allocators()
    # Only now: granian's allocator reads its settings when it is loaded.
    from entrepot.cli.processes import serve_in_processes

    serve_in_processes(blueprint)


def _own(data: Path) -> None:
    """Take the data directory; the lock lasts as long as any of our processes. Raises ConfigError."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(f"{data}: the data directory cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode().strip()
        raise ConfigError(
            f"{data}: another server{f' (process {holder})' if holder else ''} uses this data directory; "
            "stop it, or give this one its own with --data"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def _tidy(data: Path) -> None:
    """What an ended server left behind: temporary files, claims, counts."""
    run = data / "run"
    for directory in (run / "flights", run / "counts"):
        for path in directory.glob("*"):
            path.unlink(missing_ok=True)
    try:
        FilesystemBlobs(data).tidy()
    except StoreFailure as failure:
        logging.getLogger("entrepot").warning("leftovers stay where they are: %s", failure)


def _log_to_stderr() -> None:
    """Our own log: one JSON line an event, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ]
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
