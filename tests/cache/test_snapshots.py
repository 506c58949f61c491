"""Which generation of a signed group is wanted."""

from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from entrepot.cache.snapshots import OLDER, TOO_YOUNG, Held, candidates, kept_seconds
from entrepot.policy.cooldown import Cooldown

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = 86400.0


def held(*days: float) -> list[Held]:
    """Generations that were published so many days ago, the latest first."""
    return [Held(number=len(days) - place, published_at=NOW - timedelta(days=ago)) for place, ago in enumerate(days)]


@pytest.mark.parametrize(
    ("days", "wanted"),
    [
        ((3, 5), [(2, ""), (1, OLDER)]),
        ((1, 3, 5), [(2, OLDER), (1, OLDER), (3, TOO_YOUNG)]),
        ((0.5, 1), [(1, TOO_YOUNG), (2, TOO_YOUNG)]),
        ((0,), [(1, TOO_YOUNG)]),
    ],
)
def test_what_is_old_enough_is_wanted_first_and_then_the_oldest(
    days: tuple[float, ...], wanted: list[tuple[int, str]]
) -> None:
    found = candidates(held(*days), Cooldown(default=2 * DAY), NOW)
    assert [(one.held.number, one.detail) for one in found] == wanted


def test_it_is_reckoned_anew_when_the_next_one_is_old_enough() -> None:
    found = candidates(held(0.5, 1, 5), Cooldown(default=2 * DAY), NOW)
    assert found[0].until == (NOW + timedelta(days=1)).timestamp()
    assert found[0].refusal is not None
    assert candidates(held(3), Cooldown(default=2 * DAY), NOW)[0].until == inf


def test_a_dated_view_wants_what_there_was_then() -> None:
    found = candidates(held(1, 3, 5), Cooldown(), NOW, as_of=NOW - timedelta(days=2))
    assert [(one.held.number, one.detail) for one in found] == [(2, OLDER), (1, OLDER), (3, TOO_YOUNG)]


def test_generations_are_kept_for_as_long_as_an_age_may_want_them() -> None:
    assert kept_seconds(None) == 0
    assert kept_seconds(Cooldown(default=DAY)) == DAY
    assert kept_seconds(Cooldown(as_of=NOW)) == inf
