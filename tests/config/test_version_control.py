"""Upstreams of kind `vcs` in the configuration."""

from pathlib import Path

import pytest

from entrepot.config.discovery import ResolvedUpstream, resolve
from entrepot.config.load import load
from entrepot.config.machine import Machine
from entrepot.config.settings import Settings
from entrepot.config.show import found_upstreams
from entrepot.config.token_check import open_repositories
from entrepot.config.version_control import read_logins
from entrepot.errors import ConfigError
from tests.config.shelf import ECOSYSTEMS

GO = '[repositories.go]\necosystem = "golang"\n'
PROXY = "https://proxy.modules.example"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Where git and go are installed."""
    for name in ("git", "go"):
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text("#!/bin/sh\nexit 1\n")
        command.chmod(0o755)
    return {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}


def upstreams_of(text: str, directory: Path, environment: dict[str, str]) -> tuple[ResolvedUpstream, ...]:
    file = directory / "entrepot.toml"
    file.write_text(text)
    loaded = load(file, environment, {}, ECOSYSTEMS)
    resolved = resolve(loaded, ECOSYSTEMS, Machine(environment=environment, directory=directory))
    assert len(list(found_upstreams(resolved))) >= len(resolved.upstreams["go"])
    return resolved.upstreams["go"]


def complaint_about(text: str, directory: Path, environment: dict[str, str]) -> str:
    file = directory / "entrepot.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, environment, {}, ECOSYSTEMS)
    return str(caught.value).replace(str(directory), "DIR")


def test_the_bare_name_is_version_control_of_any_module(tmp_path: Path, environment: dict[str, str]) -> None:
    default, vcs = upstreams_of(GO + 'upstreams = ["default", "vcs"]\n', tmp_path, environment)
    assert (default.settings.kind, default.settings.url) == ("http", f"{PROXY}/")
    assert (vcs.name, vcs.settings.kind, vcs.settings.modules) == ("vcs", "vcs", ())


def test_a_default_repository_never_runs_git_even_where_go_would(tmp_path: Path, environment: dict[str, str]) -> None:
    for goproxy in (f"{PROXY},direct", f"{PROXY}|direct"):
        found = upstreams_of(GO, tmp_path, {**environment, "GOPROXY": goproxy})
        assert [one.settings.kind for one in found] == ["http"]


def test_an_upstream_of_this_kind_has_its_own_settings(tmp_path: Path, environment: dict[str, str]) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine corp.example login robot password s3cret\n")
    text = f'[upstreams.corp]\nkind = "vcs"\nmodules = ["corp.example/*"]\nnetrc_file = "{netrc}"\ntimeout = "1m"\n'
    (corp,) = upstreams_of(text + GO + 'upstreams = ["corp"]\n', tmp_path, environment)
    assert (corp.settings.modules, corp.settings.timeout) == (("corp.example/*",), 60.0)
    assert [login.machine for login in read_logins(corp.settings)] == ["corp.example"]


@pytest.mark.parametrize(("login", "opened"), [({"netrc_file": "/etc/netrc"}, frozenset()), ({}, frozenset({"go"}))])
def test_what_a_login_brings_is_not_open_to_everybody(login: dict[str, str], opened: frozenset[str]) -> None:
    settings = Settings.model_validate({
        "server": {"open": True},
        "upstreams": {"corp": {"kind": "vcs", **login}},
        "repositories": {"go": {"ecosystem": "golang", "upstreams": ["corp"]}},
    })  # fmt: skip
    assert open_repositories(settings) == opened


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        (GO + 'upstreams = ["vsc"]\n', 3, "'vsc' is no name in [upstreams]; did you mean 'vcs'?"),
        ('[repositories.a]\necosystem = "npm"\nupstreams = ["vcs"]\n', 3, "for golang only; remove it"),
        ('[upstreams.a]\nkind = "vcs"\nurl = "https://a.example"\n', 1, "kind 'vcs' has no use for url; remove it"),
        ('[upstreams.a]\nurl = "https://a.example"\nmodules = ["b"]\n', 1, "kind 'http' has no use for modules"),
        ('[upstreams.a]\nkind = "svn"\n', 2, "it should be 'http' or 'vcs'"),
        ('[upstreams.a]\nkind = "vcs"\nnetrc_file = "/nowhere"\n', 3, "/nowhere cannot be read"),
        ('[upstreams.a]\nkind = "vcs"\nnetrc_file = "DIR/netrc"\n', 3, "netrc:1: `default` would show a password"),
        (
            '[upstreams.a]\nkind = "vcs"\ngo_command = "go9"\n',
            3,
            "needs the command go9, which is not on PATH; install",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_do(
    text: str, line: int, complaint: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "netrc").write_text("default login robot password s3cret\n")
    told = complaint_about(text.replace("DIR", str(tmp_path)), tmp_path, environment)
    assert told.startswith(f"DIR/entrepot.toml:{line}: ")
    assert complaint in told
    assert "s3cret" not in told


def test_missing_commands_stop_the_start_where_version_control_is_asked_for(tmp_path: Path) -> None:
    told = complaint_about(GO + 'upstreams = ["default", "vcs"]\n', tmp_path, {"PATH": str(tmp_path)})
    needs = "DIR/entrepot.toml:3: repositories.go.upstreams: version control needs the command"
    assert told.splitlines() == [
        f"{needs} go, which is not on PATH; install Go, or name it with go_command in [upstreams.NAME]",
        f"{needs} git, which is not on PATH; install git",
    ]
