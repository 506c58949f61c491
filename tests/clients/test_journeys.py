"""An ordinary day of each client: cold, with empty caches, and an hour later without the registry."""

import pytest

from tests.clients.conftest import Opener
from tests.clients.journeys import GO, NPM, PIP, PNPM, UV, Journey
from tests.clients.room import Room, missing
from tests.clients.shop import HOUR, Shop

WORKERS = {PIP: 1, UV: 2, NPM: 2, PNPM: 1, GO: 2}


def _install(shop: Shop, journey: Journey) -> Room:
    room = shop.room()
    journey.install(room)
    installed = room.installed()
    lost = [name for name in journey.brings if not any(path.endswith(name) for path in installed)]
    assert not lost, sorted(installed)
    return room


@pytest.mark.parametrize("journey", WORKERS, ids=lambda journey: journey.client)
def test_what_was_installed_once_is_installed_again_without_upstream(opened: Opener, journey: Journey) -> None:
    if reason := missing(*journey.commands):
        pytest.skip(reason)
    shop = opened(journey.ecosystem, workers=WORKERS[journey])

    first = _install(shop, journey)
    asked = shop.registry.artifacts_asked
    assert asked
    assert len(asked) == len(set(asked)), "each file comes once"
    assert all("entrepot" in seen.headers["via"] for seen in shop.registry.requests), "nothing goes past us"

    shop.registry.forget()
    again = _install(shop, journey)
    assert shop.registry.artifacts_asked == []
    assert again.installed() == first.installed()

    shop.registry.go_dark()
    shop.restart(later=HOUR)
    offline = _install(shop, journey)
    assert offline.installed() == first.installed()
