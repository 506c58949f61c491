"""The commands for operators: through a running server, and without one."""

import hashlib
import json
import re
from collections.abc import Iterator

import pytest

from tests.cli.conftest import FILE, STOCK, THING, WHEELS
from tests.cli.house import House, fetch, status_of
from tests.cli.registry import Registry

APP = "pypi/simple/acme-app/"
FIRST = hashlib.sha256(b"the first thing").hexdigest()
OTHER = hashlib.sha256(b"another thing").hexdigest()


@pytest.fixture(params=["at rest", "running"])
def filled(request: pytest.FixtureRequest, stocked: House) -> Iterator[House]:
    """Whatever a command does, it does it through the server, or by itself where there is none."""
    if request.param == "at rest":
        yield stocked
        return
    with stocked.serving():
        yield stocked


def done(house: House, *arguments: str) -> list[str]:
    command = house.entrepot(*arguments)
    assert command.status == 0, command.err
    return command.out.splitlines()


def test_stats_tell_what_was_served_from_where(stocked: House) -> None:
    with stocked.serving() as address:
        for path in (APP, APP, "npm/left"):
            fetch(f"{address}/{path}")
        lines = done(stocked, "stats")
    rows = {line.split()[0]: re.split(r"\s{2,}", line) for line in lines if line.strip()}
    assert rows["pypi"][1:7] == ["2", "2", "100 %", "0", "0", "0"]
    assert rows["npm"][1:3] == ["1", "1"]
    assert rows["together"][1] == "3"
    assert any(re.match(r"stored: \d+ entries, \d+ files, ", line) for line in lines)
    assert "quarantined: 0 files" in lines


def test_stats_outlive_the_server_that_counted(stocked: House) -> None:
    told = json.loads("\n".join(done(stocked, "stats", "--json")))
    assert told["repositories"]["npm"]["misses"] == 3
    assert told["stored"]["entries"] == len(STOCK) + 1


def test_stats_as_metrics_are_prometheus_text(stocked: House) -> None:
    lines = done(stocked, "stats", "--metrics")
    assert 'entrepot_requests_total{outcome="misses",repository="npm"} 3.0' in lines
    assert f"entrepot_stored_entries {len(STOCK) + 1}.0" in lines


def test_stats_say_one_thing_at_a_time(house: House) -> None:
    refused = house.entrepot("stats", "--json", "--metrics")
    assert refused.status == 2
    assert "choose one" in refused.err


@pytest.mark.parametrize("target", ["pypi/simple/acme-app/", "http://127.0.0.1:8080/~abc/pypi/simple/acme-app/"])
def test_one_thing_is_purged_by_its_path_or_address(stocked: House, target: str) -> None:
    assert done(stocked, "purge", target) == ["purged pypi/simple/acme-app/"]
    assert done(stocked, "purge", target) == [f"nothing to do: nothing is kept of {target}"]


def test_a_package_is_purged_with_its_index_and_its_files(filled: House) -> None:
    purged = {line.split()[1] for line in done(filled, "purge", "pkg:pypi/Acme_Core")}
    wheels = {f"pypi/files/acme-core{one.path}" for one in WHEELS if one.project == "acme-core"}
    assert purged == {"pypi/simple/acme-core/", *wheels}


def test_a_version_is_purged_without_the_files_of_others(stocked: House) -> None:
    assert {line.split()[1] for line in done(stocked, "purge", "pkg:npm/left@1.0.0")} == {
        "npm/left",
        "npm/left/-/left-1.0.0.tgz",
    }


def test_everything_that_begins_alike_is_purged_by_a_star(stocked: House) -> None:
    assert len(done(stocked, "purge", "npm/left/-/*")) == 2
    assert len(done(stocked, "purge", "npm")) == 1


@pytest.mark.parametrize("command", ["purge", "invalidate", "forget", "accept"])
def test_a_target_that_cannot_be_meant_is_refused_with_what_there_is(stocked: House, command: str) -> None:
    refused = stocked.entrepot(command, "nonsense/left")
    assert refused.status == 2
    assert refused.err == "entrepot: error: there is no repository 'nonsense'; there are: pypi, npm, plain\n"
    refused = stocked.entrepot(command, "pkg:cargo/serde")
    assert refused.err == "entrepot: error: pkg:cargo/serde: no repository serves packages of type 'cargo'\n"


def test_what_was_invalidated_is_asked_for_again(house: House, registry: Registry) -> None:
    with house.serving() as address:
        fetch(f"{address}/{APP}")
        fetch(f"{address}/{APP}")
        assert registry.asked["/simple/acme-app/"] == 1
        done(house, "invalidate", "pkg:pypi/acme-app")
        fetch(f"{address}/{APP}")
    assert registry.asked["/simple/acme-app/"] == 2


def test_what_was_purged_is_fetched_again(stocked: House, registry: Registry) -> None:
    with stocked.serving() as address:
        done(stocked, "purge", FILE)
        fetch(f"{address}/{FILE}")
    assert registry.asked[THING] == 1


def change_the_thing(house: House, registry: Registry) -> None:
    registry.files[THING] = "application/octet-stream", b"another thing"
    done(house, "purge", FILE)


def test_other_bytes_are_accepted_after_both_digests_were_shown(filled: House, registry: Registry) -> None:
    change_the_thing(filled, registry)
    lines = done(filled, "accept", FILE, "--yes")
    assert f"  remembered  sha256:{FIRST}" in lines
    assert f"  new         sha256:{OTHER}" in lines
    assert lines[-1] == "accepted"


def test_other_bytes_are_served_once_they_are_accepted_and_not_before(stocked: House, registry: Registry) -> None:
    with stocked.serving() as address:
        change_the_thing(stocked, registry)
        assert status_of(f"{address}/{FILE}") == 502
        done(stocked, "accept", f"{address}/{FILE}", OTHER, "--yes")
        assert fetch(f"{address}/{FILE}") == b"another thing"


def test_nothing_is_accepted_when_nobody_can_be_asked(stocked: House, registry: Registry) -> None:
    change_the_thing(stocked, registry)
    refused = stocked.entrepot("accept", FILE)
    assert refused.status == 2
    assert "say --yes" in refused.err
    assert f"sha256:{OTHER}" in "\n".join(done(stocked, "accept", FILE, "--yes"))


def test_a_file_that_upstream_did_not_change_leaves_nothing_to_accept(stocked: House) -> None:
    done(stocked, "purge", FILE)
    assert "nothing to accept" in done(stocked, "accept", FILE, "--yes")[-1]


def test_a_digest_that_is_none_is_refused(stocked: House) -> None:
    refused = stocked.entrepot("accept", FILE, "123", "--yes")
    assert refused.status == 2
    assert "64 hexadecimal digits" in refused.err


def test_a_forgotten_package_may_have_other_bytes(stocked: House, registry: Registry) -> None:
    with stocked.serving() as address:
        change_the_thing(stocked, registry)
        assert done(stocked, "forget", "plain/thing") == [f"forgot {FILE}"]
        assert fetch(f"{address}/{FILE}") == b"another thing"


def test_one_version_is_forgotten_without_the_others(stocked: House) -> None:
    assert done(stocked, "forget", "pkg:npm/left@1.0.0") == ["forgot npm/left/-/left-1.0.0.tgz"]
    assert done(stocked, "forget", "pkg:npm/left") == ["forgot npm/left/-/left-1.1.0.tgz"]


def test_a_package_with_several_files_cannot_be_accepted_as_one(stocked: House) -> None:
    refused = stocked.entrepot("accept", "pkg:npm/left", OTHER)
    assert refused.status == 2
    assert "means 2 files; name one of them" in refused.err
    assert "npm/left/-/left-1.1.0.tgz" in refused.err
