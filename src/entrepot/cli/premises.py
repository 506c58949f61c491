"""The place where a data directory lives: who owns it, who else can write to it, how much room is left."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from entrepot import __version__
from entrepot.cli.control import Control
from entrepot.cli.findings import Finding, fine, note, problem
from entrepot.cli.ownership import holder_of
from entrepot.cli.tables import size_text

LITTLE_ROOM = 1 << 30
"""Bytes: a few big packages."""


def examine_premises(data: Path) -> Iterator[Finding]:
    if not data.exists():
        yield note("data directory", f"{data} does not exist yet; the first server makes it")
        return
    yield _permissions(data)
    yield _room(data)


def examine_server(data: Path, about: "dict[str, object] | None") -> Finding:
    """`about`: what the running server answered to `ping`."""
    if about is None:
        holder = holder_of(data)
        if holder:
            return problem(
                "server",
                f"process {holder} has the data directory, but its control socket does not answer",
                f"look into its log; if it hangs, end it: kill {holder}",
            )
        return note("server", "none is running", "entrepot serve starts one; `entrepot run` brings its own")
    kind = "a private server of `entrepot run`" if about["private"] else f"running at {about['url']}"
    if about["version"] != __version__:
        return note(
            "server", f"{kind}, version {about['version']}; this command is {__version__}", "restart the server"
        )
    return fine("server", f"{kind}, process {about['pid']}")


def ping(data: Path) -> "dict[str, object] | None":
    control = Control.connect(data)
    if control is None:
        return None
    with control:
        answer = control.call("ping")
    return answer if isinstance(answer, dict) else None


def _permissions(data: Path) -> Finding:
    status = data.stat()
    if not stat.S_ISDIR(status.st_mode):
        return problem("data directory", f"{data} is no directory", "name another one with --data")
    if status.st_uid != os.geteuid():
        return problem(
            "data directory",
            f"{data} belongs to user {status.st_uid}, not to us (user {os.geteuid()})",
            f"run as that user, or: chown -R {os.geteuid()} {data}",
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return problem("data directory", f"{data}: others can write to it", f"chmod -R go-w {data}")
    return fine("data directory", str(data))


def _room(data: Path) -> Finding:
    free = shutil.disk_usage(data).free
    if free < LITTLE_ROOM:
        return problem(
            "disk",
            f"{size_text(free)} are free",
            "make room, or set storage.max_size: then the least recently used files go by themselves",
        )
    return fine("disk", f"{size_text(free)} are free")
