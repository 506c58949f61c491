"""Cargo itself, in front of a registry on this machine."""

import hashlib
import json
import os
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entrepot.ecosystems.cargo_clients import CARGO
from tests.clients.conftest import Opener
from tests.clients.fixture_cargo import Crates, dated_cargo
from tests.clients.room import ClientFailed, Room, missing
from tests.clients.shop import HOUR, Shop
from tests.rogue import KeptPort

pytestmark = pytest.mark.skipif(bool(missing("cargo")), reason=missing("cargo"))

PROJECT = '[package]\nname = "mine"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\n'
GATE = '[source.crates-io]\nreplace-with = "gate"\n\n[source.gate]\nregistry = "sparse+{url}/index/"\n'
HELLO = {"hello": "1"}
BROUGHT = {"hello-1.1.0", "Capital-0.3.1", "dash-ed-1.0.0+build.5", "a-1.0.0", "tool-1.0.0"}
LATEST = "/api/v1/crates/hello/1.1.0/download"
# Where cargo is a proxy of rustup's, that looks for toolchains below the home directory.
TOOLCHAINS = os.environ.get("RUSTUP_HOME") or str(Path.home() / ".rustup")
VARIABLES = {"RUSTUP_HOME": TOOLCHAINS, "CARGO_NET_RETRY": "0", "CARGO_TERM_COLOR": "never"}


def ago(days: float) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def project(shop: Shop, wishes: dict[str, str], lock: str = "", more: str = "", **variables: str) -> Room:
    """A new machine, set up as our documentation says, with a program that depends on crates."""
    room = replace(shop.room(), variables={**VARIABLES, **variables})
    configure(room, CARGO.setup.replace("{url}", room.url) + more)
    write(room, wishes, lock)
    return room


def configure(room: Room, text: str) -> None:
    (room.home / ".cargo").mkdir(parents=True)
    (room.home / ".cargo" / "config.toml").write_text(text)


def write(room: Room, wishes: dict[str, str], lock: str = "") -> None:
    room.write("Cargo.toml", PROJECT + "".join(f'{name} = "{wish}"\n' for name, wish in wishes.items()))
    (room.project / "src").mkdir()
    room.write("src/lib.rs", "")
    if lock:
        room.write("Cargo.lock", lock)


def fetch(room: Room, *arguments: str) -> str:
    return room.run("cargo", "fetch", *arguments)


def crates(room: Room) -> set[str]:
    """What cargo verified and unpacked."""
    return {path.name for path in (room.home / ".cargo/registry/src").glob("*/*") if path.is_dir()}


def locked(room: Room) -> dict[str, str]:
    return dict(re.findall(r'name = "(.*)"\nversion = "(.*)"\nsource', room.read("Cargo.lock")))


def change(shop: Shop, text: str) -> None:
    """The server started again, with more of a configuration."""
    shop.served.stop()
    shop.served.reconfigure(lambda config: config + text)
    shop.served.start()


def test_cold_each_file_is_asked_for_once_and_the_lock_file_does_not_name_us(opened: Opener) -> None:
    shop = opened("cargo")
    room = project(shop, HELLO)

    fetch(room)

    assert crates(room) == BROUGHT
    assert "127.0.0.1" not in room.read("Cargo.lock")
    asked = shop.registry.asked()
    assert sorted(asked) == sorted(set(asked))
    assert len(shop.registry.artifacts_asked) == len(BROUGHT)
    assert "/api/v1/crates/dash-ed/1.0.0+build.5/download" in asked


def test_warm_nothing_is_asked_and_later_only_whether_anything_changed(opened: Opener) -> None:
    shop = opened("cargo")
    fetch(project(shop, HELLO))
    shop.registry.forget()

    fetch(project(shop, HELLO))
    assert shop.registry.requests == []

    shop.restart(later=HOUR)
    room = project(shop, HELLO)
    fetch(room)
    assert crates(room) == BROUGHT
    assert shop.registry.artifacts_asked == []
    assert all("if-none-match" in seen.headers for seen in shop.registry.requests)


def test_cargo_itself_is_told_that_an_index_file_has_not_changed(opened: Opener) -> None:
    shop = opened("cargo")
    room = project(shop, HELLO)
    fetch(room)
    room.run("cargo", "update")
    first = shop.get("he/ll/hello")
    again = shop.get("he/ll/hello", ("if-none-match", first.headers.get("etag")))
    assert (first.body, again.status) == (shop.registry.files["/index/he/ll/hello"][1], 304)
    assert shop.get("he/ll/hello", method="HEAD").headers.get("content-length") == str(len(first.body))


def test_offline_cargo_resolves_and_fetches_from_what_is_stored(opened: Opener) -> None:
    shop = opened("cargo")
    first = project(shop, HELLO)
    fetch(first)
    shop.go_offline()

    unlocked, pinned = project(shop, HELLO), project(shop, HELLO, first.read("Cargo.lock"))
    fetch(unlocked)
    fetch(pinned, "--locked")

    assert crates(unlocked) == crates(pinned) == BROUGHT
    assert unlocked.read("Cargo.lock") == first.read("Cargo.lock")
    with pytest.raises(ClientFailed, match=r"got 504\s+body:\s+cargo/to/ol/toolbox: .*offline"):
        fetch(project(shop, {"toolbox": "1"}))


def test_a_crate_that_was_changed_on_its_way_is_refused_and_never_stored(opened: Opener) -> None:
    shop = opened("cargo")
    right = shop.registry.files[LATEST][1]
    wrong = right[:-20] + bytes([right[-20] ^ 1]) + right[-19:]
    shop.registry.instead = {LATEST: wrong}
    room = project(shop, HELLO)

    with pytest.raises(ClientFailed, match="got 502"):
        fetch(room)
    assert "hello-1.1.0" not in crates(room)
    assert hashlib.sha256(wrong).hexdigest() not in shop.served.blobs()

    shop.registry.instead = {}
    fetch(room)
    assert crates(room) == BROUGHT


def test_a_registry_may_keep_its_crates_by_digest(opened: Opener) -> None:
    def stock(url: str) -> dict[str, tuple[str, bytes]]:
        made = Crates(url, dl="{url}/{prefix}/{lowerprefix}/{sha256-checksum}.crate")
        body = made.publish("Hello", "1.0.0")
        made.crates = {f"/He/ll/he/ll/{hashlib.sha256(body).hexdigest()}.crate": ("application/gzip", body)}
        return made.files

    room = project(opened("cargo", stock=stock), {"Hello": "1"})
    fetch(room)
    assert crates(room) == {"Hello-1.0.0"}


def test_a_crate_that_does_not_exist_is_absent_in_all_spellings_and_not_asked_for_again(opened: Opener) -> None:
    shop = opened("cargo")
    for _ in range(2):
        with pytest.raises(ClientFailed, match="no matching package"):
            fetch(project(shop, {"no-such_crate": "1"}))
    asked = [path for path in shop.registry.asked() if "no-/su" in path or "no_/su" in path]
    assert "/index/no/-s/no-such_crate" in shop.registry.asked()
    assert len(shop.registry.asked()) == len(set(shop.registry.asked()))
    assert asked == []


# --- policy -----------------------------------------------------------------------------------------------------------

COOLDOWN = '[repositories.cargo.cooldown]\ndefault = "3d"\n'
YOUNG = {"1.0.0": ago(400), "1.1.0": ago(10), "1.2.0": ago(2)}


def young(url: str) -> dict[str, tuple[str, bytes]]:
    return dated_cargo(url, {"young": YOUNG, "newborn": {"0.1.0": ago(1)}})


def test_cargo_gets_the_newest_that_is_old_enough_and_is_told_why_not_the_young_one(opened: Opener) -> None:
    shop = opened("cargo", stock=young)
    free = project(shop, {"young": "1"})
    fetch(free)
    assert locked(free) == {"young": "1.2.0"}
    change(shop, COOLDOWN)

    guarded = project(shop, {"young": "1"})
    fetch(guarded)
    assert locked(guarded) == {"young": "1.1.0"}

    told = r"got 403\s+body:\s+cargo/crates/young/1\.2\.0/\w+: .*was published at \d{4}-.*cooldown\.default"
    with pytest.raises(ClientFailed, match=told):
        fetch(project(shop, {"young": "1"}, free.read("Cargo.lock")), "--locked")
    with pytest.raises(ClientFailed, match=r"got 403\s+body:\s+cargo/ne/wb/newborn: .*cooldown\.default"):
        fetch(project(shop, {"newborn": "0.1"}))


def test_refused_versions_may_be_left_out_without_changing_a_line(opened: Opener) -> None:
    shop = opened("cargo", stock=young)
    change(shop, 'options.refused = "absent"\n' + COOLDOWN)
    whole = shop.registry.files["/index/yo/un/young"][1].splitlines(keepends=True)
    assert shop.get("yo/un/young").body == b"".join(whole[:2])
    room = project(shop, {"young": "1"})
    fetch(room)
    assert locked(room) == {"young": "1.1.0"}


def test_a_dated_view_shows_the_registry_as_it_was(opened: Opener) -> None:
    shop = opened("cargo", stock=young)
    day = ago(100)[:10]
    room = replace(shop.room(), variables=VARIABLES)
    dated = shop.url.replace("/cargo", f"/@{day}/cargo")
    configure(room, CARGO.setup.replace("{url}", dated))
    write(room, {"young": "1"})

    fetch(room)

    assert locked(room) == {"young": "1.0.0"}
    assert json.loads(shop.served.get(f"/@{day}/cargo/config.json").body)["dl"].startswith(f"{shop.url}/crates/")


# --- mirroring, running, tokens ---------------------------------------------------------------------------------------


def test_mir_01_mir_02_what_cargo_lock_pins_is_mirrored_once_and_fetched_without_upstream(opened: Opener) -> None:
    shop = opened("cargo")
    room = project(shop, HELLO | {"old": "=0.1.0"})
    fetch(room)
    shop.start_anew()

    order = ("--lockfile", str(room.project / "Cargo.lock"))
    shop.served.entrepot("mirror", *order)
    shop.registry.forget()
    shop.served.entrepot("mirror", *order)
    assert shop.registry.artifacts_asked == []

    shop.go_offline()
    offline = project(shop, HELLO | {"old": "=0.1.0"}, room.read("Cargo.lock"))
    fetch(offline, "--locked")
    assert crates(offline) == BROUGHT | {"old-0.1.0"}


def test_mir_02_a_purl_with_its_dependencies_can_be_resolved_without_upstream(opened: Opener) -> None:
    shop = opened("cargo")
    arguments = ("--dependencies", "runtime", "--platform", "linux/amd64", "--latest", "1")
    shop.served.entrepot("mirror", "pkg:cargo/hello@^1", *arguments)
    assert "/api/v1/crates/a/1.0.0/download" not in shop.registry.artifacts_asked
    shop.go_offline()

    room = project(shop, HELLO)
    fetch(room, "--target", "x86_64-unknown-linux-gnu")

    assert crates(room) == BROUGHT - {"a-1.0.0"}


def test_run_goes_through_us_whatever_files_say_and_asks_the_registry_that_they_name(
    opened: Opener, tmp_path: Path
) -> None:
    shop = opened("cargo")
    room = replace(shop.room(), variables=VARIABLES)
    configure(room, GATE.replace("{url}", shop.registry.url))
    write(room, HELLO)
    nowhere = KeptPort()
    (tmp_path / "entrepot.toml").write_text(f'[server]\nlisten = "127.0.0.1:{nowhere.number}"\n')
    entrepot = str(Path(sys.executable).with_name("entrepot"))
    places = ("--config", str(tmp_path / "entrepot.toml"), "--data", str(tmp_path / "data"))

    told = room.run(entrepot, "run", *places, "--", "cargo", "fetch")

    assert re.search(r"entrepot: cargo: 11 requests, 0 hits, 11 misses;", told), told
    assert crates(room) == BROUGHT
    again = room.run(entrepot, "run", *places, "--", "sh", "-c", "rm -r ~/.cargo/registry && cargo fetch --locked")
    assert "entrepot: cargo: 11 requests, 11 hits" in again
    assert len(shop.registry.requests) == 11


def test_with_a_token_cargo_sends_it_everywhere(opened: Opener) -> None:
    shop = opened("cargo")
    digest = hashlib.sha256(b"entrepot_a-token").hexdigest()
    token = f'[[tokens]]\nname = "ci"\nsha256 = "{digest}"\nrepositories = ["*"]\n'
    change(shop, f"options.auth_required = true\n{token}")
    provider = '\ncredential-provider = "cargo:token"\n'

    room = project(shop, HELLO, "", provider, CARGO_REGISTRIES_ENTREPOT_TOKEN="Bearer entrepot_a-token")
    fetch(room)

    assert crates(room) == BROUGHT
    with pytest.raises(ClientFailed, match="token"):
        fetch(project(shop, HELLO))
