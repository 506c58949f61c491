"""Lock files that came to name us: whoever checks them out elsewhere would ask a server that is long gone."""

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from entrepot.contracts.ecosystem import Lockfile

DEPTH = 6
"""Directories below the working directory that are looked into."""
LARGEST = 256 << 20
PASSED_OVER = frozenset({"node_modules", "__pycache__", "site-packages", "target", "vendor"})
"""Nobody's own lock files are there, but thousands of files."""


def find_leftovers(top: Path, mark: str, lockfiles: Iterable[Lockfile], since: float) -> list[str]:
    """A line for each lock file below `top` that was changed after `since` (seconds since the epoch) and holds
    `mark`, and one on what to do about it."""
    known = tuple(lockfiles)
    lines = []
    for path in _changed_files(top, tuple(one.name for one in known), since):
        if _holds(path, mark.encode()):
            remedy = next(one.remedy for one in known if fnmatchcase(path.name, one.name))
            lines += [f"entrepot: {path.relative_to(top)} names the address of this run", f"  {remedy}"]
    return lines


def _changed_files(top: Path, patterns: tuple[str, ...], since: float) -> Iterator[Path]:
    for directory, below, names in os.walk(top):
        depth = len(Path(directory).relative_to(top).parts)
        below[:] = sorted(name for name in below if _is_looked_into(name, depth))
        for name in sorted(names):
            path = Path(directory, name)
            if any(fnmatchcase(name, pattern) for pattern in patterns) and _was_changed(path, since):
                yield path


def _is_looked_into(name: str, depth: int) -> bool:
    return depth < DEPTH and name not in PASSED_OVER and not name.startswith(".")


def _was_changed(path: Path, since: float) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False  # It was removed meanwhile, or is a link to nowhere.
    # Some file systems keep whole seconds only.
    return status.st_mtime >= int(since) and status.st_size <= LARGEST


def _holds(path: Path, mark: bytes) -> bool:
    try:
        return mark in path.read_bytes()
    except OSError:
        return False  # It cannot be read, so nobody else will read it from here either.
