"""The addresses of configured upstreams: where a gateway stands for many hosts, its address is not a new place."""

import asyncio
import socket

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver

from entrepot.contracts.clock import Clock
from entrepot.upstream.guard import Guard
from entrepot.upstream.target import Target

KNOWN_SECONDS = 300.0
UNKNOWN_SECONDS = 30.0


class Homes:
    """Resolves an upstream's own host before a host that it led to is judged (docs/decisions/gateways.md)."""

    def __init__(self, guard: Guard, clock: Clock, resolver: AbstractResolver | None, patience: float) -> None:
        """`patience`: seconds a look-up may take. Made before the event loop runs, as a server's parts are."""
        self._guard, self._clock, self._resolver, self._patience = guard, clock, resolver, patience
        self._known: dict[str, float] = {}

    async def learn(self, base: Target) -> None:
        """Does nothing when the host was resolved a short while ago, or cannot be: then only public addresses do."""
        _, host, port = base.origin
        now = self._clock.timestamp()
        if now < self._known.get(host, 0.0):
            return
        # aiohttp's resolver belongs to the loop that runs when it is made.
        self._resolver = self._resolver or ThreadedResolver()
        try:
            async with asyncio.timeout(self._patience):
                results = await self._resolver.resolve(host, port, socket.AF_UNSPEC)
        except (OSError, TimeoutError):
            self._known[host] = now + UNKNOWN_SECONDS
            self._guard.set_homes(host, ())
            return
        self._known[host] = now + KNOWN_SECONDS
        self._guard.set_homes(host, [result["host"] for result in results])
