"""The control socket: one line of JSON in, one line of JSON out, for the user who runs the server.

Bytes follow the line that speaks of them, because hits wait while a long line is decoded: `attached` tells for each how
many there are, and where they belong in the arguments.
"""

import asyncio
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec

from entrepot.errors import BadRequest, EntrepotError, TooLarge

LONGEST_LINE = 96 << 20
"""Bytes: an order with very many package URLs."""
MOST_ATTACHED = 96 << 20
"""Bytes: more than the documents of any order, so that whoever counts those can say what is wrong."""
PIECE_BYTES = 64 << 10
LONGEST_ADDRESS = 107
"""Bytes that fit into the address of a Unix socket (unix(7))."""


class Attached(msgspec.Struct):
    place: Annotated[list[str | int], msgspec.Meta(min_length=1)]
    """The way through the arguments."""
    size: Annotated[int, msgspec.Meta(ge=0)]
    """Bytes."""


class Message(msgspec.Struct):
    verb: str = ""
    arguments: dict[str, object] = {}
    attached: list[Attached] = []


Verb = Callable[[Mapping[str, object], ExitStack], Awaitable[object]]
"""Arguments to a JSON-ready result. What is entered into the stack lasts until the connection ends."""

_log = logging.getLogger("entrepot")


def text_argument(arguments: Mapping[str, object], name: str) -> str:
    """Raises BadRequest where there is none."""
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"the argument {name!r} is missing")
    return value


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """An address of the socket at `path` that is short enough, however deep the path: valid within the context."""
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


class ControlSocket:
    def __init__(self, path: Path, verbs: Mapping[str, Verb]) -> None:
        self._path, self._verbs = path, verbs
        self._server: asyncio.AbstractServer | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Listen, in place of a socket that an ended server left. Only its owner may connect."""
        temporary = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # The file that bind makes takes over the mode of the socket: nobody else can connect in between.
        os.fchmod(listener.fileno(), 0o600)
        with socket_address(temporary) as address:
            listener.bind(address)
        self._server = await asyncio.start_unix_server(self._talk, sock=listener, limit=LONGEST_LINE)
        temporary.replace(self._path)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
        for writer in list(self._writers):
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with ExitStack() as connection:
                while line := await reader.readline():
                    writer.write(json.dumps(await self._reply(line, reader, connection)).encode() + b"\n")
                    await writer.drain()
        except (ConnectionError, ValueError):
            _log.debug("a control connection broke")
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _reply(self, line: bytes, reader: asyncio.StreamReader, connection: ExitStack) -> dict[str, object]:
        try:
            message = msgspec.json.decode(line, type=Message)
            await _attach(message, reader)
            verb = self._verbs.get(message.verb)
            if verb is None:
                raise BadRequest(f"unknown verb; known: {', '.join(self._verbs)}")
            return {"ok": True, "result": await verb(message.arguments, connection)}
        except EntrepotError as error:
            return {"ok": False, "code": error.code, "error": str(error)}
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            return {"ok": False, "code": "bad-request", "error": f"the message cannot be understood: {error}"}


async def _attach(message: "Message", reader: asyncio.StreamReader) -> None:
    """Raises TooLarge, BadRequest, and ConnectionError where fewer bytes come than were told."""
    too_large = sum(each.size for each in message.attached) > MOST_ATTACHED
    bodies = [await _body(reader, each.size, keep=not too_large) for each in message.attached]
    if too_large:
        raise TooLarge(f"more than {MOST_ATTACHED} bytes of documents at once; give them in several orders")
    for each, body in zip(message.attached, bodies, strict=True):
        place: Any = message.arguments
        try:
            for step in each.place[:-1]:
                place = place[step]
            place[each.place[-1]] = body
        except (KeyError, IndexError, TypeError) as error:
            raise BadRequest(f"there is no {each.place} in the arguments: {error}") from error


async def _body(reader: asyncio.StreamReader, size: int, *, keep: bool) -> bytes:
    pieces = []
    while size:
        piece = await reader.read(min(size, PIECE_BYTES))
        if not piece:
            raise ConnectionError("the connection ended before what was attached")
        size -= len(piece)
        if keep:
            pieces.append(piece)
    return b"".join(pieces)
