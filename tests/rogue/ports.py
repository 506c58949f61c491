"""Ports that do not even listen properly, and ports that are kept for who will."""

import contextlib
import socket
from collections.abc import Iterator


class KeptPort:
    """A loopback port that nobody else gets as long as this is there; servers may listen there, one after the other."""

    def __init__(self) -> None:
        self._holder = socket.socket()
        # Ours share a port among their processes, others take one again at once: either may while nobody listens.
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            self._holder.setsockopt(socket.SOL_SOCKET, option, 1)
        self._holder.bind(("127.0.0.1", 0))
        self.number: int = self._holder.getsockname()[1]

    def __del__(self) -> None:
        self._holder.close()


@contextlib.contextmanager
def refused_port() -> Iterator[int]:
    """A loopback port that refuses connections and that nobody else gets meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A loopback port that answers no SYN: a listening socket whose queue is full."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
