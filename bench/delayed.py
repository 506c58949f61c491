"""Serves a directory, and begins each answer late: `python -m bench.delayed DIRECTORY PORT MILLISECONDS`."""

import asyncio
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

TYPES = {".html": "text/html", ".json": "application/json"}


class Origin:
    """HTTP/1.1 with connections that are kept; what it answers depends on the path alone."""

    def __init__(self, root: Path, seconds: float) -> None:
        self._root, self._seconds = root, seconds

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(self._seconds)
                await self._answer(head.split(b" ", 2)[1].decode(), writer)
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()

    async def _answer(self, target: str, writer: asyncio.StreamWriter) -> None:
        file = self._root / unquote(urlsplit(target).path).lstrip("/")
        file = next((one for one in (file, file / "index.html", file / "index.json") if one.is_file()), file)
        if not file.is_file():
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        kind = TYPES.get(file.suffix, "application/octet-stream")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {file.stat().st_size}\r\n\r\n"
        writer.write(head.encode())
        with file.open("rb") as body:
            await asyncio.get_running_loop().sendfile(writer.transport, body)


async def main(root: Path, port: int, milliseconds: float) -> None:
    origin = Origin(root, milliseconds / 1000)
    server = await asyncio.start_server(origin.serve, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
