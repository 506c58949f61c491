"""Load from wrk: so many connections that are kept, one thread, for so many seconds."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.machine import CLIENT_CORE, need, pinned

CONNECTIONS = 100
_SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one run of wrk counted."""

    requests: int
    bytes: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failures: int
    """Errors of connections, and answers that are not 2xx or 3xx."""

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def mib_per_second(self) -> float:
        return self.bytes / self.seconds / (1 << 20)


def press(
    url: str,
    seconds: int,
    *,
    connections: int = CONNECTIONS,
    headers: Mapping[str, str] | None = None,
    pause_ms: int = 0,
    core: int | None = CLIENT_CORE,
) -> Load:
    """`pause_ms`: what every connection waits between an answer and its next request. Raises Missing."""
    command = [need("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "120s", "-s", str(_SCRIPT)]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    done = subprocess.run(
        pinned(core, [*command, url, "--", str(pause_ms)]), capture_output=True, text=True, check=True
    )
    counted = json.loads(done.stdout.splitlines()[-1])
    return Load(**counted)
