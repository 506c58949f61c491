"""How far a mirror job is: a bar on a terminal, a line now and then elsewhere. Both on standard error."""

import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from entrepot.cli.jobs import Counts, Job
from entrepot.cli.tables import size_text

LINE_SECONDS = 2.0
RATE_SECONDS = 5.0
_PHASES = {"queued": "waiting", "planning": "planning", "running": "fetching"}


class Display(Protocol):
    def show(self, job: Job) -> None: ...

    def close(self) -> None: ...


def display_for(quiet: bool) -> Display:
    if quiet:
        return Silence()
    return Bar() if sys.stderr.isatty() else Lines(lambda line: print(line, file=sys.stderr, flush=True))


class Silence:
    """Nobody wants to know."""

    def show(self, job: Job) -> None:
        pass

    def close(self) -> None:
        pass


class Rate:
    """Bytes a second over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def after(self, now: float, size_bytes: int) -> float:
        """`now`: seconds of a clock that only goes forward; `size_bytes`: all so far."""
        self._seen.append((now, size_bytes))
        while len(self._seen) > 2 and now - self._seen[1][0] >= RATE_SECONDS:
            self._seen.popleft()
        began, first = self._seen[0]
        return (size_bytes - first) / (now - began) if now > began else 0.0


class Lines:
    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell, self._clock = tell, clock
        self._rate, self._told_at, self._told, self._last = Rate(), 0.0, "", ""

    def show(self, job: Job) -> None:
        now = self._clock()
        self._last = f"{phase_of(job)}: {counts_text(job.counts)}, {rate_text(self._rate.after(now, _bytes(job)))}"
        if not self._told or now - self._told_at >= LINE_SECONDS:
            self._say(now)

    def close(self) -> None:
        """The last line is told, however soon."""
        self._say(self._clock())

    def _say(self, now: float) -> None:
        if self._last != self._told:
            self._tell(self._last)
            self._told, self._told_at = self._last, now


class Bar:
    def __init__(self) -> None:
        # Nobody else needs it.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}", markup=False))
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("waiting", total=None, told="")
        self._rate = Rate()
        self._progress.start()

    def show(self, job: Job) -> None:
        counts = job.counts
        rate = rate_text(self._rate.after(time.monotonic(), _bytes(job)))
        self._progress.update(
            self._task,
            description=phase_of(job),
            # While it is planned nobody knows how much there will be.
            total=counts.total or None if job.state != "planning" else None,
            completed=counts.settled,
            told=f"{counts_text(counts)}, {rate}",
        )

    def close(self) -> None:
        self._progress.stop()


def phase_of(job: Job) -> str:
    return _PHASES.get(job.state, job.state.replace("_", " "))


def counts_text(counts: Counts) -> str:
    """ "34 of 300: 30 done, 4 held, 0 failed, 12 MiB"."""
    told = f"{counts.done} done, {counts.held} held, {counts.failed} failed"
    return f"{counts.settled} of {counts.total}: {told}, {size_text(counts.fetched_bytes)}"


def rate_text(rate: float) -> str:
    return f"{size_text(rate)}/s"


def _bytes(job: Job) -> int:
    return job.counts.fetched_bytes
