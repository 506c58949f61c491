"""Writing something into the catalog while a client waits: not for long."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from entrepot.errors import StoreFailure

PATIENCE_SECONDS = 0.25

_log = logging.getLogger("entrepot")
_late: set[asyncio.Task[None]] = set()
"""Keeps them from being collected; what they wrote is stored, at the latest, when the catalog is closed."""


async def note_down(put: Coroutine[Any, Any, None], subject: str, patience: float = PATIENCE_SECONDS) -> None:
    """Wait until the put is durable, but only `patience` seconds: somebody else may hold the catalog's lock for half a
    minute. This process sees what was put at once either way. Raises StoreFailure if it fails in time; after that
    only the log tells."""
    task = asyncio.create_task(put)
    _late.add(task)
    task.add_done_callback(_late.discard)
    done, _ = await asyncio.wait((task,), timeout=patience)
    if done:
        task.result()
    else:
        task.add_done_callback(lambda ended: _tell(ended, subject))


def _tell(task: asyncio.Task[None], subject: str) -> None:
    failure = None if task.cancelled() else task.exception()
    if isinstance(failure, StoreFailure):
        _log.warning("%s could not be noted: %s", subject, failure)
    elif failure is not None:
        _log.error("defect while %s was noted", subject, exc_info=failure)
