"""What clients see of a registry that fails, that was changed on the way, or that has something new."""

import hashlib

import pytest

from tests.clients.conftest import Opener
from tests.clients.goods import MODULE, TARBALL, WHEEL, Good, forged
from tests.clients.journeys import GO, NPM, PIP, PNPM, UV, Journey
from tests.clients.room import ClientFailed, Room, missing
from tests.clients.shop import HOUR, Shop

NEWS = {
    UV: (WHEEL, 500, "site/acme_core-1.3.dist-info/METADATA", "Version: 1.3"),
    NPM: (TARBALL, 429, "node_modules/left/package.json", '"version": "1.2.0"'),
    GO: (MODULE, 503, "go.mod", "go.example/hello v1.2.0"),
}
"""What is published, how the registry fails before that is seen, and the file whose text tells the new version."""
GOODS = {PIP: WHEEL, UV: WHEEL, NPM: TARBALL, PNPM: TARBALL, GO: MODULE}


def _need(journey: Journey) -> None:
    if reason := missing(*journey.commands):
        pytest.skip(reason)


def _installed(shop: Shop, journey: Journey) -> Room:
    room = shop.room()
    journey.install(room)
    return room


@pytest.mark.parametrize("journey", NEWS, ids=lambda journey: journey.client)
def test_what_is_new_comes_after_the_lifetime_and_failures_change_nothing(opened: Opener, journey: Journey) -> None:
    _need(journey)
    good, status, place, news = NEWS[journey]
    shop = opened(journey.ecosystem)
    first = _installed(shop, journey).installed()

    shop.registry.files = good.later(shop.registry.url)
    shop.registry.failure = status, {"retry-after": "30"} if status == 429 else {}
    shop.restart(later=HOUR)
    assert _installed(shop, journey).installed() == first

    shop.registry.failure = None
    shop.restart(later=2 * HOUR)
    assert news in _installed(shop, journey).read(place)


@pytest.mark.parametrize("journey", GOODS, ids=lambda journey: journey.client)
def test_a_file_that_was_changed_on_its_way_fails_the_install_and_is_not_kept(opened: Opener, journey: Journey) -> None:
    _need(journey)
    good: Good = GOODS[journey]
    shop = opened(journey.ecosystem)
    changed = forged(good, shop.registry.files[good.upstream][1])
    shop.registry.instead = {good.upstream: changed}

    with pytest.raises(ClientFailed):
        _installed(shop, journey)
    assert hashlib.sha256(changed).hexdigest() not in shop.served.blobs()

    shop.registry.instead = {}
    assert shop.get(good.path).status == 200, "it is asked for again, and right now"
