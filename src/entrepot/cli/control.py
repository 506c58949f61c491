"""The other end of a server's control socket."""

import json
import socket
from collections.abc import Iterator
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
        """Bytes among the arguments follow the message. Raises Refusal, also when the server ends before it answers."""
        bodies = list(_bodies(arguments))
        attached = [{"place": place, "size": len(body)} for place, body in bodies]
        message = {"verb": verb, "arguments": arguments, "attached": attached}
        try:
            self._connection.sendall(json.dumps(message, default=_elsewhere).encode() + b"\n")
            for _, body in bodies:
                self._connection.sendall(body)
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


def _bodies(value: object, *place: str | int) -> Iterator[tuple[list[str | int], bytes]]:
    """All bytes within, at any depth, each with the way to it."""
    if isinstance(value, bytes):
        yield [*place], value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _bodies(each, *place, name)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _bodies(each, *place, number)


def _elsewhere(body: object) -> None:
    """In place of bytes that follow."""
    assert isinstance(body, bytes)
