"""The other end of a server's control socket."""

import json
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from entrepot.errors import EntrepotError
from entrepot.web.control import socket_address

ANSWER_SECONDS = 5.0
"""For a server to accept a connection; what a verb may take is the verb's business."""


class Refusal(EntrepotError):
    """What a server answered instead of doing what it was asked."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.said = code


class Control:
    """A connection to a server. What the server ties to it (a session) ends with it. A context manager."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._answers = connection.makefile("rb")

    @classmethod
    def connect(cls, data: Path) -> "Control | None":
        """To the server of a data directory; None when none answers there."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(ANSWER_SECONDS)
        try:
            with socket_address(data / "control.sock") as address:
                connection.connect(address)
        except OSError:
            connection.close()
            return None
        connection.settimeout(None)
        return cls(connection)

    def call(self, verb: str, **arguments: object) -> object:
        """Raises Refusal, also when the server ends before it answers."""
        message = json.dumps({"verb": verb, "arguments": arguments}).encode() + b"\n"
        try:
            self._connection.sendall(message)
            line = self._answers.readline()
        except OSError:
            line = b""
        if not line:
            raise Refusal("server-ending", "the server ended before it answered")
        answer = json.loads(line)
        if not answer["ok"]:
            raise Refusal(str(answer["code"]), str(answer["error"]))
        result: object = answer["result"]
        return result

    def close(self) -> None:
        self._answers.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
