"""Every sample becomes a configuration that loads, and no secret comes along."""

import base64

import pytest

from entrepot.config.importing.translate import SYSTEMS, Given, translate
from entrepot.errors import ConfigError
from tests.config.importing.conftest import SAMPLES, Load, given, said

CASES = {
    "athens": (
        ["athens/config.toml", "athens/filter.conf", "athens/download.hcl"],
        ["athens/redirecting.toml"],
        ["athens/filtered.toml", "athens/filter.conf"],
        ["athens/download.hcl"],
    ),
    "artifactapi": (
        ["artifactapi/remotes.yaml"],
        ["artifactapi/layout.yaml"],
        ["artifactapi/remotes.yaml", "artifactapi/layout.yaml"],
    ),
    "git-pkgs": (["git-pkgs/config.yaml"], ["git-pkgs/minimal.yaml"]),
}
CHOSEN = [(system, names) for system, cases in CASES.items() for names in cases]


def nothing(name: str) -> str | None:
    return None


def test_every_sample_is_tried() -> None:
    tried = {name for _, names in CHOSEN for name in names}
    assert {str(file.relative_to(SAMPLES)) for file in SAMPLES.glob("*/*.*")} == tried


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize(("system", "names"), CHOSEN)
def test_a_translation_loads(system: str, names: list[str], inline: bool, load: Load) -> None:
    found = translate(given(*names), None, nothing, inline=inline)
    assert found.system == system
    assert load(found).repositories
    if inline:
        assert not found.beside


@pytest.mark.parametrize(("system", "names"), CHOSEN)
def test_no_secret_is_copied_or_printed(system: str, names: list[str]) -> None:
    found = translate(given(*names), None, nothing, inline=False)
    assert "hunter2" not in found.text + said(found) + "".join(found.beside.values())


def test_a_filter_file_alone_is_a_configuration(load: Load) -> None:
    found = translate([Given("filter.conf", "- git.example/secret\n")], None, nothing, inline=False)
    assert found.system == "athens"
    assert load(found).repositories["go"].mode == "file:athens.hcl"
    assert 'filter "git.example/secret"' in found.beside["athens.hcl"]


def test_without_a_place_beside_it_a_download_file_stands_in_the_setting(load: Load) -> None:
    names = ["athens/filtered.toml", "athens/filter.conf"]
    separate = translate(given(*names), None, nothing, inline=False)
    mode = load(translate(given(*names), None, nothing, inline=True)).repositories["go"].mode
    assert base64.b64decode(mode.removeprefix("custom:")).decode() == separate.beside["athens.hcl"]


@pytest.mark.parametrize("text", ["", "hello", "- a\n- b\nx: y\n", "server:\n  port: 1\n", "[1, 2]", "a = 1\n"])
def test_what_is_of_no_known_system_is_said_to_be(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^theirs(:\d+)?: (nothing says which system it is of; say so|not YAML)"):
        translate([Given("theirs", text)], None, nothing, inline=False)


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_is_not_of_the_system_that_is_insisted_on_is_refused(system: str) -> None:
    with pytest.raises(ConfigError, match=r"^theirs: (no table of settings|not TOML)"):
        translate([Given("theirs", "just words")], system, nothing, inline=False)  # type: ignore[arg-type]


def test_two_configurations_of_git_pkgs_are_one_too_many() -> None:
    with pytest.raises(ConfigError, match="one configuration only"):
        translate(given("git-pkgs/config.yaml", "git-pkgs/minimal.yaml"), None, nothing, inline=False)
