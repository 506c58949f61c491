"""`entrepot run` with `--record`, `--freeze` and `--replay`: what a build used, in a file, and the same again."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from entrepot.mirror.sources.sbom import read_bill
from tests.cli.house import Done, House
from tests.cli.registry import Registry
from tests.clients.fixture_npm import npm_registry
from tests.clients.fixture_pypi import distributions, pypi_index

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "-q")
NPM = ("npm", "install", "--no-audit", "--no-fund", "--no-update-notifier")
NPM_PROJECT = '{"name": "x", "version": "1.0.0", "dependencies": {"left": "^1.0.0"}}'
WHEELS = {(one.project, one.version): one for one in distributions() if one.filename.endswith(".whl")}

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


def pip(house: House, *options: str, into: str, wanted: str = "acme-app") -> Done:
    return house.process("run", *options, "--", *PIP, "install", "--target", str(house.directory / into), wanted)


def npm(house: House, *options: str, into: str) -> Done:
    place = house.directory / into
    place.mkdir()
    (place / "package.json").write_text(NPM_PROJECT)
    cache = {"npm_config_cache": str(place / "cache")}
    return house.process("run", *options, "--", *NPM, variables=cache, cwd=place)


def good(done: Done) -> Done:
    assert done.status == 0, done.err
    return done


def bill_in(file: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(file.read_text())
    return told


def purls(bill: dict[str, Any]) -> set[str]:
    return {component["purl"] for component in bill["components"]}


def test_pip_installs_and_the_bill_has_just_that_with_digests(house: House) -> None:
    done = good(pip(house, "--record", "build.cdx.json", into="first"))
    assert re.search(r"build.cdx.json: 2 components \(2 files\) were served in session [0-9a-f]{32}", done.err)
    assert "warning" not in done.err
    file = house.directory / "build.cdx.json"
    bill = bill_in(file)
    assert list(read_bill(file.name, file.read_bytes(), validate=True))
    wheels = [WHEELS["acme-app", "2.0"], WHEELS["acme-core", "1.1"]]
    assert {(one["name"], one["version"], one["hashes"][0]["content"]) for one in bill["components"]} == {
        (one.project, one.version, one.sha256) for one in wheels
    }
    assert bill["compositions"] == [{"aggregate": "complete", "assemblies": ["subject"]}]
    also = {one["value"].partition(" ")[2] for one in bill["properties"] if one["name"] == "entrepot:document"}
    assert any(place.startswith("/pypi/simple/acme-core/") for place in also)


@needs_npm
def test_npm_installs_and_an_empty_store_mirrors_exactly_these_files(
    house: House, registry: Registry, tmp_path: Path
) -> None:
    good(npm(house, "--record", "build.cdx.json", into="first"))
    file = house.directory / "first" / "build.cdx.json"
    assert purls(bill_in(file)) == {"pkg:npm/left@1.1.0", "pkg:npm/%40acme/foo@1.1.0"}
    tarballs = {path for path in registry.asked if path.endswith(".tgz")}
    registry.asked.clear()
    good(house.process("mirror", "--sbom", str(file), "--data", str(tmp_path / "other")))
    assert {path for path in registry.asked if path.endswith(".tgz")} == tarballs
    registry.asked.clear()
    good(npm(house, "--data", str(tmp_path / "other"), "--replay", str(file), into="second"))
    lock = json.loads((house.directory / "second" / "package-lock.json").read_text())
    assert lock["packages"]["node_modules/left"]["version"] == "1.1.0"
    assert not registry.asked


def test_a_frozen_run_is_pinned_until_it_is_released(house: House) -> None:
    session = re.search(r"session ([0-9a-f]{32}) is frozen", good(pip(house, "--freeze", into="first")).err)
    assert session
    (pinned,) = json.loads(good(house.process("pins", "--json")).out)
    assert (pinned["job"], pinned["name"]) == (f"session:{session[1]}", Path(sys.executable).name)
    assert pinned["entries"] >= 4
    told = good(house.process("pins", "release", pinned["job"])).out
    assert told.startswith(f"released {pinned['entries']} entries of job session:")
    assert json.loads(good(house.process("pins", "--json")).out) == []
    assert "there is no record of a session" in pip(house, "--replay", session[1], into="again").err


@needs_npm
def test_a_frozen_run_is_replayed_after_newer_versions_came(house: House, registry: Registry) -> None:
    told = good(npm(house, "--freeze", into="first")).err
    session = re.search(r"session ([0-9a-f]{32}) is frozen", told)
    assert session
    registry.files |= npm_registry(f"{registry.url}/npm", later=True)
    good(house.process("invalidate", "npm"))
    newer, again = house.directory / "newer", house.directory / "again"
    good(npm(house, into="newer"))
    registry.asked.clear()
    good(npm(house, "--replay", session[1], into="again"))
    versions = [json.loads((one / "node_modules/left/package.json").read_text())["version"] for one in (newer, again)]
    assert versions == ["1.2.0", "1.1.0"]
    assert not registry.asked


def test_a_run_that_was_only_recorded_is_frozen_when_it_is_replayed(house: House, registry: Registry) -> None:
    session = re.search(r"in session ([0-9a-f]{32})", good(pip(house, "--record", "a.cdx.json", into="first")).err)
    assert session
    registry.files |= pypi_index(registry.url, later=True)
    good(house.process("invalidate", "pypi"))
    good(pip(house, "--replay", session[1], "--record", "b.cdx.json", into="again"))
    first, again = (bill_in(house.directory / name) for name in ("a.cdx.json", "b.cdx.json"))
    assert purls(again) == purls(first) == {"pkg:pypi/acme-app@2.0", "pkg:pypi/acme-core@1.1"}
    refused = pip(house, "--replay", session[1], into="more", wanted="acme-core==1.3")
    assert refused.status == 1


def test_the_bill_of_a_command_that_failed_is_written_and_the_status_is_its_own(house: House) -> None:
    script = "import os, sys, urllib.request as u; u.urlopen(os.environ['PIP_INDEX_URL'] + 'acme-app/'); sys.exit(7)"
    done = house.process("run", "--record", "build.cdx.json", "--", sys.executable, "-c", script)
    assert done.status == 7
    assert bill_in(house.directory / "build.cdx.json")["components"] == []
    assert "note: 1 package looked up without fetching a file (pypi/acme-app)" in done.err


def test_a_bill_of_nothing_says_that_nothing_was_asked_for(house: House) -> None:
    done = good(house.process("run", "--record", "build.cdx.json", "--", "true"))
    assert "no file was asked for" in done.err
    assert [one.name for one in house.directory.glob("*.cdx.json")] == ["build.cdx.json"]


def test_a_bill_that_cannot_be_written_is_told_before_the_command_runs(house: House) -> None:
    done = house.process("run", "--record", "nowhere/build.cdx.json", "--", "touch", "ran")
    assert done.status == 2
    assert "no file can be written there" in done.err
    assert not (house.directory / "ran").exists()


def test_a_replay_of_what_is_not_stored_says_what_is_missing_and_how_to_get_it(house: House, tmp_path: Path) -> None:
    good(pip(house, "--record", "build.cdx.json", into="first"))
    done = pip(house, "--data", str(tmp_path / "other"), "--replay", "build.cdx.json", into="again")
    assert done.status == 2
    assert "2 of its 2 files are not stored with these bytes" in done.err
    assert "`entrepot mirror --sbom build.cdx.json` fetches what is missing" in done.err


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("x.json", '{"bomFormat": "CycloneDX"}', "x.json: it is no bill that `entrepot run --record` has written"),
        ("x.json", "[", "x.json: it is no bill"),
        ("none.json", "", "none.json: no session, and it cannot be read as a bill of one"),
        ("0123456789abcdef", "", "there is no record of a session '0123456789abcdef'"),
    ],
)
def test_what_cannot_be_replayed_is_refused(house: House, name: str, text: str, told: str) -> None:
    if text:
        (house.directory / name).write_text(text)
    done = house.process("run", "--replay", name, "--", "touch", "ran")
    assert (done.status, told in done.err) == (2, True), done.err
    assert not (house.directory / "ran").exists()
