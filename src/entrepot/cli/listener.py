"""The port we listen on, taken before the first worker starts."""

import socket

from entrepot.config.names import split_listener
from entrepot.errors import ConfigError


def reserve(listener: str) -> tuple[socket.socket, str]:
    """A socket that keeps the port for us as long as it is open, and the listener with address and port as numbers.

    Every worker opens the port for itself with SO_REUSEPORT, so that the kernel spreads connections over them. That
    also lets a stranger of the same user in, without a word: so we look first whether the port is taken, and take one
    ourselves where any will do (port 0). Raises ConfigError.
    """
    host, port = split_listener(listener)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        if port:
            _check_free(family, address)
        holder = socket.socket(family, socket.SOCK_STREAM)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(address)
    except OSError as error:
        raise ConfigError(
            f"{listener} cannot be listened on: {error.strerror}; stop what uses it, or choose another with --listen"
        ) from error
    host, port = holder.getsockname()[:2]
    return holder, f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"


def _check_free(family: socket.AddressFamily, address: tuple[str | int, ...] | tuple[int, bytes]) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as exclusive:
        # Connections that a server left behind when it ended are no obstacle.
        exclusive.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        exclusive.bind(address)
