"""The aiohttp sessions: pools of connections, TLS and proxies."""

import select
import socket
import ssl
from collections.abc import Mapping
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]
from weakref import WeakSet

import aiohttp
from aiohappyeyeballs import SocketFactoryType
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from entrepot.errors import ConfigError
from entrepot.upstream.guard import Guard
from entrepot.upstream.response import Response
from entrepot.upstream.settings import UpstreamSettings
from entrepot.upstream.stages import trace_stages
from entrepot.upstream.target import Target

_FIELD_LIMIT = 64 << 10
_READ_BUFFER = 256 << 10


class Disconnected(aiohttp.ClientError):
    """The connection ended before the answer. Not one of those that aiohttp itself tries again: we count."""


class Sessions:
    """One upstream's pools: for origins that the configuration names, and for those whose address must be public.

    A connection that was made under the first rule is never used under the second.
    """

    def __init__(
        self,
        upstream: UpstreamSettings,
        guard: Guard,
        tls: ssl.SSLContext,
        resolver: AbstractResolver | None,
        trust_env: bool,
    ) -> None:
        self._upstream = upstream
        self._guard = guard
        self._resolver = resolver
        self._tls = tls
        self._environment = getproxies_environment() if trust_env and not upstream.http_proxy else {}
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    def pick(self, target: Target, *, public: bool) -> tuple[aiohttp.ClientSession, str | None]:
        """The session and the proxy for a request. Behind a proxy it is the proxy's address that we connect to."""
        proxy = self._proxy_of(target)
        guarded = public and proxy is None
        session = self._sessions.get(guarded)
        if session is None:
            factory = self._guard.public_socket if guarded else self._guard.open_socket
            session = self._sessions[guarded] = self._session(factory)
        return session, proxy

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    def _proxy_of(self, target: Target) -> str | None:
        if self._upstream.http_proxy:
            return self._upstream.http_proxy
        scheme, host, _ = target.origin
        if not self._environment or proxy_bypass_environment(host, self._environment):
            return None
        return self._environment.get(scheme) or self._environment.get("all")

    def _session(self, factory: SocketFactoryType) -> aiohttp.ClientSession:
        connector = _Connector(
            limit=self._upstream.max_connections,
            tls=self._tls,
            factory=factory,
            resolver=self._resolver or aiohttp.ThreadedResolver(),
        )
        return aiohttp.ClientSession(
            connector=connector,
            response_class=Response,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,  # It would read proxies past our guard, and ~/.netrc.
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
            read_bufsize=_READ_BUFFER,
            max_line_size=_FIELD_LIMIT,
            max_field_size=_FIELD_LIMIT,
            skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
            trace_configs=[trace_stages()],
            middlewares=[_never_again],
        )


class _Connector(aiohttp.TCPConnector):
    """A pool that hands out no connection on which something came behind the last body (RFC 9112 §9.2)."""

    def __init__(self, *, limit: int, tls: ssl.SSLContext, factory: SocketFactoryType, resolver: AbstractResolver):
        super().__init__(limit=limit, ssl=tls, socket_factory=factory, resolver=resolver)
        self._handed_out: WeakSet[ResponseHandler] = WeakSet()

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is not None and protocol not in self._handed_out:
                self._handed_out.add(protocol)
                return connection
            if protocol is not None and not protocol.should_close and _is_quiet(protocol):
                return connection
            connection.close()


def _is_quiet(protocol: ResponseHandler) -> bool:
    """Whether nothing waits to be read, neither data nor an end: what came unasked would be taken for an answer."""
    if protocol.transport is None:
        return False
    plain: socket.socket = protocol.transport.get_extra_info("socket")
    waiting = select.poll()
    waiting.register(plain.fileno(), select.POLLIN)
    return not waiting.poll(0)


async def _never_again(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        raise Disconnected from error


def tls_contexts(upstreams: Mapping[str, UpstreamSettings]) -> dict[str, ssl.SSLContext]:
    """By name. Those that trust the same certificates have one together: to read all that a system trusts takes a
    moment and a megabyte. Raises ConfigError when a ca_file cannot be used."""
    made: dict[str, ssl.SSLContext] = {}
    for upstream in upstreams.values():
        if upstream.ca_file not in made:
            made[upstream.ca_file] = _tls(upstream)
    return {name: made[upstream.ca_file] for name, upstream in upstreams.items()}


def _tls(upstream: UpstreamSettings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if upstream.ca_file:
        try:
            context.load_verify_locations(cafile=upstream.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"upstream {upstream.name}: ca_file {upstream.ca_file} cannot be read as PEM certificates: {error}"
            ) from error
    return context
