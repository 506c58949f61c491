"""A directory for one measurement, empty at its beginning and gone after it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.machine import CACHE


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    directory = CACHE / "run" / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
