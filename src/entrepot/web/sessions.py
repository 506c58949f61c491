"""Who uses this server by a session's name, and when the last of them has left (architecture §9)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from entrepot.errors import BadRequest, ServerEnding


class Sessions:
    def __init__(self, *, private: bool) -> None:
        """`private`: only sessions that were opened are known, and no traffic without one."""
        self._private, self._names, self._ending = private, set[str](), False
        self._opened, self._empty = asyncio.Event(), asyncio.Event()

    def knows(self, name: str) -> bool:
        """Whether a request booked to this session (empty: to none) is answered."""
        return not self._private or name in self._names

    @contextmanager
    def open(self, name: str) -> Iterator[None]:
        """The session lasts as long as the context. Raises ServerEnding, BadRequest for a name that is none."""
        if self._ending:
            raise ServerEnding("this server is about to end")
        if not (name.isascii() and name.isalnum()) or name in self._names:
            raise BadRequest("a session's name is 1 to 64 letters and digits, and nobody else's")
        self._names.add(name)
        self._opened.set()
        self._empty.clear()
        try:
            yield
        finally:
            self._names.discard(name)
            if not self._names:
                self._empty.set()

    async def wait_until_left(self, patience: float) -> None:
        """Until no session is open: after the last one was closed, or where none is opened for `patience` seconds."""
        try:
            await asyncio.wait_for(self._opened.wait(), patience)
        except TimeoutError:
            return
        await self._empty.wait()

    def end(self) -> bool:
        """Take no further sessions; False, and nothing is changed, when one is open."""
        self._ending = not self._names
        return self._ending

    def refuse(self) -> None:
        """Take no further sessions, whoever is there."""
        self._ending = True
