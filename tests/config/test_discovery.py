"""Which upstreams are found on a machine."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from entrepot.config.addresses import own_addresses
from entrepot.config.discovery import Resolved, resolve
from entrepot.config.load import load
from entrepot.config.machine import Machine
from entrepot.config.settings import Server
from entrepot.errors import ConfigError
from tests.config.shelf import ECOSYSTEMS

NPM = '[repositories.a]\necosystem = "npm"\n'
PYPI = '[repositories.a]\necosystem = "pypi"\n'
GOLANG = '[repositories.a]\necosystem = "golang"\n'


class Here:
    """A machine in a directory: a home, a working directory, a folder of commands."""

    def __init__(self, directory: Path) -> None:
        self.home, self.work, self.commands = (directory / name for name in ("home", "home/work/project", "bin"))
        self.work.mkdir(parents=True)
        self.commands.mkdir()
        self.environment = {"HOME": str(self.home), "PATH": f"{self.commands}:/usr/bin:/bin"}

    def has_command(self, name: str, script: str) -> None:
        command = self.commands / name
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)

    def resolves(self, text: str | None, overrides: Mapping[str, object] | None = None) -> Resolved:
        file = self.home / "entrepot.toml"
        if text is not None:
            file.write_text(text)
        loaded = load(file if text is not None else None, {}, overrides or {}, ECOSYSTEMS)
        return resolve(loaded, ECOSYSTEMS, Machine(environment=self.environment, directory=self.work))

    def finds(self, text: str, overrides: Mapping[str, object] | None = None) -> list[tuple[str, str]]:
        """Address and source of each upstream of the repository `a`."""
        upstreams = self.resolves(text, overrides).upstreams["a"]
        return [(upstream.settings.url, upstream.source) for upstream in upstreams]


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def test_an_address_in_the_configuration_wins_over_all_that_is_found(here: Here) -> None:
    here.environment["NPM_REGISTRY"] = "https://variable.example/"
    assert here.finds(NPM + 'upstreams = ["https://plain.example"]\n') == [
        ("https://plain.example/", f"{here.home}/entrepot.toml:3")
    ]


def test_a_named_upstream_has_its_own_settings(here: Here) -> None:
    text = NPM + 'upstreams = ["company"]\n[upstreams.company]\nurl = "https://c.example/"\nmax_connections = 3\n'
    (upstream,) = here.resolves(text).upstreams["a"]
    assert (upstream.name, upstream.settings.max_connections, upstream.discovered) == ("company", 3, False)


def test_an_upstream_called_default_replaces_discovery(here: Here) -> None:
    here.environment["NPM_REGISTRY"] = "https://variable.example/"
    text = NPM + '[upstreams.default]\nurl = "https://c.example/"\n'
    assert here.finds(text) == [("https://c.example/", f"{here.home}/entrepot.toml:4")]


def test_a_clients_variable_wins_over_its_file(here: Here) -> None:
    here.environment["NPM_REGISTRY"] = "https://variable.example/"
    (here.home / ".npmrc").write_text("registry=https://file.example/\n")
    assert here.finds(NPM) == [("https://variable.example/", "the environment variable NPM_REGISTRY")]


def test_a_clients_file_wins_over_the_public_table(here: Here) -> None:
    (here.home / ".npmrc").write_text("registry=https://file.example/\n")
    assert here.finds(NPM) == [("https://file.example/", f"{here.home}/.npmrc")]


def test_a_projects_file_is_searched_upwards(here: Here) -> None:
    (here.work.parent / ".npmrc").write_text("registry=https://project.example/\n")
    (here.home / ".npmrc").write_text("registry=https://file.example/\n")
    assert here.finds(NPM) == [("https://project.example/", f"{here.work.parent}/.npmrc")]


def test_a_variable_can_name_a_clients_file(here: Here) -> None:
    here.environment["PIP_FILE"] = str(here.home / "pip.conf")
    (here.home / "pip.conf").write_text("registry=https://pip.example/simple\n")
    assert here.finds(PYPI) == [("https://pip.example/simple/", f"{here.home}/pip.conf")]


def test_the_public_table_answers_where_nothing_is_configured(here: Here) -> None:
    here.has_command("npm-of-this-test", "echo https://command.example/")
    assert here.finds(NPM) == [("https://registry.example/", "a public table")]


def test_a_command_is_asked_where_no_table_knows(here: Here) -> None:
    here.has_command("pip-of-this-test", "exit 1")
    here.has_command("uv-of-this-test", "echo https://command.example/simple/")
    assert here.finds(PYPI) == [("https://command.example/simple/", "`uv-of-this-test index`")]


def test_a_command_that_hangs_is_given_up(here: Here) -> None:
    here.has_command("pip-of-this-test", "exec sleep 30")
    here.has_command("uv-of-this-test", "echo https://command.example/simple/")
    assert here.finds(PYPI) == [("https://command.example/simple/", "`uv-of-this-test index`")]


def test_credentials_are_left_behind(here: Here) -> None:
    here.environment["NPM_REGISTRY"] = "https://me:s3cret@variable.example/"
    assert here.finds(NPM) == [("https://variable.example/", "the environment variable NPM_REGISTRY")]


@pytest.mark.parametrize(
    "ours",
    [
        "http://127.0.0.1:8080/npm/",
        "http://localhost:8080/npm/",
        "http://[::1]:8080/npm/",
        "https://packages.corp.example/entrepot/npm/",
        "http://127.0.0.1:45454/~session/npm/",
        "not an address",
        "file:///srv/packages",
        "",
    ],
)
def test_our_own_addresses_and_what_is_none_are_passed_over(ours: str, here: Here) -> None:
    here.environment["NPM_REGISTRY"] = ours
    flags = {"server.public_url": "https://packages.corp.example/entrepot"}
    assert here.finds(NPM, flags) == [("https://registry.example/", "a public table")]


def test_another_server_on_this_machine_may_be_the_upstream(here: Here) -> None:
    here.environment["NPM_REGISTRY"] = "http://127.0.0.1:4873/"
    assert here.finds(NPM) == [("http://127.0.0.1:4873/", "the environment variable NPM_REGISTRY")]


def test_the_proxies_of_a_list_are_taken_in_order_up_to_off(here: Here) -> None:
    here.environment["GOPROXY"] = "https://one.example,direct|https://two.example/go,off,https://three.example"
    upstreams = here.resolves(GOLANG).upstreams["a"]
    assert [upstream.settings.url for upstream in upstreams] == ["https://one.example/", "https://two.example/go/"]
    assert [upstream.name for upstream in upstreams] == ["default:golang", "https://two.example/go/"]
    assert all(upstream.discovered for upstream in upstreams)


def test_an_unknown_upstream_of_a_configured_repository_stops_the_start(here: Here) -> None:
    with pytest.raises(ConfigError) as caught:
        here.resolves("\n" + PYPI)
    told = str(caught.value)
    assert told.startswith(f"{here.home}/entrepot.toml:2: unknown upstream for repository a")
    assert 'set repositories.a.upstreams = ["https://…"]' in told


def test_an_unknown_upstream_of_a_built_in_repository_leaves_the_others_usable(here: Here) -> None:
    resolved = here.resolves(None)
    assert set(resolved.upstreams) == {"npm", "go"}
    assert "unknown upstream for repository pypi" in resolved.unavailable["pypi"]


def test_the_checksum_database_is_what_the_go_command_uses(here: Here) -> None:
    here.has_command(
        "go", '[ "$*" = "env GOSUMDB GONOSUMDB" ] && printf "sum.corp.example\\ncorp.example/*,x.example\\n"'
    )
    resolved = here.resolves(GOLANG)
    assert resolved.options["a"] == {"sumdb": "sum.corp.example", "nosumdb": ["corp.example/*", "x.example"]}
    assert resolved.found_options["a"] == resolved.options["a"]


def test_a_configured_checksum_database_is_kept(here: Here) -> None:
    here.has_command("go", 'printf "sum.corp.example\\ncorp.example/*\\n"')
    resolved = here.resolves(GOLANG + 'sumdb = "sum.other.example"\n')
    assert resolved.options["a"] == {"sumdb": "sum.other.example"}
    assert not resolved.found_options["a"]


def test_without_a_go_command_the_database_stands_beside_the_proxy(here: Here) -> None:
    here.environment["PATH"] = str(here.commands)
    assert here.resolves(GOLANG).options["a"] == {"sumdb": "sum.modules.example"}
    here.environment["GOPROXY"] = "https://goproxy.example"
    assert here.resolves(GOLANG).options["a"] == {"sumdb": "off"}


def test_ecosystems_without_such_an_option_get_none(here: Here) -> None:
    assert here.resolves(NPM).options["a"] == {}


def test_a_listener_on_all_addresses_is_known_by_its_loopback_names() -> None:
    addresses = own_addresses(Server(listen="0.0.0.0:8080", open=True))
    assert {("127.0.0.1", 8080), ("localhost", 8080), ("::1", 8080)} <= addresses


def test_all_files_of_a_folder_are_looked_into_in_order(here: Here) -> None:
    for name in ("b.repo", "a.repo", "c.txt"):
        (here.home / name).write_text(name)
    machine = Machine(environment=here.environment, directory=here.work)
    assert [text for _, text in machine.files(f"{here.home}/*.repo")] == ["a.repo", "b.repo"]
    assert list(machine.files(f"{here.home}/none/*.repo")) == []
