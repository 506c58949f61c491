"""`entrepot explain`, and what a configuration would have refused: the same words as the server's."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import WHEELS
from tests.cli.house import House, fetch, status_of

APP = "pypi/simple/acme-app/"
FILE = next(f"pypi/files/{one.project}{one.path}" for one in WHEELS if one.project == "acme-app")
LEFT = ("npm/left", "npm/left/-/left-1.0.0.tgz", "npm/left/-/left-1.1.0.tgz")
COOLDOWN = '\n[repositories.pypi.cooldown]\ndefault = "36500d"\n'
DENIED = """
[[repositories.npm.rules]]
package = "left"
version = "<1.1.0"
mode = "deny"
"""


def configure(house: House, more: str) -> Path:
    path = house.directory / "entrepot.toml"
    path.write_text(house.config + more)
    return path


def explained(house: House, target: str) -> dict[str, dict[str, str]]:
    command = house.entrepot("explain", "--json", target)
    assert command.status == 0, command.err
    return {one["resource"]: one["facts"] for one in json.loads(command.out)}


def test_a_stored_file_is_explained_through_a_server_and_without_one(stocked: House) -> None:
    alone = explained(stocked, FILE)
    with stocked.serving():
        served = explained(stocked, FILE)
    (facts,) = alone.values()
    assert facts["class"] == "immutable (built in)"
    assert facts["freshness"] == "for ever"
    assert facts["now"] == "served from the store"
    assert served == alone


def test_a_package_url_explains_the_index_and_the_files_of_a_version(stocked: House) -> None:
    found = explained(stocked, "pkg:pypi/acme-app@2.0")
    assert next(iter(found)) == APP
    assert [name for name in found if name.endswith("acme_app-2.0-py3-none-any.whl")]


def test_a_refusal_is_explained_in_the_words_that_the_client_gets(stocked: House) -> None:
    configure(stocked, COOLDOWN)
    with stocked.serving() as address:
        assert status_of(f"{address}/{FILE}") == 403
        (facts,) = explained(stocked, FILE).values()
    assert facts["now"].startswith("refused with 403: ")
    assert re.search(r"entrepot\.toml:\d+ repositories\.pypi\.cooldown\.default", facts["now"])
    assert "dated by the registry" in facts["age of the version"]


def test_a_rule_is_named_with_its_line(stocked: House) -> None:
    configure(stocked, DENIED)
    (facts,) = explained(stocked, "npm/left/-/left-1.0.0.tgz").values()
    assert facts["now"].startswith("refused with 403: npm/left/-/left-1.0.0.tgz: ")
    assert re.search(r"entrepot\.toml:\d+ repositories\.npm\.rules\[0\]", facts["now"])


def test_what_is_not_stored_says_what_a_miss_gets(house: House) -> None:
    configure(house, '\n[[repositories.npm.rules]]\npackage = "left"\nmode = "none"\n')
    (facts,) = explained(house, "npm/left").values()
    assert facts["stored"] == "no"
    assert facts["on a miss"].startswith("none (")
    assert facts["now"] == "not stored: none"


@pytest.mark.parametrize("target", ["nowhere/left", "pkg:cargo/serde", "npm/left/-/nothing"])
def test_what_is_served_nowhere_cannot_be_explained(house: House, target: str) -> None:
    command = house.entrepot("explain", target)
    assert command.status == 2
    assert command.err.startswith("entrepot: error: ")


# --- recorded traffic -------------------------------------------------------------------------------------------------


def recorded(house: House) -> Path:
    """The log of a server that refused nothing."""
    log = house.directory / "access.log"
    plain = house.config.replace('access_log = "off"', f'access_log = "{log}"')
    (house.directory / "entrepot.toml").write_text(plain)
    with house.serving() as address:
        for path in (APP, FILE, FILE, *LEFT, "npm/none"):
            status_of(f"{address}/{path}") if path == "npm/none" else fetch(f"{address}/{path}")
    return log


def test_a_configuration_is_held_against_recorded_traffic(stocked: House) -> None:
    log = recorded(stocked)
    config = configure(stocked, COOLDOWN + DENIED)
    command = stocked.entrepot("config", "check", str(config), "--against", str(log))
    assert command.status == 0, command.err
    lines = command.out.splitlines()
    assert lines[1] == "6 answered requests: 3 would have been refused"
    rules = [re.sub(r"^ *(\d+) .*entrepot\.toml:\d+ ", r"\1 ", line) for line in lines[2:] if "toml" in line]
    assert [rule for rule in rules if re.match(r"\d ", rule)] == [
        "2 repositories.pypi.cooldown.default",
        "1 repositories.npm.rules[0]",
    ]


def test_traffic_that_the_policy_allows_is_not_refused(stocked: House) -> None:
    log = recorded(stocked)
    config = configure(stocked, "")
    lines = stocked.entrepot("config", "check", str(config), "--against", str(log)).out.splitlines()
    assert lines[1:] == ["6 answered requests: 0 would have been refused"]


def test_a_log_that_is_none_is_named_with_its_line(stocked: House) -> None:
    log = stocked.directory / "other.log"
    log.write_text("GET / 200\n")
    config = configure(stocked, "")
    command = stocked.entrepot("config", "check", str(config), "--against", str(log))
    assert command.status == 2
    assert f"{log}:1: no line of an access log of ours" in command.err
