"""How far a job is, and what became of it, as people read it."""

from datetime import UTC, datetime

import msgspec

from entrepot.cli.jobs import Counts, Job, Mistake, error_lines, job_lines, summary_of
from entrepot.cli.progress import Lines, Rate

MIB = 1 << 20


def job(state: str = "running", errors: int = 0, problem: str = "", **counts: int) -> Job:
    return Job(
        id="ab12",
        name="uv.lock",
        client="ci",
        state=state,
        created_at=datetime(2026, 11, 21, 7, 30, tzinfo=UTC),
        counts=Counts(**counts),
        problem=problem,
        errors=[Mistake(subject=f"pkg:npm/a{n}", error="no such version", code="absent") for n in range(errors)],
    )


class Watch:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_line_is_told_every_two_seconds_at_most_and_the_last_one_always() -> None:
    told: list[str] = []
    watch = Watch()
    lines = Lines(told.append, watch)
    for done in range(40):
        lines.show(job(total=100, done=done, fetched_bytes=done * MIB))
        watch.now += 0.125
    lines.show(job(state="completed", total=40, done=40, fetched_bytes=40 * MIB))
    lines.close()
    assert told == [
        "fetching: 0 of 100: 0 done, 0 held, 0 failed, 0 B, 0 B/s",
        "fetching: 16 of 100: 16 done, 0 held, 0 failed, 16.0 MiB, 8.0 MiB/s",
        "fetching: 32 of 100: 32 done, 0 held, 0 failed, 32.0 MiB, 8.0 MiB/s",
        "completed: 40 of 40: 40 done, 0 held, 0 failed, 40.0 MiB, 8.0 MiB/s",
    ]


def test_a_line_that_says_nothing_new_is_not_repeated() -> None:
    told: list[str] = []
    watch = Watch()
    lines = Lines(told.append, watch)
    for _ in range(5):
        lines.show(job(state="planning"))
        watch.now += 10
    lines.close()
    assert told == ["planning: 0 of 0: 0 done, 0 held, 0 failed, 0 B, 0 B/s"]


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.after(0.0, 0) == 0.0
    assert rate.after(4.0, 400) == 100.0
    assert rate.after(20.0, 400) == 0.0


def test_errors_are_told_with_a_remedy_and_those_beyond_twenty_are_counted() -> None:
    told = list(error_lines(job(errors=25, failed=1200)))
    assert len(told) == 21
    assert told[0] == "pkg:npm/a0: no such version; look at its name and version"
    assert told[-1] == "… 1180 more: entrepot mirror show ab12"
    assert len(list(error_lines(job(errors=20, failed=20)))) == 20


def test_what_is_not_known_to_be_anybodys_mistake_is_to_be_tried_again() -> None:
    one = Mistake(subject="npm/left", error="npm/left: upstream answered 500", code="upstream-status")
    told = list(error_lines(msgspec.structs.replace(job(failed=1), errors=[one])))
    assert told == ["npm/left: upstream answered 500; try again: entrepot mirror retry ab12"]


def test_the_summary_has_every_count_and_why_a_job_failed() -> None:
    ended = job(state="completed_with_errors", total=9, done=3, held=2, absent=1, skipped=2, failed=1, held_bytes=2048)
    assert list(summary_of(ended)) == [
        "mirror job ab12: completed with errors",
        "3 done, 2 held, 1 absent, 0 refused, 2 skipped, 1 failed; 0 B fetched, 2.0 KiB held before",
    ]
    assert next(summary_of(job(state="failed", problem="uv.lock: no lock file"))) == (
        "mirror job ab12: failed: uv.lock: no lock file"
    )


def test_the_exit_status_says_whether_all_some_or_nothing_was_done() -> None:
    assert job(state="completed", total=1, held=1).exit_status == 0
    assert job(state="completed_with_errors", total=2, done=1, failed=1).exit_status == 2
    assert {job(state=state, total=1).exit_status for state in ("failed", "cancelled")} == {1}
    assert job(state="completed", total=1, skipped=1).exit_status == 1
    nothing = job(state="completed")
    assert (nothing.exit_status, list(summary_of(nothing))[1]) == (1, "there was nothing to mirror in what was given")


def test_jobs_are_a_table() -> None:
    assert job_lines([]) == ["nothing was mirrored yet"]
    head, line = job_lines([job(total=10, done=4, failed=1)])
    assert head.split() == ["id", "state", "begun", "files", "failed", "for", "what"]
    assert line.split() == ["ab12", "running", "2026-11-21", "07:30", "5/10", "1", "ci", "uv.lock"]


def test_what_documents_and_registries_say_cannot_steer_a_terminal() -> None:
    one = Mistake(subject="a", error="a: \x1b]0;owned\x07\n\x9bB", code="skipped")
    (told, *_) = error_lines(msgspec.structs.replace(job(failed=1), errors=[one]))
    assert told == "a: �]0;owned���B; the rest is done"
    named = msgspec.structs.replace(job(), name="x\x1b[2J\u202ey")
    assert job_lines([named])[1].endswith("x�[2J�y")
