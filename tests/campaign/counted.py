"""An origin of any number of small files, that tells how often it was asked: `python -m tests.campaign.counted`."""

import asyncio
import hashlib
import json
import sys
from collections import Counter

REPORT = "/-/report"


def body_of(path: str) -> bytes:
    """Every file has contents of its own."""
    return f"{hashlib.sha256(path.encode()).hexdigest()} {path}\n".encode() * 4


class Origin:
    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode()
                body = self._report() if path == REPORT else body_of(path)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                if path != REPORT:
                    self.asked[path] += 1
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()

    def _report(self) -> bytes:
        told = {"files": len(self.asked), "requests": self.asked.total()}
        return json.dumps(told).encode()


async def main() -> None:
    server = await asyncio.start_server(Origin().serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    waiting = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    async with server:
        await waiting


if __name__ == "__main__":
    asyncio.run(main())
