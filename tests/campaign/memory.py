"""How much memory the processes of a server take, sampled while something happens."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

FIELDS = ("Pss", "Rss")


@dataclass(slots=True)
class Memory:
    """In MiB, of all processes together: PSS shares a page among those that map it, RSS counts it for each."""

    pss: float = 0.0
    rss: float = 0.0
    largest: float = 0.0
    """RSS of the one that has most."""

    def most(self, other: "Memory") -> "Memory":
        return Memory(max(self.pss, other.pss), max(self.rss, other.rss), max(self.largest, other.largest))


class MemoryWatch:
    """A context manager: samples until it is left."""

    def __init__(self, pids: Callable[[], Iterable[int]], every: float = 0.25) -> None:
        self.peak = Memory()
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
        self.peak = self.peak.most(memory_of(self._pids()))


def memory_of(pids: Iterable[int]) -> Memory:
    """Of processes of which at least one must be alive."""
    memory = Memory()
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue  # It ended meanwhile.
        fields = (line.partition(":") for line in text.splitlines())
        sizes = {name: int(rest.split()[0]) / 1024 for name, _, rest in fields if name in FIELDS}
        memory.pss += sizes.get("Pss", 0.0)
        memory.rss += sizes.get("Rss", 0.0)
        memory.largest = max(memory.largest, sizes.get("Rss", 0.0))
    if not memory.rss:
        raise RuntimeError("none of these processes is alive")
    return memory
