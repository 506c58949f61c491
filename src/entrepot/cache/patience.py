"""How long a client waits for upstream while something stored could be told instead."""

import asyncio

from entrepot.cache.flight import Flight
from entrepot.errors import UpstreamTimeout


async def first_word(flight: Flight, seconds: float | None) -> None:
    """Wait until upstream says anything, even that it fails; None: as long as it takes. The flight goes on behind it.
    Raises UpstreamTimeout."""
    done, _ = await asyncio.wait([flight.head], timeout=seconds)
    if not done:
        raise UpstreamTimeout(f"{flight.subject}: upstream says nothing")
