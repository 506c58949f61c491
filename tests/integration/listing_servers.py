"""Real servers that list their directories: nginx and Python's."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.faults.wire import Address, request
from tests.rogue import KeptPort

Kind = Literal["nginx json", "nginx html", "python"]
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


def can_run(kind: Kind) -> bool:
    return kind == "python" or Path(NGINX).exists()


@contextmanager
def listing_server(kind: Kind, root: Path, scratch: Path, user: str = "") -> Iterator[Address]:
    """Serves `root`; with `user`, only to whoever sends that user and its password ("NAME:PASSWORD")."""
    kept = KeptPort()
    address = ("127.0.0.1", kept.number)
    command = _python(root, address) if kind == "python" else _nginx(kind, root, scratch, address, user)
    with (scratch / "server.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def _wait(address: Address, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            request(address, "/", timeout=5)
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("the server of listings did not start")


def _python(root: Path, address: Address) -> list[str]:
    return [sys.executable, "-m", "http.server", str(address[1]), "--bind", address[0], "--directory", str(root)]


def _nginx(kind: Kind, root: Path, scratch: Path, address: Address, user: str) -> list[str]:
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = " ".join(f"{name}_temp_path {scratch}/{name};" for name in names)
    guarded = ""
    if user:
        name, _, password = user.partition(":")
        (scratch / "users").write_text(f"{name}:{{PLAIN}}{password}\n")
        guarded = f'auth_basic "files"; auth_basic_user_file {scratch}/users;'
    form = "autoindex_format json;" if kind == "nginx json" else ""
    (scratch / "nginx.conf").write_text(
        f"{'user root;' if os.getuid() == 0 else ''} daemon off; worker_processes 1; pid {scratch}/nginx.pid;"
        f" error_log {scratch}/error.log; events {{}} http {{ access_log {scratch}/access.log; {places}"
        f" server {{ listen {address[0]}:{address[1]}; root {root}; autoindex on; {form} {guarded} }} }}"
    )
    return [NGINX, "-c", str(scratch / "nginx.conf"), "-p", str(scratch)]
