"""Old enough or not: every combination of dates, rules and wishes that matters."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from entrepot.policy.cooldown import Cooldown, Dated, Exemption, PackageAge

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = 86400.0
THREE_DAYS = Cooldown(default=3 * DAY, rule="default")


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def registry(days: float | None) -> Dated:
    """Published so many days ago; None: nobody says when."""
    return Dated(published=None if days is None else ago(days), source="registry")


def author(days: float | None, seen: float | None = None, *, baseline: bool = False) -> Dated:
    first_seen = None if seen is None else ago(seen)
    published = None if days is None else ago(days)
    return Dated(published=published, source="author", first_seen=first_seen, baseline=baseline)


def unnamed(seen: float | None, *, baseline: bool = False) -> Dated:
    first_seen = None if seen is None else ago(seen)
    return Dated(published=None, source="none", first_seen=first_seen, baseline=baseline)


@dataclass(frozen=True)
class Named:
    name: str

    def matches(self, package: str) -> bool:
        return package == self.name


@dataclass(frozen=True)
class Only:
    version: str
    comparable: bool = True

    def admits(self, version: str) -> bool | None:
        return version == self.version if self.comparable else None


def allowed(cooldown: Cooldown, dated: Dated, package: str = "left", version: str = "1.0") -> bool:
    return cooldown.judge(package, version, dated, NOW) is None


@pytest.mark.parametrize(
    ("dated", "old_enough"),
    [
        (registry(4), True),
        (registry(3), True),
        (registry(2.999), False),
        (registry(0), False),
        # A few minutes ahead is a difference of clocks, more is no date at all.
        (registry(-0.002), False),
        (registry(-1), False),
        (registry(None), False),
        # An author's date counts for what was there from the start.
        (author(4, seen=1, baseline=True), True),
        (author(2, seen=1, baseline=True), False),
        # What appeared under our eyes is as young as that, whatever its date says.
        (author(400, seen=1), False),
        (author(400, seen=4), True),
        (author(1, seen=4), False),
        (author(None, seen=4), True),
        (author(-1, seen=4), False),
        (author(None, seen=4, baseline=True), False),
        (unnamed(4), True),
        (unnamed(1), False),
        (unnamed(4, baseline=True), False),
        (unnamed(None), False),
    ],
)
def test_which_date_counts(dated: Dated, old_enough: bool) -> None:
    assert allowed(THREE_DAYS, dated) == old_enough


@pytest.mark.parametrize(
    ("unknown", "dated", "old_enough"),
    [
        ("allow", registry(None), True),
        ("allow", registry(-1), True),
        ("allow", registry(2), False),
        ("allow", unnamed(4, baseline=True), True),
        ("first-seen", registry(None), False),
        ("first-seen", Dated(published=None, source="registry", first_seen=ago(4)), True),
        ("first-seen", Dated(published=None, source="registry", first_seen=ago(2)), False),
        # A date that the registry does tell is not replaced.
        ("first-seen", Dated(published=ago(4), source="registry", first_seen=ago(1)), True),
        ("first-seen", unnamed(4, baseline=True), True),
        ("first-seen", unnamed(1, baseline=True), False),
        ("first-seen", author(-1, seen=4, baseline=True), True),
    ],
)
def test_what_becomes_of_an_unknown_date(
    unknown: Literal["refuse", "first-seen", "allow"], dated: Dated, old_enough: bool
) -> None:
    assert allowed(Cooldown(default=3 * DAY, unknown_date=unknown), dated) == old_enough


def test_a_distrusted_baseline_is_as_old_as_our_first_reading() -> None:
    distrusting = Cooldown(default=3 * DAY, baseline="distrust")
    assert not allowed(distrusting, author(400, seen=1, baseline=True))
    assert allowed(distrusting, author(400, seen=4, baseline=True))


def test_exception_then_package_then_default() -> None:
    cooldown = Cooldown(
        default=3 * DAY,
        packages=(
            PackageAge(pattern=Named("left"), seconds=10 * DAY, rule="packages.left"),
            PackageAge(pattern=Named("ours"), seconds=0, rule="packages.ours"),
            PackageAge(pattern=Named("left"), seconds=0, rule="too late"),
        ),
        exceptions=(
            Exemption(pattern=Named("left"), versions=Only("1.0"), until=NOW + timedelta(seconds=1)),
            Exemption(pattern=Named("left"), versions=Only("2.0"), until=NOW),
            Exemption(pattern=Named("left"), versions=Only("3.0", comparable=False)),
            Exemption(pattern=Named("right")),
        ),
    )
    five_days = registry(5)
    assert allowed(cooldown, registry(0), "left", "1.0")
    assert not allowed(cooldown, five_days, "left", "2.0")
    assert not allowed(cooldown, five_days, "left", "3.0")
    assert allowed(cooldown, registry(0), "right", "1.0")
    assert allowed(cooldown, registry(None), "ours", "1.0")
    assert allowed(cooldown, five_days, "other", "1.0")
    assert not allowed(cooldown, registry(1), "other", "1.0")
    assert cooldown.next_change(NOW) == NOW + timedelta(seconds=1)
    assert cooldown.next_change(NOW + timedelta(seconds=1)) is None


def test_a_refusal_names_date_age_rule_and_when_it_ends() -> None:
    refusal = THREE_DAYS.judge("left", "1.3.0", registry(2), NOW)
    assert refusal is not None
    assert (refusal.kind, refusal.status, refusal.rule) == ("cooldown", 403, "default")
    assert refusal.until == NOW + timedelta(days=1)
    assert refusal.reason == (
        "left 1.3.0 was published at 2026-11-18 12:00 UTC and must be 3 days old; "
        "it may be used from 2026-11-21 12:00 UTC"
    )


@pytest.mark.parametrize(
    ("dated", "words"),
    [
        (author(400, seen=1), "first seen at 2026-11-19 12:00 UTC"),
        (registry(None), "nobody says when it was published"),
        (registry(-1), "its date, 2026-11-21 12:00 UTC, lies ahead"),
    ],
)
def test_a_refusal_says_what_is_wrong_with_the_date(dated: Dated, words: str) -> None:
    refusal = THREE_DAYS.judge("left", "1.3.0", dated, NOW)
    assert refusal is not None
    assert words in refusal.reason


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3 * DAY, "3 days"), (DAY + 7200, "1 day 2 hours"), (DAY + 60, "1 day"), (90, "1 minute"), (1, "than a minute")],
)
def test_ages_are_told_in_words(seconds: float, words: str) -> None:
    refusal = Cooldown(default=seconds).judge("left", "1", registry(0), NOW)
    assert refusal is not None
    assert f"{words} old" in refusal.reason


def test_nothing_newer_exists_in_a_dated_view() -> None:
    view = Cooldown(as_of=ago(10))
    assert view.judge("left", "1", registry(10), NOW) is None
    refusal = view.judge("left", "2", registry(9), NOW)
    assert refusal is not None
    assert (refusal.kind, refusal.status, refusal.until) == ("as-of", 404, None)
    assert "2026-11-11 12:00 UTC" in refusal.reason


def test_the_earlier_of_two_dates_of_a_view_counts() -> None:
    for own, asked in ((10, 20), (20, 10)):
        view = Cooldown(as_of=ago(own))
        assert view.judge("left", "1", registry(15), NOW, ago(asked)) is not None
        assert view.judge("left", "1", registry(25), NOW, ago(asked)) is None


def test_first_seen_says_nothing_of_the_world_of_that_day() -> None:
    assert Cooldown().judge("m", "v1", author(400, seen=1), NOW, ago(300)) is None
    assert Cooldown(unknown_date="first-seen").judge("m", "v1", author(None, seen=400), NOW, ago(300)) is not None


def test_a_dated_view_is_no_way_round_the_cooldown() -> None:
    refusal = THREE_DAYS.judge("m", "v1", author(400, seen=1), NOW, ago(300))
    assert refusal is not None
    assert refusal.kind == "cooldown"
    exempt = Cooldown(default=3 * DAY, exceptions=(Exemption(pattern=Named("m")),))
    assert exempt.judge("m", "v1", author(400, seen=1), NOW, ago(300)) is None
    assert exempt.judge("m", "v1", author(200, seen=1), NOW, ago(300)) is not None


def test_what_has_no_date_is_in_no_dated_view_unless_that_is_allowed() -> None:
    assert Cooldown().judge("left", "1", registry(None), NOW, ago(1)) is not None
    assert Cooldown(unknown_date="allow").judge("left", "1", registry(None), NOW, ago(1)) is None
    assert Cooldown(unknown_date="allow").judge("left", "1", registry(-1), NOW, ago(1)) is not None


def test_ages_matter_only_where_something_asks_for_them() -> None:
    assert not Cooldown().asks("left", "1", NOW)
    assert Cooldown().asks("left", "1", NOW, ago(1))
    assert THREE_DAYS.asks("left", "1", NOW)
    assert not Cooldown(default=3 * DAY, exceptions=(Exemption(pattern=Named("left")),)).asks("left", "1", NOW)


@pytest.mark.parametrize(
    ("dated", "words"),
    [
        (registry(2), "it may be used from 2026-11-21 12:00 UTC"),
        (registry(4), "dated by the registry), not seen in a list; default asks for 3 days: it may be used"),
        (author(9, seen=8, baseline=True), "dated by its author), first seen at 2026-11-12 12:00 UTC, from the start"),
    ],
)
def test_the_account_tells_the_whole_reckoning(dated: Dated, words: str) -> None:
    assert words in THREE_DAYS.account("left", "1", dated, NOW)
