"""The helper process, seen from the one that serves: it reads and renders big documents, so that hits need not wait."""

import asyncio
import logging
import os
import pickle
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from typing import TypeVar, cast

from entrepot.cache.jobs import Failure, Job, Overwhelmed, Unable

COMMAND = (sys.executable, "-P", "-m", "entrepot.cache.scribe_main")
NICENESS = 10
"""Whoever answers hits goes first; on a core that is never idle, the helper still gets a twentieth of it."""
IDLE_SECONDS = 60.0
PATIENCE_SECONDS = 300.0
"""A helper that says nothing for so long is stuck."""
ATTEMPTS = 2

_T = TypeVar("_T")
_log = logging.getLogger("entrepot")


class Scribe:
    """One helper process at a time: started for the first job, ended when there was none for a while."""

    def __init__(
        self,
        command: Sequence[str] = COMMAND,
        idle_seconds: float = IDLE_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._command, self._idle, self._patience = tuple(command), idle_seconds, patience_seconds
        self._helper: _Helper | None = None
        self._starting = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """Of the helper, if there is one that takes jobs."""
        return self._helper.pid if self._helper is not None and not self._helper.leaving else None

    async def run(self, job: Job[_T]) -> _T:
        """What the job returns; raises its EntrepotErrors, and Unable where it has to be done here."""
        order = pickle.dumps(job)
        for _ in range(ATTEMPTS):
            helper = await self._current()
            answer = await helper.ask(order, self._patience)
            if answer is not None:
                return cast(_T, _result_of(answer))
            _log.warning("the helper that reads big documents ended in the middle of its work")
        raise Overwhelmed("two helpers in a row ended")

    async def _current(self) -> "_Helper":
        async with self._starting:
            if self._helper is None or self._helper.leaving:
                try:
                    process, ours = await asyncio.to_thread(_start, self._command)
                except OSError as error:
                    _log.warning("no helper can be started: %s", error)
                    raise Unable(str(error)) from error
                reader, writer = await asyncio.open_connection(sock=ours)
                self._helper = _Helper(process, reader, writer, self._idle)
            return self._helper

    async def close(self) -> None:
        """Whatever it does is given up."""
        if self._helper is not None:
            await self._helper.end()


def _start(command: Sequence[str]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """The process, and our end of what it has as standard input. Raises OSError."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(command, stdin=theirs.fileno())
            # From here and not by itself: its start alone would keep hits waiting.
            os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)
        except OSError:
            ours.close()
            raise
    return process, ours


def _result_of(answer: bytes) -> object:
    result = pickle.loads(answer)
    if isinstance(result, Failure):
        raise result.error()
    if isinstance(result, Unable):
        raise result
    return cast(object, result)


class _Helper:
    """One process. It answers in the order in which it is asked."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        idle_seconds: float,
    ) -> None:
        self._process, self._reader, self._writer, self._idle = process, reader, writer, idle_seconds
        self._waiting: deque[asyncio.Future[bytes | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._listening = asyncio.create_task(self._listen(), name="helper")
        self.pid, self.leaving = process.pid, False

    async def ask(self, order: bytes, patience_seconds: float) -> bytes | None:
        """None: it ended before it answered."""
        if self._timer is not None:
            self._timer.cancel()
        answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        # Orders are small, and there is one for each document that is waited for: no need to wait for the pipe.
        self._writer.write(len(order).to_bytes(4) + order)
        try:
            async with asyncio.timeout(patience_seconds):
                return await answer
        except TimeoutError:
            await self.end()
            return None

    async def _listen(self) -> None:
        try:
            while True:
                size = int.from_bytes(await self._reader.readexactly(4))
                self._give(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._bury()

    def _give(self, answer: bytes) -> None:
        waiting = self._waiting.popleft()
        # Who asked may have left.
        if not waiting.done():
            waiting.set_result(answer)
        if not self._waiting:
            self._timer = asyncio.get_running_loop().call_later(self._idle, self._dismiss)

    def _dismiss(self) -> None:
        self.leaving = True
        self._writer.write_eof()

    async def _bury(self) -> None:
        self._leave()
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._process.kill()
        await asyncio.to_thread(self._process.wait)
        self._writer.close()

    async def end(self) -> None:
        self._leave()
        self._process.kill()
        await self._listening

    def _leave(self) -> None:
        self.leaving = True
        if self._timer is not None:
            self._timer.cancel()
