"""The next step for every state of an entry (policy §4), and what a failed validation means for it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from entrepot.cache.freshness import FreshnessRules
from entrepot.cache.plan import (
    Download,
    Drop,
    Fail,
    Forbid,
    Gone,
    Keep,
    Miss,
    Serve,
    Step,
    Validate,
    Wish,
    absence_stands,
    after_failure,
    may_stand_in,
    next_step,
)
from entrepot.errors import (
    Absent,
    DigestMismatch,
    EntrepotError,
    StoreFailure,
    Unreachable,
    UnreadableIndex,
    UpstreamBusy,
    UpstreamStatus,
    UpstreamTimeout,
)
from entrepot.model.entry import Entry
from tests.cache.builders import FILE, INDEX, NOON, RULES, after, entry_of

ANY, STORED_ONLY, NO_CACHE = Wish(), Wish(stored_only=True), Wish(no_cache=True)
ALWAYS = FreshnessRules(mutable_ttl=0)
WEEK = 7 * 86400.0


@pytest.mark.parametrize(
    ("entry", "wish", "rules", "seconds", "step"),
    [
        pytest.param(None, ANY, RULES, 0, Download(), id="nothing stored"),
        pytest.param(None, STORED_ONLY, RULES, 0, Miss(), id="nothing stored, no contact allowed"),
        pytest.param(entry_of(), ANY, RULES, 299, Serve(entry_of()), id="fresh"),
        pytest.param(entry_of(), NO_CACHE, RULES, 299, Serve(entry_of()), id="a client's no-cache is ignored"),
        pytest.param(
            entry_of(),
            NO_CACHE,
            replace(RULES, honour_client_no_cache=True),
            10,
            Validate(entry_of()),
            id="unless the repository honours it",
        ),
        pytest.param(entry_of(), ANY, RULES, 599, Serve(entry_of(), "while-revalidate", refresh=True), id="just stale"),
        pytest.param(entry_of(), ANY, RULES, 600, Validate(entry_of()), id="stale"),
        pytest.param(entry_of(expired=True), ANY, RULES, 10, Validate(entry_of(expired=True)), id="marked expired"),
        pytest.param(entry_of(), ANY, replace(RULES, conditional=False), 601, Download(), id="no conditional requests"),
        pytest.param(
            entry_of(), ANY, replace(RULES, conditional=False), 310, Download(), id="nor while revalidating then"
        ),
        pytest.param(entry_of(), ANY, ALWAYS, 0, Validate(entry_of()), id="a lifetime of zero asks each time"),
        pytest.param(entry_of(), STORED_ONLY, RULES, 601, Serve(entry_of(), "stored-only"), id="stored only, stale"),
        pytest.param(entry_of(), STORED_ONLY, RULES, 301 + WEEK, Miss(), id="stored only, too stale"),
    ],
)
def test_the_next_step(entry: Entry | None, wish: Wish, rules: FreshnessRules, seconds: float, step: Step) -> None:
    assert next_step(entry, INDEX, wish, rules, after(seconds)) == step


def test_an_artifact_is_served_without_contact_for_ever() -> None:
    assert next_step(entry_of(), FILE, ANY, RULES, after(1e9)) == Serve(entry_of())


def failing(seconds_from_noon: float) -> Entry:
    return entry_of(failures=1, next_check_at=after(seconds_from_noon))


def test_after_a_failure_the_stale_entry_is_served_until_the_next_check() -> None:
    entry = failing(900)
    assert next_step(entry, INDEX, ANY, RULES, after(899)) == Serve(entry, "upstream-failed")
    assert next_step(entry, INDEX, ANY, RULES, after(900)) == Validate(entry)


def test_a_stale_entry_beyond_its_window_is_asked_about_though_the_next_check_is_ahead() -> None:
    entry = failing(301 + WEEK + 60)
    assert next_step(entry, INDEX, ANY, RULES, after(301 + WEEK)) == Validate(entry)


def test_a_next_check_in_the_far_future_is_a_clock_step_and_counts_as_now() -> None:
    entry = failing(700 + 3601)
    assert next_step(entry, INDEX, ANY, RULES, after(700)) == Validate(entry)
    long = replace(RULES, backoff=(30.0, 7200.0))
    assert next_step(entry, INDEX, ANY, long, after(700)) == Serve(entry, "upstream-failed")


def test_just_stale_after_a_failure_is_refreshed_behind_once_the_next_check_is_due() -> None:
    entry = failing(330)
    assert next_step(entry, INDEX, ANY, RULES, after(320)) == Serve(entry, "upstream-failed")
    assert next_step(entry, INDEX, ANY, RULES, after(331)) == Serve(entry, "while-revalidate", refresh=True)


@pytest.mark.parametrize(
    ("wish", "seconds", "step"),
    [
        (ANY, 0, Gone()),
        (ANY, 44, Gone()),
        (ANY, 45, Download()),
        (ANY, -1, Download()),
        (STORED_ONLY, 0, Miss()),
        (STORED_ONLY, 99, Miss()),
    ],
)
def test_what_upstream_took_back_is_gone_for_the_negative_lifetime_and_then_asked_for_anew(
    wish: Wish, seconds: float, step: Step
) -> None:
    assert next_step(entry_of(gone_at=NOON), INDEX, wish, RULES, after(seconds)) == step


def test_an_operator_need_not_wait_until_what_was_taken_back_is_asked_for_anew() -> None:
    assert next_step(entry_of(gone_at=NOON, expired=True), INDEX, ANY, RULES, after(1)) == Download()


def checked_later(seconds: float, wait: float, failures: int = 1) -> Entry:
    return entry_of(failures=failures, next_check_at=after(seconds + wait))


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (Unreachable("refused"), "upstream-failed"),
        (UpstreamTimeout("silence"), "upstream-failed"),
        (UpstreamStatus("a", 500), "upstream-failed"),
        (UpstreamStatus("a", 429), "upstream-failed"),
        (UpstreamStatus("a", 403), "forbidden-upstream"),
        (UpstreamStatus("a", 401), "forbidden-upstream"),
        (UnreadableIndex("garbage"), "unreadable-index"),
        (StoreFailure("no space"), "store-failure"),
    ],
)
def test_a_failed_validation_keeps_the_entry(error: EntrepotError, detail: str) -> None:
    outcome = after_failure(entry_of(), error, INDEX, RULES, after(700))
    assert outcome == Keep(checked_later(700, 30), detail)


def test_validated_at_never_moves_in_a_failure() -> None:
    outcome = after_failure(entry_of(), Unreachable("refused"), INDEX, RULES, after(700))
    assert isinstance(outcome, Keep)
    assert outcome.entry.validated_at == NOON


def test_failures_in_a_row_wait_longer() -> None:
    entry = entry_of(failures=2)
    outcome = after_failure(entry, Unreachable("refused"), INDEX, RULES, after(700))
    assert isinstance(outcome, Keep)
    assert outcome.entry.next_check_at == after(700 + 120)


def test_retry_after_is_obeyed() -> None:
    outcome = after_failure(entry_of(), UpstreamBusy("o", 900, "Retry-After"), INDEX, RULES, after(700))
    assert outcome == Keep(checked_later(700, 900), "upstream-failed")


def test_beyond_the_window_a_failure_is_told() -> None:
    at = 301 + WEEK
    outcome = after_failure(entry_of(), Unreachable("refused"), INDEX, RULES, after(at))
    assert outcome == Fail(checked_later(at, 30))


@pytest.mark.parametrize("gone", [False, True])
def test_what_upstream_took_back_is_dropped_or_served_as_the_repository_says(gone: bool) -> None:
    error = Absent("a", gone=gone)
    assert after_failure(entry_of(), error, INDEX, RULES, after(700)) == Drop(entry_of(gone_at=after(700)))
    serving = replace(RULES, gone="serve")
    assert after_failure(entry_of(), error, INDEX, serving, after(700)) == Keep(checked_later(700, 30), "gone-upstream")


def test_what_upstream_forbids_is_dropped_where_the_repository_says_so() -> None:
    dropping = replace(RULES, forbidden="drop")
    outcome = after_failure(entry_of(), UpstreamStatus("a", 403), INDEX, dropping, after(700))
    assert outcome == Forbid()


def test_an_artifact_within_its_lifetime_survives_any_outage() -> None:
    outcome = after_failure(entry_of(), Unreachable("refused"), FILE, RULES, NOON + timedelta(days=400))
    assert isinstance(outcome, Keep)


@pytest.mark.parametrize(
    ("error", "rules", "seconds", "stands"),
    [
        (Unreachable("no connection"), RULES, 3600, True),
        (UpstreamTimeout("silence"), RULES, 3600, True),
        (UpstreamBusy("registry.example", 5, "the breaker is open"), RULES, 3600, True),
        (UpstreamStatus("a/", 503), RULES, 3600, True),
        (UpstreamStatus("a/", 403), RULES, 3600, True),
        (UpstreamStatus("a/", 403), replace(RULES, forbidden="drop"), 3600, False),
        (Unreachable("no connection"), RULES, 45 + WEEK, True),
        (Unreachable("no connection"), RULES, 46 + WEEK, False),
        (Unreachable("no connection"), RULES, -1, False),
        (DigestMismatch("a/", "sha256:0", "sha256:1"), RULES, 3600, False),
        (StoreFailure("no disk"), RULES, 3600, False),
    ],
)
def test_a_404_is_told_again_while_upstream_cannot_be_asked_anew(
    error: EntrepotError, rules: FreshnessRules, seconds: float, stands: bool
) -> None:
    assert absence_stands(entry_of(gone_at=NOON, sha256=""), error, rules, after(seconds)) is stands


def test_an_outage_is_no_404_for_what_upstream_has() -> None:
    assert not absence_stands(entry_of(), Unreachable("no connection"), RULES, after(3600))


@pytest.mark.parametrize(
    ("entry", "rules", "seconds", "stands"),
    [
        pytest.param(entry_of(), RULES, 3600, True, id="expired"),
        pytest.param(entry_of(), RULES, 300 + WEEK, True, id="at the end of its window"),
        pytest.param(entry_of(), RULES, 301 + WEEK, False, id="beyond its window"),
        pytest.param(entry_of(expired=True), RULES, 3600, False, id="marked expired by an operator"),
        pytest.param(entry_of(), ALWAYS, 3600, False, id="to be asked about each time"),
        pytest.param(entry_of(), replace(RULES, conditional=False), 3600, False, id="to be fetched each time"),
        pytest.param(entry_of(gone_at=NOON), RULES, 3600, True, id="gone"),
        pytest.param(entry_of(gone_at=NOON), RULES, 46 + WEEK, False, id="gone too long ago"),
    ],
)
def test_what_is_told_while_upstream_says_nothing(
    entry: Entry, rules: FreshnessRules, seconds: float, stands: bool
) -> None:
    assert may_stand_in(entry, INDEX, rules, after(seconds)) is stands
