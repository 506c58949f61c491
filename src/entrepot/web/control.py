"""The control socket: one line of JSON in, one line of JSON out, for the user who runs the server."""

import asyncio
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from entrepot.errors import BadRequest, EntrepotError

LONGEST_LINE = 96 << 20
"""Bytes: an order with 64 MiB of documents, which travel in base64."""
LONGEST_ADDRESS = 107
"""Bytes that fit into the address of a Unix socket (unix(7))."""

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
                    writer.write(json.dumps(await self._reply(line, connection)).encode() + b"\n")
                    await writer.drain()
        except (ConnectionError, ValueError):
            _log.debug("a control connection broke")
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _reply(self, line: bytes, connection: ExitStack) -> dict[str, object]:
        try:
            message = msgspec.json.decode(line)
            verb = self._verbs.get(message.get("verb", ""))
            if verb is None:
                raise BadRequest(f"unknown verb; known: {', '.join(self._verbs)}")
            return {"ok": True, "result": await verb(message.get("arguments", {}), connection)}
        except EntrepotError as error:
            return {"ok": False, "code": error.code, "error": str(error)}
        except (msgspec.DecodeError, AttributeError, KeyError, TypeError) as error:
            return {"ok": False, "code": "bad-request", "error": f"the message cannot be understood: {error}"}
