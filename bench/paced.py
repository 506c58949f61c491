"""Serves a directory; what is big comes at a steady rate: `python -m bench.paced DIRECTORY PORT BYTES_PER_SECOND`."""

import os
import sys
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Any

PIECE = 64 << 10
BIG_BYTES = 1 << 20


class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: Any, rate: float, **options: Any) -> None:
        self._rate = rate
        super().__init__(*arguments, **options)

    def copyfile(self, source: IO[bytes], outputfile: IO[bytes]) -> None:  # type: ignore[override]
        """Each piece leaves when it is due, so that a late one does not make the whole late."""
        big = os.fstat(source.fileno()).st_size > BIG_BYTES
        began, sent = time.monotonic(), 0
        while piece := source.read(PIECE):
            outputfile.write(piece)
            sent += len(piece)
            if big:
                time.sleep(max(0.0, began + sent / self._rate - time.monotonic()))

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name is the base class's
        """Nobody reads it."""


def main() -> None:
    directory, port, rate = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    ThreadingHTTPServer.request_queue_size = 128
    with ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=directory, rate=rate)) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
