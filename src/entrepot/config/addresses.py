"""Addresses that clients are configured with, and those that are our own."""

import re
from collections.abc import Iterator

from entrepot.config.names import is_loopback, parse_url, split_listener, without_credentials
from entrepot.config.settings import Server
from entrepot.model.release import origin_of

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ANY = ("0.0.0.0", "::", "")


def addresses_in(text: str) -> Iterator[str]:
    """The http(s) URLs in a client's setting, without credentials: one, or a list as in GOPROXY (up to `off`)."""
    for part in re.split(r"[,|]", text.strip()):
        if part.strip() == "off":
            return
        try:
            yield parse_url(without_credentials(part.strip()))
        except ValueError:
            continue  # `direct`, `undefined`, a file: nothing that can be an upstream.


def own_addresses(server: Server) -> frozenset[tuple[str, int]]:
    """Hosts and ports that reach the listener."""
    host, port = split_listener(server.listen)
    if host in _ANY or is_loopback(host):
        return frozenset((name, port) for name in (host, *_LOOPBACK) if name)
    return frozenset({(host, port)})


def base_url(server: Server) -> str:
    """Where a client on this machine reaches us, without trailing slash."""
    if server.public_url:
        return server.public_url.rstrip("/")
    host, port = split_listener(server.listen)
    shown = "127.0.0.1" if host in _ANY else f"[{host}]" if ":" in host else host
    return f"{'https' if server.tls_certificate else 'http'}://{shown}:{port}"


def is_ours(url: str, server: Server) -> bool:
    """Whether a URL leads to ourselves, or into a session of another Entrepot on this machine, which ends some day."""
    _, host, port = origin_of(url)
    if (is_loopback(host) and "/~" in url) or (host, port or 0) in own_addresses(server):
        return True
    return bool(server.public_url) and url.startswith(server.public_url)
