"""The access log: one JSON line a request, client and upstream side joined, written in batches off the hot path."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from entrepot.errors import ConfigError

FLUSH_SECONDS = 0.25
MOST_WAITING = 200_000
"""Lines beyond this are dropped, and counted, while the log's reader stands still."""


class AccessLog:
    def __init__(self, target: str, wall_clock: Callable[[], float]) -> None:
        """`target`: "stdout", "off", or a file's path. Raises ConfigError when the file cannot be opened."""
        self.enabled = target != "off"
        self.dropped = 0
        self._clock = wall_clock
        self._lines: list[str] = []
        self._next: asyncio.TimerHandle | None = None
        self._second, self._stamp = 0, ""
        self._writer = ThreadPoolExecutor(1, "access-log") if self.enabled else None
        self._descriptor = _open(target) if self.enabled else -1
        self._writing = False

    def stamp(self) -> str:
        """The time, to the second, made once a second."""
        now = int(self._clock())
        if now != self._second:
            self._second = now
            self._stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._stamp

    def add(self, line: str) -> None:
        """A line without its end. The log must be enabled."""
        self._lines.append(line)
        if self._next is None:
            self._next = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)
        elif len(self._lines) > MOST_WAITING:
            self.dropped += len(self._lines) - MOST_WAITING // 2
            del self._lines[: -MOST_WAITING // 2]

    def _flush(self) -> None:
        self._next = None
        if self._writing or self._writer is None:
            # The writer is still at the last batch: these lines go with the next.
            self._next = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)
            return
        self._writing = True
        lines, self._lines = self._lines, []
        future = asyncio.get_running_loop().run_in_executor(self._writer, _write, self._descriptor, lines)
        future.add_done_callback(self._written)

    def _written(self, future: "asyncio.Future[None]") -> None:
        self._writing = False
        if not future.cancelled() and future.exception() is not None:
            # A full disk or a closed pipe must not stop the serving; the metrics show it.
            self.dropped += 1

    def close(self) -> None:
        """Write what is left."""
        if self._next is not None:
            self._next.cancel()
        if self._writer is not None:
            self._writer.submit(_write, self._descriptor, self._lines)
            self._writer.shutdown(wait=True)
            self._lines = []


def _open(target: str) -> int:
    if target == "stdout":
        return sys.stdout.fileno()
    try:
        return os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise ConfigError(f"server.access_log: {target} cannot be opened: {error.strerror}") from error


def _write(descriptor: int, lines: list[str]) -> None:
    data = ("\n".join(lines) + "\n").encode() if lines else b""
    while data:
        data = data[os.write(descriptor, data) :]


def quoted(text: str) -> str:
    """As a JSON string."""
    return json.dumps(text)
