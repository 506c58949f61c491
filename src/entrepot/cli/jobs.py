"""Mirror jobs as a server tells them, and what people read of them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from entrepot.cli.partial import COMPLETE, NOTHING_DONE, WITH_ERRORS
from entrepot.cli.tables import plain, size_text, table

MOST_ERRORS: Final = 20
HEAD: Final = ("id", "state", "begun", "files", "failed", "for", "what")
_REMEDIES: Final = {
    "bad-request": "correct it",
    "absent": "look at its name and version",
    "not-served": "no repository serves it; configure one, or leave it out",
    "policy-refused": "`entrepot explain` tells the rule",
    "policy-hidden": "`entrepot explain` tells the rule",
    "unreadable-lock": "correct the file",
    "unreadable-bill": "correct the file",
    "digest-mismatch": "the digests of order and registry differ; find out which is right",
    "version-changed": "find out which bytes are right",
    "skipped": "the rest is done",
    "refused": "ask whoever runs this server",
}
"""By code of the error."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    total: int = 0
    done: int = 0
    held: int = 0
    absent: int = 0
    refused: int = 0
    skipped: int = 0
    failed: int = 0
    fetched_bytes: int = 0
    held_bytes: int = 0

    @property
    def settled(self) -> int:
        return self.done + self.held + self.absent + self.refused + self.skipped + self.failed


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    subject: str
    error: str
    code: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    client: str
    state: str
    created_at: datetime
    counts: Counts
    problem: str
    errors: list[Mistake] = []

    @property
    def ended(self) -> bool:
        return self.state not in ("queued", "planning", "running")

    @property
    def exit_status(self) -> int:
        counts = self.counts
        if self.state == "completed" and counts.done + counts.held + counts.absent:
            return COMPLETE
        return WITH_ERRORS if self.state == "completed_with_errors" else NOTHING_DONE


def read_job(answer: object) -> Job:
    return msgspec.convert(answer, Job)


def read_jobs(answer: object) -> list[Job]:
    return msgspec.convert(answer, list[Job])


def summary_of(job: Job) -> Iterator[str]:
    """What became of it."""
    counts = job.counts
    told = f"mirror job {job.id}: {job.state.replace('_', ' ')}"
    yield plain(f"{told}: {job.problem}" if job.problem else told)
    if job.ended and not counts.total and not job.problem:
        yield "there was nothing to mirror in what was given"
    names = ("done", "held", "absent", "refused", "skipped", "failed")
    shown = ", ".join(f"{getattr(counts, name)} {name}" for name in names)
    yield f"{shown}; {size_text(counts.fetched_bytes)} fetched, {size_text(counts.held_bytes)} held before"


def error_lines(job: Job, most: int = MOST_ERRORS) -> Iterator[str]:
    """One for each of the first of its errors, with what to do about it."""
    for one in job.errors[:most]:
        told = one.error if one.subject in one.error else f"{one.subject}: {one.error}"
        yield plain(f"{told}; {_REMEDIES.get(one.code, f'try again: entrepot mirror retry {job.id}')}")
    counts = job.counts
    further = max(len(job.errors), counts.failed + counts.refused + counts.skipped) - most
    if further > 0:
        yield f"… {further} more: entrepot mirror show {job.id}"


def job_lines(jobs: Sequence[Job]) -> list[str]:
    """A table of them."""
    if not jobs:
        return ["nothing was mirrored yet"]
    return table([HEAD, *map(_row, jobs)])


def _row(job: Job) -> tuple[str, ...]:
    begun, counts = f"{job.created_at:%Y-%m-%d %H:%M}", job.counts
    return job.id, job.state, begun, f"{counts.settled}/{counts.total}", str(counts.failed), job.client, job.name
