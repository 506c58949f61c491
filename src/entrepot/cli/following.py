"""Follow a mirror job to its end, or rehearse one, and tell what becomes of it."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, Literal, get_args

import msgspec
import typer

from entrepot.cli.control import Control, Refusal
from entrepot.cli.jobs import Job, error_lines, read_job, summary_of
from entrepot.cli.office import Office
from entrepot.cli.partial import COMPLETE, NOTHING_DONE, WITH_ERRORS, NothingDone
from entrepot.cli.progress import display_for
from entrepot.cli.tables import plain, size_text

POLL_SECONDS: Final = 0.1
State = Literal["fetch", "held", "absent", "refused", "skipped", "failed"]


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a rehearsal."""

    repository: str
    key: str
    subject: str
    size_bytes: int | None
    state: State
    reason: str


def begin(office: Office, verb: str, arguments: Mapping[str, object], *, as_json: bool, detach: bool) -> int:
    """Have a job done; the exit status. Raises Refusal, NothingDone."""
    job = read_job(office.control.call(verb, **arguments))
    if detach:
        print(json.dumps({"id": job.id}) if as_json else f"mirror job {job.id}: entrepot mirror show {job.id}")
        return COMPLETE
    _follow(office, job, quiet=as_json)
    answer = office.control.call("mirror-job", id=job.id, errors=True)
    job = read_job(answer)
    if as_json:
        print(json.dumps(answer, indent=2))
        return job.exit_status
    for line in error_lines(job):
        print(f"entrepot: error: {line}", file=sys.stderr)
    for line in summary_of(job):
        print(line)
    return job.exit_status


def _follow(office: Office, job: Job, *, quiet: bool) -> None:
    """Until it has ended. Raises NothingDone when the server does before."""
    display = display_for(quiet)
    try:
        while not job.ended:
            time.sleep(POLL_SECONDS)
            job = read_job(office.control.call("mirror-job", id=job.id))
            display.show(job)
    except KeyboardInterrupt as interrupt:
        display.close()
        _say_goodbye(office, job)
        raise typer.Abort from interrupt
    except Refusal as refusal:
        if refusal.said != "server-ending":
            raise
        raise NothingDone(
            f"the server ended; the job goes on when it is started again: entrepot mirror show {job.id}"
        ) from refusal
    finally:
        display.close()


def _say_goodbye(office: Office, job: Job) -> None:
    if office.ours:
        # The old connection may be in the middle of an answer.
        with Control.connect(office.data) or office.control as control:
            control.call("cancel-mirror", id=job.id)
        told = f"mirror job {job.id} is cancelled; entrepot mirror resume {job.id} has it go on"
    else:
        told = f"mirror job {job.id} goes on in the server; entrepot mirror cancel {job.id} ends it"
    print(f"entrepot: {told}", file=sys.stderr)


def rehearse(office: Office, order: Mapping[str, object], *, as_json: bool) -> int:
    """Tell what a job would do; the exit status that it would have."""
    counts, size_bytes = Counter[str](), 0
    kept: list[Planned] = []
    for one in _rehearsed(office, order):
        counts[one.state] += 1
        size_bytes += (one.size_bytes or 0) if one.state == "fetch" else 0
        if as_json:
            kept.append(one)
        else:
            print(_line(one))
    if as_json:
        print(msgspec.json.encode({"counts": counts, "fetch_bytes": size_bytes, "items": kept}).decode())
    else:
        shown = ", ".join(f"{counts[state]} {state}" for state in get_args(State))
        print(f"{shown}; {size_text(size_bytes)} to fetch, as far as sizes are known")
    if not counts["fetch"] + counts["held"] + counts["absent"]:
        return NOTHING_DONE
    return WITH_ERRORS if counts["refused"] + counts["failed"] else COMPLETE


def _rehearsed(office: Office, order: Mapping[str, object]) -> Iterator[Planned]:
    planned = msgspec.convert(office.control.call("rehearse-mirror", **order), list[Planned])
    while planned:
        yield from planned
        planned = msgspec.convert(office.control.call("rehearse-mirror"), list[Planned])


def _line(one: Planned) -> str:
    size = size_text(one.size_bytes) if one.size_bytes is not None else "?"
    place = f"{one.repository}/{one.key}" if one.key else one.subject
    return plain(f"{one.state:7}  {size:>8}  {place}" + (f"  {one.reason}" if one.reason else ""))
