"""npm and pnpm: names, forms, lock files, and what goes through to the registry."""

import gzip
import json

import pytest

from tests.clients.conftest import Opener, Standing
from tests.clients.fixture_npm import npm_registry
from tests.clients.room import missing

ABBREVIATED = "application/vnd.npm.install-v1+json"
AS_PNPM = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*"
AS_NPM = "application/json"
PROJECT = '{"name": "mine", "version": "1.0.0"}'

with_npm = pytest.mark.skipif(bool(missing("npm", "node")), reason=missing("npm", "node"))
with_pnpm = pytest.mark.skipif(bool(missing("pnpm", "node")), reason=missing("pnpm", "node"))


def test_the_greeting_names_each_variable_once(standing: Standing) -> None:
    greeting = standing["npm"].served.log().splitlines()
    exports = [line for line in greeting if line.startswith("  export ")]
    assert "  export npm_config_registry=" + standing["npm"].url + "/" in exports
    assert len(exports) == len(set(exports))


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_scoped_name_has_three_spellings_and_one_document(standing: Standing) -> None:
    shop = standing["npm"]
    got = [shop.get(path) for path in ("@acme%2ffoo", "@acme%2Ffoo", "@acme/foo")]

    assert {one.status for one in got} == {200}
    assert len({one.body for one in got}) == 1
    assert shop.registry.asked("foo") == ["/@acme%2ffoo"]


@with_npm
def test_npm_installs_a_scoped_package_of_an_exact_version(standing: Standing) -> None:
    room = standing["npm"].room()
    room.write("package.json", PROJECT)

    room.run("npm", "install", "@acme/foo@1.0.0")

    assert json.loads(room.read("node_modules/@acme/foo/package.json"))["version"] == "1.0.0"


@with_npm
def test_tags_lead_where_upstream_says(standing: Standing) -> None:
    shop = standing["npm"]
    room = shop.room()

    assert json.loads(room.run("npm", "view", "left@beta", "version", "--json")) == "2.0.0-beta.1"
    assert json.loads(shop.get("-/package/left/dist-tags").body) == {"latest": "1.1.0", "beta": "2.0.0-beta.1"}


# --- forms: mistake 1 of protocols.md §7 ------------------------------------------------------------------------------


def test_the_abbreviated_form_is_for_those_who_ask_for_it_and_dates_for_all_others(standing: Standing) -> None:
    shop = standing["npm"]

    short, full, plain = shop.get("left", ("accept", AS_PNPM)), shop.get("left", ("accept", AS_NPM)), shop.get("left")

    assert (short.headers.get("content-type"), "time" in json.loads(short.body)) == (ABBREVIATED, False)
    assert json.loads(full.body)["time"]["1.1.0"] == "2024-06-01T10:00:00.000Z"
    assert plain.body == full.body
    assert shop.registry.asked("/left") == ["/left"], "all forms are made from one stored document"


@with_npm
def test_npm_shows_the_dates_of_versions(standing: Standing) -> None:
    dates = json.loads(standing["npm"].room().run("npm", "view", "left", "time", "--json"))
    assert dates["1.0.0"] == "2024-05-01T10:00:00.000Z"


@with_npm
def test_the_audit_goes_through_to_the_registry_and_back(opened: Opener) -> None:
    shop = opened("npm")
    room = shop.room()
    room.write("package.json", PROJECT)
    room.run("npm", "install", "left", "--no-audit")
    assert shop.registry.asked(method="POST") == []

    assert "found 0 vulnerabilities" in room.run("npm", "audit")

    asked = [seen for seen in shop.registry.requests if seen.method == "POST"]
    assert [seen.path for seen in asked] == ["/-/npm/v1/security/advisories/bulk"]
    assert json.loads(gzip.decompress(asked[0].body)).keys() == {"left", "@acme/foo"}


@with_npm
def test_an_audit_that_upstream_does_not_answer_stops_no_install(opened: Opener) -> None:
    shop = opened("npm", stock=lambda url: {k: v for k, v in npm_registry(url).items() if "/security/" not in k})
    room = shop.room()
    room.write("package.json", PROJECT)

    room.run("npm", "install", "left")

    assert shop.registry.asked(method="POST") == ["/-/npm/v1/security/advisories/bulk"]
    assert "left/index.js" in "\n".join(room.installed())


def test_head_is_answered_for_documents_too(standing: Standing) -> None:
    shop = standing["npm"]
    assert shop.get("left", method="HEAD").headers.get("content-length") == str(len(shop.get("left").body))


def test_what_would_change_the_registry_is_refused_in_words_and_never_forwarded(standing: Standing) -> None:
    shop = standing["npm"]

    refused = shop.get("left", method="PUT")

    assert refused.status == 405
    assert "does not publish" in json.loads(refused.body)["error"]
    assert shop.registry.asked(method="PUT") == []


# --- where tarballs are: mistake 11 -----------------------------------------------------------------------------------


def test_tarballs_are_found_where_the_document_says(standing: Standing) -> None:
    shop = standing["npm"]
    dist = json.loads(shop.get("odd").body)["versions"]["1.0.0"]["dist"]
    path = dist["tarball"].removeprefix(f"{shop.url}/")

    assert shop.get(path).body == shop.registry.files["/downloads/odd/1.0.0/archive.tgz"][1]


def test_a_registry_below_a_path_is_asked_below_that_path(opened: Opener) -> None:
    shop = opened("npm", stock=lambda url: npm_registry(f"{url}/mirrors/npm"), mount="/mirrors/npm/")

    assert shop.get("left/-/left-1.1.0.tgz").status == 200
    assert shop.get("@acme/foo/-/foo-1.1.0.tgz").status == 200
    assert shop.get("odd/-/odd-1.0.0.tgz").status == 200
    assert "/downloads/odd/1.0.0/archive.tgz" in shop.registry.asked(), "beside the path, on the same host"


def test_attestations_lead_to_us_and_signatures_are_untouched(standing: Standing) -> None:
    shop = standing["npm"]
    ours = json.loads(shop.get("@acme/foo").body)["versions"]["1.1.0"]["dist"]
    theirs = json.loads(shop.registry.files["/@acme%2ffoo"][1])["versions"]["1.1.0"]["dist"]

    assert ours["attestations"]["url"].startswith(f"{shop.url}/-/npm/v1/attestations/")
    path = ours["attestations"]["url"].removeprefix(f"{shop.url}/")
    assert json.loads(shop.get(path).body) == {"attestations": []}
    assert [ours[name] for name in ("integrity", "shasum", "signatures")] == [
        theirs[name] for name in ("integrity", "shasum", "signatures")
    ]
    assert shop.get("-/npm/v1/keys").body == b'{"keys":[]}'


# --- lock files -------------------------------------------------------------------------------------------------------


@with_npm
def test_a_lock_of_npm_does_not_name_us_and_installs_cold(opened: Opener) -> None:
    shop = opened("npm")
    first = shop.room()
    first.write("package.json", PROJECT)
    first.run("npm", "install", "left", "odd", "old")
    lock = first.read("package-lock.json")
    assert "127.0.0.1" not in lock
    assert '"integrity": "sha512-' in lock

    shop.start_anew()
    second = shop.room()
    second.write("package.json", first.read("package.json"))
    second.write("package-lock.json", lock)
    second.run("npm", "ci")

    assert second.installed() == first.installed()


@with_pnpm
def test_a_lock_of_pnpm_does_not_name_us_and_installs_cold_without_index(opened: Opener) -> None:
    shop = opened("npm")
    first = shop.room()
    first.write("package.json", PROJECT)
    first.run("pnpm", "add", "left", "odd", "old")
    lock = first.read("pnpm-lock.yaml")
    assert "127.0.0.1" not in lock

    shop.start_anew()
    second = shop.room()
    second.write("package.json", first.read("package.json"))
    second.write("pnpm-lock.yaml", lock)
    second.run("pnpm", "install", "--frozen-lockfile")

    assert second.installed() == first.installed()
    shop.served.stop()
    asked = shop.served.log().rpartition("Entrepot serves")[2]
    assert '"path":"/npm/left/-/left-1.1.0.tgz"' in asked
    assert '"path":"/npm/left"' not in asked, "pnpm itself asked for no index"
