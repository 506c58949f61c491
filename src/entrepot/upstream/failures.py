"""What went wrong with a connection, in the words of our errors: the origin and the fact, nothing of the URL."""

import os

import aiohttp

from entrepot.errors import EgressRefused, Unreachable, UpstreamBusy, UpstreamFailure, UpstreamTimeout
from entrepot.upstream.guard import AddressRefused
from entrepot.upstream.sessions import Disconnected
from entrepot.upstream.stages import Stage, Stages


def explain(error: aiohttp.ClientError | OSError, origin: str, stages: Stages) -> UpstreamFailure:
    """Ours for what aiohttp raised before there was an answer."""
    if isinstance(error, TimeoutError):
        return _late(origin, stages)
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, AddressRefused):
        return EgressRefused(f"{origin}: {error.os_error.strerror}")
    return Unreachable(f"{origin}: {fact_of(error)}")


def may_pass(error: aiohttp.ClientError | OSError, stages: Stages) -> bool:
    """Whether trying again may help: not against a bad certificate, a forbidden address or what is not HTTP, and not
    when the time for connecting is used up or the wait was for ourselves."""
    if not stages.may_connect:
        return False
    if isinstance(error, TimeoutError):
        return stages.stage is not Stage.QUEUE
    if isinstance(error, aiohttp.ClientConnectorError):
        return not isinstance(error, aiohttp.ClientSSLError) and not isinstance(error.os_error, AddressRefused)
    return isinstance(error, Disconnected)


def _late(origin: str, stages: Stages) -> UpstreamFailure:
    if stages.stage is Stage.QUEUE:
        return UpstreamBusy(origin, 1.0, f"all connections were in use for {stages.limit_seconds:g} s")
    return UpstreamTimeout(f"{origin}: {stages.stage.value} within {stages.limit_seconds:g} s")


def fact_of(error: aiohttp.ClientError | OSError) -> str:
    """What happened, and nothing of the URL."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is refused: {error.certificate_error}"
        case aiohttp.ClientConnectorSSLError():
            return f"TLS failed: {getattr(error.os_error, 'reason', None) or error.os_error}"
        case aiohttp.ClientConnectorDNSError():
            return f"its name does not resolve: {error.os_error.strerror or error.os_error}"
        case aiohttp.ClientProxyConnectionError():
            return f"the proxy cannot be reached: {plain(error.os_error)}"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered {error.status}"
        case aiohttp.ClientConnectorError():
            return plain(error.os_error)
        case Disconnected():
            return "the connection ended before the answer"
        case aiohttp.ClientResponseError():
            return "the answer is not HTTP"
        case OSError():
            return plain(error)
        case _:
            return type(error).__name__


def plain(error: OSError) -> str:
    """The system's words for an error: asyncio's own also hold addresses."""
    return os.strerror(error.errno).lower() if error.errno else str(error)
