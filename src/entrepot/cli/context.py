"""What every command needs first: the ecosystems, the settings, the machine."""

import os
from collections.abc import Mapping
from pathlib import Path

from entrepot.cli.options import ConfigOption as ConfigOption
from entrepot.cli.options import DataOption as DataOption
from entrepot.config.discovery import Resolved, resolve
from entrepot.config.load import Loaded, find_file, load
from entrepot.config.machine import Machine
from entrepot.ecosystems import find_ecosystems


def this_machine() -> Machine:
    return Machine(environment=os.environ, directory=Path.cwd())


def load_settings(file: Path | None, overrides: Mapping[str, object] | None = None) -> Loaded:
    """Settings from a file (None: where it usually is), the environment and flags. Raises ConfigError."""
    return load(file or find_file(os.environ), os.environ, overrides or {}, find_ecosystems())


def resolve_upstreams(loaded: Loaded) -> Resolved:
    """Where packages come from, on this machine. Raises ConfigError."""
    return resolve(loaded, find_ecosystems(), this_machine())
