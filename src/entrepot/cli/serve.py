"""`entrepot serve`: one server for this machine, or for whoever it listens to."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer

from entrepot.assembly import check_policies
from entrepot.cli.allocators import restrain_allocators
from entrepot.cli.context import ConfigOption, DataOption, load_settings
from entrepot.cli.drafting import blueprint_of, listening_on
from entrepot.cli.lazy import new_app
from entrepot.cli.listener import reserve
from entrepot.cli.ownership import own
from entrepot.cli.welcome import welcome
from entrepot.errors import StoreFailure
from entrepot.storage.filesystem import FilesystemBlobs

PRIVATE = {"server.workers": 1, "server.access_log": "off"}
"""A private server is one user's own, whatever is configured for the others."""

app = new_app("Serve the configured repositories.")


@app.command()
def serve(
    config: ConfigOption = None,
    listen: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where to listen.")] = None,
    data: DataOption = None,
    workers: Annotated[int | None, typer.Option(metavar="N", min=1, help="Processes that serve.")] = None,
    private: Annotated[bool, typer.Option(hidden=True, help="Serve only sessions; used by `entrepot run`.")] = False,
) -> None:
    """Serve the configured repositories until told to stop."""
    flags: dict[str, object] = {
        "server.listen": listen,
        "storage.directory": str(data) if data else None,
        "server.workers": workers,
        **(PRIVATE if private else {}),
    }
    loaded = load_settings(config, {key: value for key, value in flags.items() if value is not None})
    _log_to_stderr()
    blueprint = blueprint_of(loaded, private=private)
    for warning in check_policies(blueprint):
        logging.getLogger("entrepot").warning("%s", warning)
    # Both are held until the last of our processes ends.
    lock = own(blueprint.data, server=True)
    port, listener = reserve("127.0.0.1:0" if private else loaded.settings.server.listen)
    blueprint = listening_on(blueprint, listener)
    _tidy(blueprint.data)
    if not private:
        print(welcome(blueprint), file=sys.stderr, flush=True)
    restrain_allocators()
    # Only now: granian's allocator reads its settings when it is loaded.
    from entrepot.cli.processes import serve_in_processes

    serve_in_processes(blueprint)
    port.close()
    os.close(lock)


def _tidy(data: Path) -> None:
    """What an ended server left behind: temporary files, claims, counts, sessions."""
    run = data / "run"
    for directory in (run / "flights", run / "counts", run / "sessions"):
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
    # It tells of every plug-in it finds.
    logging.getLogger("alembic").setLevel(logging.WARNING)
