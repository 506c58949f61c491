"""The control socket: one line of JSON in, one line of JSON out, for the user who runs the server."""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from entrepot.errors import BadRequest, EntrepotError

LONGEST_LINE = 1 << 20

Verb = Callable[[Mapping[str, object]], Awaitable[object]]
"""Arguments to a JSON-ready result."""

_log = logging.getLogger("entrepot")


class ControlSocket:
    def __init__(self, path: Path, verbs: Mapping[str, Verb]) -> None:
        self._path, self._verbs = path, verbs
        self._server: asyncio.AbstractServer | None = None

    async def open(self) -> None:
        """Listen, in place of a socket that an ended server left. Only its owner may connect."""
        temporary = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._talk, temporary, limit=LONGEST_LINE)
        finally:
            os.umask(mask)
        temporary.replace(self._path)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._reply(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            _log.debug("a control connection broke")
        finally:
            writer.close()

    async def _reply(self, line: bytes) -> dict[str, object]:
        try:
            message = json.loads(line)
            verb = self._verbs.get(message.get("verb", ""))
            if verb is None:
                raise BadRequest(f"unknown verb; known: {', '.join(self._verbs)}")
            return {"ok": True, "result": await verb(message.get("arguments", {}))}
        except EntrepotError as error:
            return {"ok": False, "code": error.code, "error": str(error)}
        except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
            return {"ok": False, "code": "bad-request", "error": f"the message cannot be understood: {error}"}
