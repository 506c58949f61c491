"""The environment of a run."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from entrepot.cli.environment import environment_of
from entrepot.contracts.ecosystem import Client, ConfigFile

PLAIN = Client(name="plain", command="plain", variables={"PLAIN_INDEX": "{url}/simple/", "PLAIN_HOST": "{host}"})
FILED = Client(
    name="filed",
    command="filed",
    files=(ConfigFile(variable="FILED_CONFIG", name="filed.conf", content="registry = {url} {keep: this}\n"),),
)


def made(own: Mapping[str, str], directory: Path, *repositories: str) -> dict[str, str]:
    clients = dict.fromkeys(repositories, (PLAIN, FILED))
    return environment_of(own, clients, lambda name: f"http://127.0.0.1:4711/~abc/{name}", directory)


def test_variables_name_address_and_host(tmp_path: Path) -> None:
    environment = made({}, tmp_path, "one")
    assert environment["PLAIN_INDEX"] == "http://127.0.0.1:4711/~abc/one/simple/"
    assert environment["PLAIN_HOST"] == "127.0.0.1"


def test_a_client_without_a_variable_for_it_gets_a_file(tmp_path: Path) -> None:
    path = Path(made({}, tmp_path, "one")["FILED_CONFIG"])
    assert path.parent == tmp_path
    assert path.read_text() == "registry = http://127.0.0.1:4711/~abc/one {keep: this}\n"


def test_of_two_repositories_with_the_same_clients_the_first_has_them(tmp_path: Path) -> None:
    environment = made({}, tmp_path, "one", "other")
    assert environment["PLAIN_INDEX"] == "http://127.0.0.1:4711/~abc/one/simple/"
    assert "/~abc/one " in Path(environment["FILED_CONFIG"]).read_text()


def test_a_file_that_names_hosts_has_those_of_all_repositories(tmp_path: Path) -> None:
    text = "{host} = {registry} {insecure}\n"
    file = ConfigFile(variable="HOSTS_CONFIG", name="hosts.conf", content="# by Entrepot\n", per_host=text)
    clients = dict.fromkeys(("one", "none", "other"), (Client(name="hosts", command="hosts", files=(file,)),))
    hosts = {"one": ["a.example", "b.example"], "other": ["c.example"]}
    found = environment_of(
        {}, clients, lambda name: f"http://127.0.0.1:4711/~abc/{name}", tmp_path, lambda name: hosts.get(name, [])
    )
    assert Path(found["HOSTS_CONFIG"]).read_text().splitlines() == [
        "# by Entrepot",
        "a.example = 127.0.0.1:4711/session-abc/one true",
        "b.example = 127.0.0.1:4711/session-abc/one true",
        "c.example = 127.0.0.1:4711/session-abc/other true",
    ]


def test_no_file_names_hosts_where_nothing_stands_for_any(tmp_path: Path) -> None:
    file = ConfigFile(variable="HOSTS_CONFIG", name="hosts.conf", content="", per_host="{host}")
    clients = {"one": (Client(name="hosts", command="hosts", files=(file,)),)}
    assert "HOSTS_CONFIG" not in environment_of({}, clients, lambda name: f"http://x/{name}", tmp_path)


def test_everything_else_stays(tmp_path: Path) -> None:
    own = {"HOME": "/home/me", "PLAIN_EXTRA": "https://more.example/", "PLAIN_INDEX": "https://before.example/"}
    environment = made(own, tmp_path, "one")
    assert environment["HOME"] == "/home/me"
    assert environment["PLAIN_EXTRA"] == "https://more.example/"
    assert environment["PLAIN_INDEX"].startswith("http://127.0.0.1:4711/")
    assert "NO_PROXY" not in environment


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_requests_to_us_do_not_go_through_a_proxy(variable: str, tmp_path: Path) -> None:
    environment = made({variable: "http://proxy.example:3128", "NO_PROXY": "intern.example"}, tmp_path, "one")
    assert environment["NO_PROXY"] == "intern.example,127.0.0.1"
    assert environment["no_proxy"] == "127.0.0.1"


def test_an_exception_that_is_there_is_not_repeated(tmp_path: Path) -> None:
    own = {"http_proxy": "http://proxy.example:3128", "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1,x.example"}
    environment = made(own, tmp_path, "one", "other")
    assert (environment["no_proxy"], environment["NO_PROXY"]) == ("127.0.0.1", "127.0.0.1,x.example")


# --- clients that only arguments can point at us ---------------------------------------------------------------------

TALKATIVE = Client(name="talk", command="talk", arguments=("--config", "at='{url}/'"))


def talk(directory: Path, *words: str, repositories: tuple[str, ...] = ("one",)) -> list[str]:
    """What the client is called with in the end."""
    own = directory / "own"
    own.mkdir()
    (own / "talk").write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    (own / "talk").chmod(0o755)
    made = environment_of(
        {"PATH": f"{own}:{os.environ['PATH']}"},
        dict.fromkeys(repositories, (TALKATIVE,)),
        lambda name: f"http://127.0.0.1:4711/{name}",
        directory,
    )
    done = subprocess.run(
        ["sh", "-c", 'talk "$@"', "sh", *words], env=made, capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.splitlines()


def test_arguments_are_put_before_those_of_the_command(tmp_path: Path) -> None:
    told = talk(tmp_path, "build", "a b")
    assert told == ["--config", "at='http://127.0.0.1:4711/one/'", "build", "a b"]


def test_the_choice_of_a_toolchain_stays_in_front(tmp_path: Path) -> None:
    told = talk(tmp_path, "+nightly", "build")
    assert told == ["+nightly", "--config", "at='http://127.0.0.1:4711/one/'", "build"]


def test_of_two_repositories_the_first_has_the_arguments(tmp_path: Path) -> None:
    assert "at='http://127.0.0.1:4711/one/'" in talk(tmp_path, repositories=("one", "other"))


def test_nothing_stands_before_a_client_that_is_not_installed(tmp_path: Path) -> None:
    made = environment_of({"PATH": str(tmp_path)}, {"one": (TALKATIVE,)}, lambda name: "http://x", tmp_path)
    assert made == {"PATH": str(tmp_path)}
