"""Who uses this server by a session's name, and when the last of them has left (architecture §9)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from entrepot.errors import BadRequest, ServerEnding, StoreFailure


class Sessions:
    def __init__(self, *, private: bool, shared: Path | None = None) -> None:
        """`private`: only sessions that were opened are known, and no traffic without one. `shared`: a directory in
        which the workers of one server tell one another which are open."""
        self._private, self._names, self._ending = private, dict[str, str](), False
        self._shared = shared
        self._opened, self._empty = asyncio.Event(), asyncio.Event()

    def knows(self, name: str) -> bool:
        """Whether a request booked to this session (empty: to none) is answered."""
        return not self._private or name in self._names

    def is_open(self, name: str) -> bool:
        """Whether whoever runs the server opened it: such a name is as good as a token, and as hard to guess."""
        if name in self._names:
            return True
        return self._shared is not None and name.isalnum() and (self._shared / name).exists()

    def replayed(self, name: str) -> str:
        """The frozen session whose set this one is served; empty: none, or another process knows of none."""
        if name in self._names or self._shared is None or not name.isalnum():
            return self._names.get(name, "")
        try:
            return (self._shared / name).read_text()
        except OSError:
            return ""

    @contextmanager
    def open(self, name: str, replays: str = "") -> Iterator[None]:
        """The session lasts as long as the context. Raises ServerEnding, StoreFailure, BadRequest for a name that is
        none."""
        if self._ending:
            raise ServerEnding("this server is about to end")
        if not (name.isascii() and name.isalnum()) or name in self._names:
            raise BadRequest("a session's name is 1 to 64 letters and digits, and nobody else's")
        self._tell(name, replays)
        self._names[name] = replays
        self._opened.set()
        self._empty.clear()
        try:
            yield
        finally:
            self._names.pop(name, None)
            if self._shared is not None:
                (self._shared / name).unlink(missing_ok=True)
            if not self._names:
                self._empty.set()

    def _tell(self, name: str, replays: str) -> None:
        """Raises StoreFailure."""
        try:
            if self._shared is not None:
                self._shared.mkdir(mode=0o700, exist_ok=True)
                (self._shared / name).touch(mode=0o600)
                (self._shared / name).write_text(replays)
        except OSError as error:
            raise StoreFailure(f"a session cannot be written down: {error.strerror}") from error

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
