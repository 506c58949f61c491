"""Age, lifetime and stale windows: RFC 9111 §4.2 and RFC 5861, with the overrides of a repository."""

from dataclasses import replace
from math import inf

import pytest

from entrepot.cache.freshness import (
    HEURISTIC_MOST,
    FreshnessRules,
    age_of,
    fresh_until,
    is_fresh,
    lifetime,
    next_check,
    stale_for,
    storable,
)
from entrepot.model.headers import Headers, http_date
from entrepot.model.resource import Kind, Resource
from tests.cache.builders import FILE, INDEX, NOON, RULES, SIGNED, after, entry_of

UPSTREAM_SAYS = FreshnessRules(mutable_ttl=None)
DATE = ("date", http_date(NOON))


def test_artifacts_are_fresh_for_ever_unless_told_otherwise() -> None:
    assert lifetime(entry_of(), FILE, RULES) == inf
    assert lifetime(entry_of(), FILE, FreshnessRules(immutable_ttl=60)) == 60


def test_the_ecosystems_lifetime_goes_before_the_repositorys() -> None:
    suggested = Resource(key="a", path="a", kind=Kind.SIGNED, mutable_ttl=7)
    assert lifetime(entry_of(), suggested, RULES) == 7
    assert lifetime(entry_of(), SIGNED, RULES) == 300


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ([("cache-control", "max-age=60")], 60),
        ([("cache-control", "s-maxage=30, max-age=60")], 30),
        ([("cache-control", "max-age=60, s-maxage=30")], 30),
        ([("cache-control", "max-age=60"), DATE, ("expires", http_date(after(10)))], 60),
        ([("cache-control", 'max-age="60"')], 60),
        ([("cache-control", "no-cache, max-age=60")], 0),
        ([("cache-control", "max-age=soon")], 0),
        ([("cache-control", "max-age=-1")], 0),
        ([("cache-control", "max-age=²")], 0),
        ([("cache-control", "max-age")], 0),
        ([DATE, ("expires", http_date(after(90)))], 90),
        ([DATE, ("expires", http_date(after(-90)))], 0),
        ([DATE, ("expires", "0")], 0),
        ([("expires", http_date(after(90)))], 90),
        ([("date", "never"), ("expires", http_date(after(90)))], 90),
        ([DATE, ("last-modified", http_date(after(-1000)))], 100),
        ([("last-modified", http_date(after(-1000)))], 100),
        ([DATE, ("last-modified", http_date(after(-400 * 86400)))], HEURISTIC_MOST),
        ([DATE, ("last-modified", http_date(after(1000)))], 0),
        ([DATE, ("last-modified", "yesterday")], 0),
        ([DATE], 0),
        ([], 0),
    ],
)
def test_what_upstream_says_counts_where_the_repository_leaves_it_to_it(
    fields: list[tuple[str, str]], seconds: float
) -> None:
    assert lifetime(entry_of(fields), INDEX, UPSTREAM_SAYS) == seconds


@pytest.mark.parametrize(
    ("age", "later", "expected"),
    [("", 10, 10), ("5", 10, 15), ("five", 10, 10), ("²", 10, 10), ("", -10, 0), ("5", -10, 5)],
)
def test_age_counts_from_the_validation_and_includes_upstreams_own(age: str, later: float, expected: float) -> None:
    entry = entry_of([("age", age)] if age else [])
    assert age_of(entry, after(later)) == expected


@pytest.mark.parametrize(
    ("seconds", "fresh"), [(0, True), (299, True), (300, False), (-60, True), (-300, True), (-301, False)]
)
def test_an_index_is_fresh_within_its_lifetime_and_not_trusted_longer_when_the_clock_steps_back(
    seconds: float, fresh: bool
) -> None:
    assert is_fresh(entry_of(), INDEX, RULES, after(seconds)) is fresh


def test_a_small_step_of_the_clock_does_not_make_short_lived_things_stale() -> None:
    assert is_fresh(entry_of(), INDEX, FreshnessRules(mutable_ttl=5), after(-60))
    assert not is_fresh(entry_of(), INDEX, FreshnessRules(mutable_ttl=5), after(-61))


def test_the_age_that_upstream_sent_is_taken_off_the_lifetime() -> None:
    entry = entry_of([("age", "100")])
    assert fresh_until(entry, INDEX, RULES) == after(200).timestamp()


def test_a_lifetime_of_zero_is_never_fresh() -> None:
    assert not is_fresh(entry_of(), INDEX, FreshnessRules(mutable_ttl=0), NOON)


def test_an_artifact_is_fresh_whatever_the_clock_says() -> None:
    assert fresh_until(entry_of(), FILE, RULES) == inf
    assert is_fresh(entry_of(), FILE, RULES, after(-1e9))


@pytest.mark.parametrize("resource", [FILE, INDEX])
def test_what_was_marked_expired_is_not_fresh(resource: Resource) -> None:
    entry = entry_of(expired=True)
    assert fresh_until(entry, resource, RULES) == 0
    assert not is_fresh(entry, resource, RULES, NOON)


def test_staleness_counts_from_the_end_of_freshness() -> None:
    assert stale_for(entry_of(), INDEX, RULES, after(310)) == 10
    assert stale_for(entry_of(), INDEX, RULES, after(10)) == 0
    assert stale_for(entry_of(), FILE, RULES, after(1e9)) == 0


def test_staleness_of_what_was_marked_counts_from_its_validation() -> None:
    assert stale_for(entry_of(expired=True), FILE, RULES, after(10)) == 10
    assert stale_for(entry_of(expired=True), FILE, RULES, after(-10)) == 0


@pytest.mark.parametrize(
    ("failures", "retry_after", "seconds"),
    [(1, None, 30), (2, None, 60), (4, None, 240), (5, None, 300), (1000, None, 300), (1, 10, 30), (1, 900, 900)],
)
def test_the_wait_after_failures_doubles_up_to_a_cap_and_obeys_retry_after(
    failures: int, retry_after: float | None, seconds: float
) -> None:
    assert next_check(failures, RULES, NOON, retry_after) == after(seconds)


PASS = Resource(key="a", path="a", kind=Kind.PASS)
POST = Resource(key="a", path="a", kind=Kind.INDEX, method="POST")


@pytest.mark.parametrize(
    ("status", "fields", "resource", "stored"),
    [
        (200, [], INDEX, True),
        (203, [], INDEX, False),
        (206, [], FILE, False),
        (404, [], FILE, False),
        (200, [], PASS, False),
        (200, [], POST, False),
        (200, [("vary", "Accept"), ("vary", "accept-encoding")], INDEX, True),
        (200, [("vary", "Accept, Cookie")], INDEX, False),
        (200, [("vary", "*")], INDEX, False),
        (200, [("cache-control", "no-store")], FILE, True),
        (200, [("cache-control", "private")], FILE, True),
    ],
)
def test_what_may_be_stored(status: int, fields: list[tuple[str, str]], resource: Resource, stored: bool) -> None:
    assert storable(status, Headers(fields), resource, RULES) is stored


@pytest.mark.parametrize("directive", ["no-store", "private", 'private="set-cookie"', "max-age=9, No-Store"])
def test_upstreams_wish_not_to_be_stored_is_obeyed_where_asked(directive: str) -> None:
    obeying = replace(RULES, obey_no_store=True)
    assert not storable(200, Headers([("cache-control", directive)]), FILE, obeying)
    assert storable(200, Headers([("cache-control", "max-age=9")]), FILE, obeying)
