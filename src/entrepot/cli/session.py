"""A run's session with a server: the one of this data directory, or one of our own for the time being."""

import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import msgspec

from entrepot.cli.context import load_settings
from entrepot.cli.control import Control, Refusal
from entrepot.cli.counts import Counts, read_session
from entrepot.cli.handing import CannotRead
from entrepot.cli.ownership import holder_of
from entrepot.cli.recording import Bill, read_bill
from entrepot.config.load import data_directory
from entrepot.contracts.ecosystem import Client, Lockfile
from entrepot.ecosystems import find_ecosystems
from entrepot.errors import EntrepotError

NAME_BYTES = 16
START_SECONDS = 30.0
"""For a server to start, or for the one before it to end."""
POLL_SECONDS = 0.01
SERVE = (sys.executable, "-P", "-c", "from entrepot.cli.main import main; main()", "serve", "--private")
MOST_STARTS = 2
"""Another run's server may have come in between once."""
LOG = "private.log"
LARGEST_LOG = 1 << 20


class NoServer(EntrepotError):
    code = "no-server"


class _About(msgspec.Struct, kw_only=True):
    url: str
    repositories: dict[str, str]
    """Name to ecosystem."""
    stands_for: dict[str, list[str]] = {}
    """The hosts by which what a repository serves is called."""


class _Frozen(msgspec.Struct, kw_only=True):
    id: str
    missing: list[str]


class Session:
    """Open while its context is; a server that was started for it ends with the last session."""

    def __init__(self, config: Path | None, data: Path | None, *, what: str = "", replay: str = "") -> None:
        """`what`: the command, for people; `replay`: the session, or the bill of one, that is to be served again.
        Raises ConfigError."""
        self._what, self._replay = what, replay
        loaded = load_settings(config, {"storage.directory": str(data)} if data else {})
        self._server = PrivateServer(config, data_directory(loaded.settings, os.environ))
        self._name = secrets.token_hex(NAME_BYTES)
        self._leaving = ExitStack()

    def __enter__(self) -> Self:
        """Raises NoServer, Refusal."""
        self._control, about = self._open()
        self._leaving.enter_context(self._control)
        self._about = msgspec.convert(about, _About)
        _wait_for_port(self._about.url)
        known = find_ecosystems()
        self._ecosystems = {name: known[kind] for name, kind in self._about.repositories.items() if kind in known}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leaving.close()

    @property
    def clients(self) -> dict[str, tuple[Client, ...]]:
        """By repository."""
        return {name: ecosystem.clients for name, ecosystem in self._ecosystems.items()}

    @property
    def lockfiles(self) -> list[Lockfile]:
        return [one for ecosystem in self._ecosystems.values() for one in ecosystem.lockfiles]

    @property
    def name(self) -> str:
        return self._name

    @property
    def mark(self) -> str:
        """What no file can hold that was not written in this session."""
        return f"~{self._name}"

    def url_of(self, repository: str) -> str:
        """Without trailing slash."""
        return f"{self._about.url}/{self.mark}/{repository}"

    def hosts_of(self, repository: str) -> list[str]:
        """By which what the repository serves is called."""
        return self._about.stands_for.get(repository, [])

    def counts(self) -> dict[str, Counts] | None:
        """What was served so far, by repository; None when the server is gone."""
        try:
            return read_session(self._control.call("session", name=self._name))
        except Refusal:
            return None

    def bill(self) -> Bill:
        """What was served so far. Raises Refusal."""
        return read_bill(self._control.call("session-sbom", name=self._name))

    def freeze(self) -> list[str]:
        """Have what was served kept; what is not stored any more. Raises Refusal."""
        return msgspec.convert(self._control.call("freeze-session", name=self._name), _Frozen).missing

    def _replayed(self, control: Control) -> str:
        """The frozen session that is served again. Raises Refusal, CannotRead."""
        file = Path(self._replay)
        if not self._replay or not (file.suffix or file.exists()):
            return self._replay
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CannotRead(f"{file}: no session, and it cannot be read as a bill of one: {error}") from error
        return msgspec.convert(control.call("replay-bill", name=str(file), sbom=text), _Frozen).id

    def _open(self) -> tuple[Control, object]:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            control = Control.connect(self._server.data)
            if control is None:
                self._server.ensure()
            else:
                try:
                    replays = self._replayed(control)
                    return control, control.call("open-session", name=self._name, what=self._what, replays=replays)
                except Refusal as refusal:
                    control.close()
                    if refusal.said != "server-ending":
                        raise
            time.sleep(POLL_SECONDS)
        raise NoServer(
            f"{self._server.data}: process {holder_of(self._server.data) or 'unknown'} has this data directory and "
            f"does not answer; look into its log, end it, or use another directory with --data"
        )


class PrivateServer:
    """A server that nobody but runs uses; started where the data directory has none."""

    def __init__(self, config: Path | None, data: Path) -> None:
        self.data = data
        self._command = [*SERVE, "--data", str(data), *(["--config", str(config)] if config else [])]
        self._process: subprocess.Popen[bytes] | None = None
        self._started = self._log_offset = 0

    def ensure(self) -> None:
        """Start one, unless one is starting, or another has the data directory. Raises NoServer."""
        if self._process is not None and self._process.poll() is None:
            return
        if holder_of(self.data):
            return
        if self._started == MOST_STARTS:
            raise NoServer(f"the private server does not start:\n{self._complaint()}")
        self._started += 1
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        """Away from our terminal and its signals: it may outlive us, for the sake of another run."""
        try:
            self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self.data / LOG).open("ab") as log:
                if log.tell() > LARGEST_LOG:
                    log.truncate(0)
                self._log_offset = log.tell()
                return subprocess.Popen(
                    self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
        except OSError as error:
            raise NoServer(f"{self.data}: no server can be started here: {error.strerror}") from error

    def _complaint(self) -> str:
        """What it said before it ended."""
        with (self.data / LOG).open("rb") as log:
            log.seek(self._log_offset)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(line.removeprefix("entrepot: error: ") for line in lines[-10:]) or "it said nothing"


def _wait_for_port(url: str) -> None:
    """The control socket is there a moment before the port is. Raises NoServer."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection((parts.hostname or "", port), timeout=START_SECONDS).close()
        except OSError:
            time.sleep(POLL_SECONDS)
        else:
            return
    raise NoServer(f"nothing answers at {url}, though the server says that it is there")
