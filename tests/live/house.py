"""Entrepot as it is run here: a server outside the namespace, whose upstreams are reached through the recorder."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Self

_NAMED_HOST = re.compile(r"(?<=/-/)[^/]+\.[^/]+(?=/)|(?<=/sumdb/)[^/]+")
"""A registry's host in one of our paths: figures are written to files, and no file of ours names registries."""

ENTREPOT = str(Path(sys.executable).with_name("entrepot"))
READY_SECONDS = 20.0
STOP_SECONDS = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A line of the access log."""

    method: str
    path: str
    status: int
    cache: str
    detail: str
    bytes: int
    milliseconds: float
    """Until the answer began. How long the rest took is the client's pace as much as ours."""
    upstream_requests: int
    upstream_status: int
    upstream_bytes: int


class House:
    """One server process on one data directory; `offset` moves its clock by seconds, `settings` are further sections of
    its configuration, `prefix` is what the server is run by. Commands need no server."""

    def __init__(
        self,
        data: Path,
        address: str,
        port: int,
        proxy: str,
        offset: float = 0.0,
        settings: str = "",
        prefix: Sequence[str] = (),
    ) -> None:
        self.data, self.url = data, f"http://{address}:{port}"
        self._log, self._read = data / "access.log", 0
        self._config, self._prefix = data / "entrepot.toml", tuple(prefix)
        data.mkdir(parents=True, exist_ok=True)
        self._config.write_text(
            f'[server]\nlisten = "{address}:{port}"\nopen = true\naccess_log = "{self._log}"\n'
            f"[fetch]\ntrust_env = true\n{settings}"
        )
        self._environment = {
            **os.environ,
            "http_proxy": proxy,
            "https_proxy": proxy,
            "no_proxy": "",
            "ENTREPOT_CLOCK_OFFSET": str(offset),
        }

    def __enter__(self) -> Self:
        self._read = self._log.stat().st_size if self._log.exists() else 0
        command = [*self._prefix, ENTREPOT, "serve", "--config", str(self._config), "--data", str(self.data)]
        with (self.data / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        try:
            self._await_ready()
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _await_ready(self) -> None:
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                with self.open("/ready"):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"Entrepot did not start; see {self.data / 'server.log'}")

    def open(self, path: str) -> HTTPResponse:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        answer = direct.open(self.url + path, timeout=READY_SECONDS)
        assert isinstance(answer, HTTPResponse)
        return answer

    def run(self, *words: str, timeout: float, bare: bool = False) -> subprocess.CompletedProcess[str]:
        """One of our commands on this data directory, or with nothing but its own `bare` words."""
        place = [] if bare else ["--config", str(self._config), "--data", str(self.data)]
        return subprocess.run(
            [ENTREPOT, *words, *place],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def stats(self) -> dict[str, dict[str, int]]:
        """The counts of each repository since the start."""
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self.data / "control.sock"))
            control.sendall(b'{"verb": "stats"}\n')
            line = control.makefile().readline()
        answer = json.loads(line)
        if not answer["ok"]:
            raise RuntimeError(f"stats: {answer['error']}")
        counts: dict[str, dict[str, int]] = answer["result"]["repositories"]
        return counts

    def visits(self) -> list[Visit]:
        """Requests for repositories since the last call, or the start. Waits for the log's batch."""
        time.sleep(1.0)
        with self._log.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        self._read += len(lines)
        read = [json.loads(line) for line in lines.splitlines()]
        return [_visit(line) for line in read if "repository" in line]


def forget_outage(data: Path) -> None:
    """While no server runs: the next one finds out by itself that its upstreams are in trouble."""
    with closing(sqlite3.connect(data / "catalog.db")) as catalog, catalog:
        catalog.execute("DELETE FROM origins")


def _visit(line: dict[str, object]) -> Visit:
    def number(name: str) -> int:
        value = line.get(name, 0)
        assert isinstance(value, int)
        return value

    # What is hot goes out at once, and its line says so by saying nothing.
    milliseconds = line.get("wait_ms", 0.0)
    assert isinstance(milliseconds, float | int)
    return Visit(
        method=str(line["method"]),
        path=_NAMED_HOST.sub("…", str(line["path"])),
        status=number("status"),
        cache=str(line["cache"]),
        detail=str(line.get("detail", "")),
        bytes=number("bytes"),
        milliseconds=float(milliseconds),
        upstream_requests=number("upstream_requests"),
        upstream_status=number("upstream_status"),
        upstream_bytes=number("upstream_bytes"),
    )
