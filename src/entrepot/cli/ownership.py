"""The data directory belongs to one server, or for a moment to one command, at a time (architecture §9)."""

import fcntl
import os
import time
from pathlib import Path

from entrepot.errors import ConfigError

COMMAND_SECONDS = 5.0
"""How long a command may hold a data directory that a server or another command waits for."""
POLL_SECONDS = 0.02


def own(data: Path, *, server: bool) -> int:
    """Take the data directory; the lock lasts as long as the descriptor is open in any process. Raises ConfigError
    when a server has it, or a command does not let go of it."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(data / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"{data}: the data directory cannot be used: {error.strerror}") from error
    deadline = time.monotonic() + COMMAND_SECONDS
    while not _try_lock(descriptor):
        holder = os.pread(descriptor, 32, 0).decode().strip()
        if holder or time.monotonic() > deadline:
            os.close(descriptor)
            raise ConfigError(_refusal(data, holder))
        time.sleep(POLL_SECONDS)
    # A command leaves no name: whoever finds none knows that it will not take long.
    os.ftruncate(descriptor, 0)
    if server:
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def holder_of(data: Path) -> str:
    """The process id of the server that has the data directory; empty when none has it."""
    try:
        descriptor = os.open(data / "server.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return "" if _try_lock(descriptor) else os.pread(descriptor, 32, 0).decode().strip()
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refusal(data: Path, holder: str) -> str:
    if holder:
        return (
            f"{data}: another server (process {holder}) uses this data directory; "
            "stop it, or use another directory with --data"
        )
    return f"{data}: another command has been using this data directory for {COMMAND_SECONDS:.0f} s; try again later"
