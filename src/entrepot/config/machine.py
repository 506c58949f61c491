"""The machine we run on, as far as its clients' configuration goes: variables, files, and what commands print."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

ASK_TIMEOUT: Final = 1.0
"""Seconds that a client's own command may take."""
MAX_FILE: Final = 1 << 20
"""Bytes that are read of a file; a larger one is no client's configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    environment: Mapping[str, str]
    directory: Path
    """The working directory."""

    def files(self, pattern: str) -> Iterator[tuple[Path, str]]:
        """The readable files that `FoundAt.path` means, and their texts."""
        for path in self._paths(pattern):
            try:
                with path.open("rb") as file:
                    yield path, file.read(MAX_FILE).decode("utf-8", errors="replace")
            except OSError:
                continue  # It is not there, or not for us: the client is not configured by it.

    def _paths(self, pattern: str) -> Iterator[Path]:
        given = {name: value for name, value in self.environment.items() if value}
        try:
            path = Template(pattern).substitute(given)
        except KeyError:
            return
        if path.startswith("~/"):
            yield Path(self.environment.get("HOME") or Path.home(), path[2:])
        elif path.startswith("/"):
            folder, name = Path(path).parent, Path(path).name
            yield from sorted(folder.glob(name)) if "*" in name else (folder / name,)
        else:
            yield from (directory / path for directory in (self.directory, *self.directory.parents))

    def ask(self, command: Sequence[str]) -> str:
        """What a client prints about itself; empty when it is not installed, fails or takes too long."""
        # A Go workspace or a project's own settings must not start a download.
        environment = {**self.environment, "GOTOOLCHAIN": "local"}
        try:
            done = subprocess.run(
                command,
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=ASK_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout if done.returncode == 0 else ""
