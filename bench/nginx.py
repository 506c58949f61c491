"""What every nginx of a measurement has in common: Debian's defaults, one worker, connections that are kept."""

import os
from pathlib import Path


def preamble(directory: Path) -> str:
    """The configuration up to the middle of `http {`; nothing is written outside `directory`."""
    temporary = "".join(
        f"    {name}_temp_path {directory}/temporary/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (directory / "temporary").mkdir(parents=True, exist_ok=True)
    # As root, workers would become somebody who may not read these directories.
    user = "user root;\n" if os.getuid() == 0 else ""
    return f"""{user}worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 4096; }}
http {{
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 65;
    keepalive_requests 100000000;
{temporary}"""
