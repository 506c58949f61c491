"""`entrepot doctor`."""

import fcntl
import os
import re
from pathlib import Path

import pytest

from tests.cli.house import Done, House
from tests.cli.registry import Registry


@pytest.fixture
def tools(house: House, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only programs that are installed: none, until a test puts one there."""
    directory = house.directory / "tools"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    return directory


def install(tools: Path, name: str, says: str = "") -> None:
    program = tools / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)


def finding(done: Done, subject: str) -> str:
    """What is said of a subject, with the remedy, on one line."""
    _, _, behind = done.out.partition(f" {subject}: ")
    assert behind, done.out
    said = re.split(r"\n(?! {11,})", behind)[0]
    return " ".join(said.split())


@pytest.mark.usefixtures("tools")
def test_all_is_well_beside_a_running_server(stocked: House) -> None:
    with stocked.serving() as address:
        done = stocked.entrepot("doctor")
    assert done.status == 0
    assert "PROBLEM" not in done.out
    assert finding(done, "server").startswith(f"running at {address}, process ")
    assert re.match(r"[1-9]\d* were read again and are what they should be", finding(done, "files"))
    assert "answered" in finding(done, "pypi")
    assert finding(done, "clock") == "agrees with the upstreams'"


@pytest.mark.usefixtures("tools")
def test_all_is_well_without_a_server(stocked: House) -> None:
    done = stocked.entrepot("doctor", "--full")
    assert done.status == 0
    assert finding(done, "server") == ("none is running entrepot serve starts one; `entrepot run` brings its own")
    assert finding(done, "files").startswith("all ")


@pytest.mark.usefixtures("tools")
def test_a_new_user_has_no_problem(house: House) -> None:
    done = house.entrepot("doctor")
    assert done.status == 0
    assert "does not exist yet" in finding(done, "data directory")


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("arguments", [[], ["--full"]])
def test_bytes_that_changed_on_the_disk_are_found(stocked: House, arguments: list[str]) -> None:
    changed = next((stocked.data / "blobs").glob("*/*"))
    changed.chmod(0o600)
    changed.write_bytes(b"x" * changed.stat().st_size)
    done = stocked.entrepot("doctor", *arguments)
    assert done.status == 1
    assert "were changed on the disk" in finding(done, "files")
    assert "quarantine" in finding(done, "files")


@pytest.mark.usefixtures("tools")
def test_a_catalog_that_cannot_be_opened_is_a_problem(house: House) -> None:
    (house.data / "catalog.db").mkdir(parents=True)
    done = house.entrepot("doctor")
    assert done.status == 1
    assert "catalog.db" in finding(done, "store")


@pytest.mark.usefixtures("tools")
def test_others_who_can_write_to_the_data_directory_are_a_problem(stocked: House) -> None:
    stocked.data.chmod(0o777)
    done = stocked.entrepot("doctor")
    assert done.status == 1
    assert finding(done, "data directory").endswith(f"others can write to it chmod -R go-w {stocked.data}")


@pytest.fixture
def gone(house: House) -> str:
    """The address of a registry that nobody runs any more."""
    with Registry().open() as registry:
        url = registry.url
    (house.directory / "entrepot.toml").write_text(
        f'[repositories.pypi]\necosystem = "pypi"\nupstreams = ["{url}/simple/"]\n'
    )
    return url


@pytest.mark.usefixtures("tools")
def test_an_upstream_that_cannot_be_reached_is_a_problem(house: House, gone: str) -> None:
    done = house.entrepot("doctor")
    assert done.status == 1
    assert gone.removeprefix("http://") in finding(done, "pypi")
    assert "entrepot config show" in finding(done, "pypi")


def test_a_client_that_is_not_installed_is_not_spoken_of(house: House, tools: Path) -> None:
    install(tools, "pip")
    done = house.entrepot("doctor")
    assert "pip: " in done.out
    assert "uv: " not in done.out


def test_a_client_that_goes_past_us_is_told_how_to_come_here(house: House, tools: Path) -> None:
    install(tools, "npm", says="https://registry.example/")
    with house.serving() as address:
        done = house.entrepot("doctor")
    assert done.status == 0
    assert "npm: goes past us, to https://registry.example/ (`npm config get registry`)\n" in done.out
    assert f"npm config set registry {address}/npm/\n" in done.out


def test_a_client_that_comes_through_us_is_fine(house: House, tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tools, "pip")
    with house.serving() as address:
        monkeypatch.setenv("PIP_INDEX_URL", f"{address}/pypi/simple/")
        done = house.entrepot("doctor")
    assert done.status == 0
    assert finding(done, "pip").startswith(f"comes through us: {address}/pypi/simple/ (the environment variable")


def test_a_client_that_leads_to_us_while_nobody_is_there_is_a_problem(
    house: House, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tools, "pip")
    monkeypatch.setenv("ENTREPOT_SERVER__LISTEN", "127.0.0.1:9")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/pypi/simple/")
    done = house.entrepot("doctor")
    assert done.status == 1
    assert finding(done, "pip").endswith("where nobody answers start the server: entrepot serve")


def test_a_client_that_leads_to_a_repository_we_do_not_have_is_a_problem(
    house: House, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tools, "pip")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:8080/python/simple/")
    done = house.entrepot("doctor")
    assert done.status == 1
    assert "there is no repository 'python'" in finding(done, "pip")


def test_credentials_of_clients_are_not_shown(house: House, tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tools, "pip")
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:s3cret@packages.example/simple/")
    done = house.entrepot("doctor")
    assert "https://packages.example/simple/" in finding(done, "pip")
    assert "s3cret" not in done.out + done.err


def test_further_sources_of_a_client_are_told(house: House, tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tools, "pip")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://more.example/simple/")
    assert "PIP_EXTRA_INDEX_URL is set" in house.entrepot("doctor").out


def test_a_project_file_tells_where_a_client_goes(house: House, tools: Path) -> None:
    install(tools, "npm")
    (house.directory / ".npmrc").write_text("registry=https://project.example/npm/\n")
    assert (
        f"goes past us, to https://project.example/npm/ ({house.directory / '.npmrc'})" in house.entrepot("doctor").out
    )


def test_a_server_that_hangs_is_a_problem(stocked: House, tools: Path) -> None:
    with (stocked.data / "server.lock").open("w") as lock:
        lock.write(str(os.getpid()))
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = stocked.entrepot("doctor")
    assert done.status == 1
    assert f"kill {os.getpid()}" in finding(done, "server")
