"""Load from wrk: so many connections that are kept, one thread, for so many seconds."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.machine import CLIENT_CORE, SERVER_CORE, need, pinned

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

    busy: tuple[float, float]
    """Percent of the server's core and of the generator's."""

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
    before = _core_times()
    done = subprocess.run(
        pinned(core, [*command, url, "--", str(pause_ms)]), capture_output=True, text=True, check=True
    )
    counted = json.loads(done.stdout.splitlines()[-1])
    return Load(**counted, busy=_busy(before, _core_times()))


def _core_times() -> dict[str, tuple[int, int]]:
    """Ticks that the server's core and the generator's were busy, and all ticks."""
    times = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name in (f"cpu{SERVER_CORE}", f"cpu{CLIENT_CORE}"):
            ticks = [int(field) for field in fields[:8]]
            times[name] = (sum(ticks) - ticks[3] - ticks[4], sum(ticks))
    return times


def _busy(before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]) -> tuple[float, float]:
    def share(core: int) -> float:
        (busy, total), (later_busy, later_total) = before[f"cpu{core}"], after[f"cpu{core}"]
        return 100 * (later_busy - busy) / max(1, later_total - total)

    return share(SERVER_CORE), share(CLIENT_CORE)
