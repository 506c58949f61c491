"""Waiting for what other processes and threads do."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_SECONDS = 30.0
"""After which what should have happened counts as not happening: also where every fsync takes long."""
_PAUSE_SECONDS = 0.01
_Found = TypeVar("_Found")


def wait_for(find: Callable[[], _Found | None], what: str = "it", seconds: float = PATIENCE_SECONDS) -> _Found:
    """What is found, as soon as there is something. Raises AssertionError."""
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(_PAUSE_SECONDS)
    return found


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Whether it becomes so."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True
