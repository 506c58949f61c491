"""Who does long work: the server that has the data directory, else one without a port within this process."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from entrepot.cli.context import load_settings
from entrepot.cli.control import Control
from entrepot.cli.ownership import own
from entrepot.config.load import data_directory

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
    # All the parts of a server take longer to load than a server takes to answer: only where they are needed.
    from entrepot.cli.alone import working

    descriptor = own(directory, server=True)
    try:
        with working(loaded) as control:
            yield Office(data=directory, control=control, ours=True)
    finally:
        os.close(descriptor)
