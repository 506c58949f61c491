"""How much memory the processes of a server take, sampled while something happens."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

FIELDS = ("Pss", "Rss")


@dataclass(slots=True)
class Peak:
    """Highest sums over all processes, in MiB. PSS shares a page among those that map it; RSS counts it for each."""

    pss: float = 0.0
    rss: float = 0.0


class MemoryWatch:
    """A context manager: samples until it is left."""

    def __init__(self, pids: Callable[[], Iterable[int]], every: float = 0.25) -> None:
        self.peak = Peak()
        self._pids, self._every = pids, every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory-watch")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        self._sample()
        while not self._stopped.wait(self._every):
            self._sample()

    def _sample(self) -> None:
        pss, rss = memory_of(self._pids())
        self.peak.pss, self.peak.rss = max(self.peak.pss, pss), max(self.peak.rss, rss)


def memory_of(pids: Iterable[int]) -> tuple[float, float]:
    """PSS and RSS of these processes together, in MiB."""
    sums = dict.fromkeys(FIELDS, 0)
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue  # It ended meanwhile.
        for line in text.splitlines():
            name, _, rest = line.partition(":")
            if name in sums:
                sums[name] += int(rest.split()[0])
    if not any(sums.values()):
        raise RuntimeError("none of these processes is alive")
    return sums["Pss"] / 1024, sums["Rss"] / 1024
