"""The only way out for one command: a CONNECT proxy on loopback that judges every address before it connects."""

import asyncio
import errno
import hmac
import re
import secrets
import socket
from base64 import b64encode
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver

from entrepot.errors import EgressRefused, Unreachable, UpstreamFailure, UpstreamTimeout
from entrepot.upstream.failures import plain
from entrepot.upstream.guard import AddressRefused, Guard
from entrepot.upstream.target import place

_REQUEST = re.compile(rb"CONNECT \[?(?P<host>[A-Za-z0-9.:-]+?)\]?:(?P<port>[0-9]{1,5}) HTTP/1\.[01]\r\n")
_PIECE_BYTES = 64 << 10


class Relay:
    """A context manager. Programs of other users on this machine cannot use it: they do not know the password."""

    def __init__(
        self,
        guard: Guard,
        may_be_private: Callable[[str], bool],
        connect_timeout: float,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """`may_be_private` is asked of a host; all others must have public addresses. Seconds."""
        self._guard, self._may_be_private, self._connect_timeout = guard, may_be_private, connect_timeout
        self._resolver = resolver
        self._password = secrets.token_hex(16)
        self._connections: set[asyncio.Task[None]] = set()
        self.failure: UpstreamFailure | None = None
        """Why the last connection that could not be made was not."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    @property
    def url(self) -> str:
        """As `https_proxy` has it."""
        return f"http://go:{self._password}@127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return  # The command went away, or the other side did: whoever is left sees the end of the connection.
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked = _REQUEST.match(head)
        if not self._is_ours(head):
            writer.write(_status(407, b"Proxy-Authenticate: Basic realm=entrepot\r\n"))
        elif asked is None:
            writer.write(_status(405))
        else:
            try:
                far = await self._connect(asked["host"].decode().lower(), int(asked["port"]))
            except UpstreamFailure as failure:
                self.failure = failure
                writer.write(_status(502))
                return
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await _join(reader, writer, far)

    def _is_ours(self, head: bytes) -> bool:
        wanted = b64encode(f"go:{self._password}".encode())
        found = re.search(rb"\r\nproxy-authorization: basic (\S+)\r\n", head, re.IGNORECASE)
        return found is not None and hmac.compare_digest(found[1], wanted)

    async def _connect(self, host: str, port: int) -> socket.socket:
        where = place(host, port)
        try:
            async with asyncio.timeout(self._connect_timeout):
                return await self._first_open(host, port)
        except TimeoutError as error:
            raise UpstreamTimeout(f"{where}: no connection within {self._connect_timeout:g} s") from error
        except AddressRefused as error:
            raise EgressRefused(f"{where}: {error.strerror}") from error
        except socket.gaierror as error:
            raise Unreachable(f"{where}: its name does not resolve: {error.strerror}") from error
        except UnicodeError as error:
            # Python's own rule for host names, which comes before any look-up.
            raise Unreachable(f"{where}: its name cannot be one") from error
        except OSError as error:
            raise Unreachable(f"{where}: {plain(error)}") from error

    async def _first_open(self, host: str, port: int) -> socket.socket:
        """A connection to the first address that can be reached and may be. Raises OSError."""
        loop = asyncio.get_running_loop()
        open_socket = self._guard.open_socket if self._may_be_private(host) else self._guard.public_socket
        # aiohttp's resolver belongs to the loop that runs when it is made.
        resolver = self._resolver or ThreadedResolver()
        problem = OSError(errno.EADDRNOTAVAIL, "no address")
        for found in await resolver.resolve(host, port, socket.AF_UNSPEC):
            address = found["host"], found["port"]
            try:
                near = open_socket((found["family"], socket.SOCK_STREAM, found["proto"], "", address))
            except OSError as error:
                problem = error
                continue
            try:
                near.setblocking(False)
                await loop.sock_connect(near, address)
            except OSError as error:
                near.close()
                problem = error
            except BaseException:
                near.close()
                raise
            else:
                return near
        raise problem


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, far: socket.socket) -> None:
    far_reader, far_writer = await asyncio.open_connection(sock=far)
    try:
        await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
    finally:
        far_writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE_BYTES):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def _status(status: int, fields: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d \r\n%bContent-Length: 0\r\nConnection: close\r\n\r\n" % (status, fields)
