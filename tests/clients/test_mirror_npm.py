"""The only test that counts: mirror, pull the plug, install with npm, pnpm and yarn, caches empty."""

import json
from collections.abc import Iterable

import pytest

from tests.clients.buyers import NPM, PNPM, YARN, Buyer
from tests.clients.conftest import Opener
from tests.clients.fixture_npm import Files, dated_npm, npm_registry
from tests.clients.room import Room, missing
from tests.clients.shop import Shop

MANY = [f"many-{number}" for number in range(100)]
WISHES = dict.fromkeys(MANY, "1") | {"left": "^1.0.0", "odd": "1", "old": "*", "aka": "npm:@acme/foo@1.0.0"}
PROJECT = json.dumps({"name": "mine", "version": "1.0.0", "dependencies": WISHES})
LOCKING = {
    NPM: ("npm", "install", "--no-audit"),
    PNPM: ("pnpm", "install", "--no-frozen-lockfile"),
    YARN: ("yarn", "install"),
}


def _stock(url: str) -> Files:
    return npm_registry(url) | dated_npm(url, {name: {"1.0.0": "2024-01-01T10:00:00.000Z"} for name in MANY})


def _locked(shop: Shop, buyer: Buyer) -> Room:
    """A room in which a client has locked and installed."""
    room = shop.room()
    buyer.prepare(room, "")
    room.write("package.json", PROJECT)
    room.run(*LOCKING[buyer])
    return room


def _mirror(shop: Shop, *arguments: str, locks: Iterable[tuple[Buyer, Room]] = ()) -> None:
    files = (f"--lockfile={room.project / buyer.locked_by[-1]}" for buyer, room in locks)
    shop.served.entrepot("mirror", *arguments, *files)


def test_mir_01_mir_02_what_lock_files_pin_is_mirrored_once_and_installed_without_upstream(opened: Opener) -> None:
    buyers = [buyer for buyer in LOCKING if not missing(*buyer.needs)]
    if not buyers:
        pytest.skip(missing(*NPM.needs))
    shop = opened("npm", stock=_stock)
    locked = {buyer: _locked(shop, buyer) for buyer in buyers}
    shop.start_anew()

    _mirror(shop, locks=locked.items())
    shop.registry.forget()
    _mirror(shop, locks=locked.items())
    assert shop.registry.artifacts_asked == []

    shop.go_offline()
    for buyer, before in locked.items():
        after = shop.room()
        buyer.buy_again(after, before)
        assert after.installed() == before.installed(), buyer.name
        assert len(after.installed()) > 2 * len(MANY), buyer.name


@pytest.mark.skipif(bool(missing(*NPM.needs)), reason=missing(*NPM.needs))
def test_mir_02_a_package_comes_with_its_dependencies_and_is_installed_by_name(opened: Opener) -> None:
    shop = opened("npm")
    _mirror(shop, "pkg:npm/left@^1.0.0", "--latest", "1", "--dependencies", "runtime")
    assert not shop.registry.asked("left-1.0.0.tgz")
    shop.go_offline()

    room = shop.room()
    room.write("package.json", '{"name": "mine", "version": "1.0.0"}')
    # The audit is asked for in vain, and that is no reason to fail.
    assert "added 2 packages" in room.run("npm", "install", "left@^1.0.0", "--audit")

    assert {"node_modules/left/index.js", "node_modules/@acme/foo/index.js"} <= room.installed().keys()
