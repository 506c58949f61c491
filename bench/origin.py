"""The origin of every measurement: nginx with plain files, and a log that tells what was asked of it."""

from pathlib import Path
from typing import Self

from bench.fixtures import Fixtures
from bench.machine import CLIENT_CORE, Process, free_port, need, pinned
from bench.nginx import preamble

_SERVER = """
    log_format seen '$status $request_method $request_uri';
    access_log {directory}/seen.log seen;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {directory}/files;
        location = /alive {{ return 200 "alive"; }}
        location ~ ^/npm/[^/]+$ {{ default_type application/json; try_files $uri/index.json =404; }}
        location /go/ {{ default_type application/octet-stream; types {{ application/json info; text/plain mod; }} }}
        location / {{ default_type application/octet-stream; types {{ text/html html; }} index index.html; }}
    }}
}}
"""


class Origin:
    """A context manager; `directory` is made. It shares the generator's core: with everything warm it has no work."""

    def __init__(self, directory: Path, core: int | None = CLIENT_CORE) -> None:
        directory.mkdir(parents=True)
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.fixtures = Fixtures(directory / "files", self.base)
        self._directory = directory
        configuration = directory / "nginx.conf"
        configuration.write_text(preamble(directory) + _SERVER.format(directory=directory, port=self.port))
        command = pinned(core, [need("nginx"), "-c", str(configuration)])
        self._process = Process(command, directory / "output.log")

    def __enter__(self) -> Self:
        self._process.__enter__()
        self._process.wait_until_it_answers(f"{self.base}/alive")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.__exit__()

    def seen(self, path: str, status: int | None = None) -> int:
        """How often a path was asked for (and answered with this status)."""
        lines = (self._directory / "seen.log").read_text().splitlines()
        asked = [line.split(" ", 2) for line in lines]
        return sum(1 for code, _, uri in asked if uri == path and status in (None, int(code)))
