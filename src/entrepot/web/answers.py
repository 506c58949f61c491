"""What the interface for programs answers, as types: `/openapi.json` is made from them."""

from datetime import datetime
from typing import Literal

import msgspec

from entrepot.cache.counters import Counts
from entrepot.contracts.mirrors import ItemError as Mistake
from entrepot.contracts.mirrors import Job, JobState


class Stored(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the data directory holds."""

    entries: int
    blobs: int
    bytes: int


class Stats(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What was served from where since the server started, by repository, and what is stored."""

    repositories: dict[str, Counts]
    stored: Stored
    evicted_bytes: int
    quarantined: int


class Explanation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Why a request is answered as it is: headings and a sentence each."""

    resource: str
    facts: dict[str, str]


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """An empty object."""


class JobCounts(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Of a job's files."""

    total: int
    done: int
    """Fetched now."""
    held: int
    """They were here already."""
    absent: int
    """Upstream has them not, which clients are told offline, too."""
    refused: int
    """By policy."""
    skipped: int
    """No registry serves such things."""
    failed: int
    fetched_bytes: int
    held_bytes: int


class ItemError(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One thing of a job that could not be mirrored. At most 1,000 are kept; counts go on counting."""

    subject: str
    error: str
    code: str


class MirrorJob(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A mirror job. `client` is who asked: the name of a token, a schedule, or "command line"."""

    id: str
    name: str
    client: str
    state: JobState
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    counts: JobCounts
    problem: str


class MirrorJobDetails(MirrorJob, kw_only=True, forbid_unknown_fields=True):
    """A mirror job, with what went wrong so far."""

    errors: list[ItemError]


class Cancelled(msgspec.Struct, forbid_unknown_fields=True):
    status: Literal["cancelled"] = "cancelled"


def job_answer(job: Job) -> MirrorJob:
    return msgspec.convert(job, MirrorJob, from_attributes=True)


def job_details(job: Job, mistakes: list[Mistake]) -> MirrorJobDetails:
    return MirrorJobDetails(**msgspec.structs.asdict(job_answer(job)), errors=error_answers(mistakes))


def error_answers(mistakes: list[Mistake]) -> list[ItemError]:
    return msgspec.convert(mistakes, list[ItemError], from_attributes=True)
