"""The addresses of configured upstreams: where a gateway stands for many hosts, its address is not a new place."""

import asyncio
import socket

from entrepot.contracts.clock import Clock
from entrepot.upstream.guard import Guard
from entrepot.upstream.target import Target

KNOWN_SECONDS = 300.0


class Homes:
    """Resolves an upstream's own host before a host that it led to is judged (docs/decisions/gateways.md)."""

    def __init__(self, guard: Guard, clock: Clock) -> None:
        self._guard, self._clock = guard, clock
        self._known: dict[str, float] = {}

    async def learn(self, base: Target) -> None:
        """Does nothing when the host was resolved a short while ago, or cannot be: then only public addresses do."""
        _, host, port = base.origin
        now = self._clock.timestamp()
        if now < self._known.get(host, 0.0):
            return
        try:
            infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            return
        self._known[host] = now + KNOWN_SECONDS
        self._guard.add_homes(str(info[4][0]) for info in infos)
