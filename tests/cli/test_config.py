"""`entrepot config`."""

import json
from pathlib import Path

import pytest

from entrepot.cli.main import run

SOUND = """\
[upstreams.company]
url = "https://packages.example/"
auth = { kind = "bearer", token_env = "COMPANY_TOKEN" }
http_proxy = "http://me:pr0xy@proxy.example:3128"

[repositories.files]
ecosystem = "generic"
upstreams = ["company"]
"""


@pytest.fixture(autouse=True)
def no_configuration_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COMPANY_TOKEN", "s3cret")
    for variable in ("ENTREPOT_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "entrepot.toml"
    path.write_text(SOUND)
    return path


def test_a_sound_file_is_said_to_be_sound(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: sound; repositories: files\n"


def test_each_mistake_in_a_file_is_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("[server]\nworkers = 0\nlistn = 1\n")
    assert run(["config", "check", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"entrepot: error: {file}:2: server.workers: ")
    assert lines[1] == f"entrepot: error: {file}:3: server.listn: unknown key; did you mean 'listen'?"


def test_values_are_shown_with_their_origins(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--config", str(file)]) == 0
    shown = {line.split(" = ")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert shown["server.workers"].startswith("server.workers = 1 ")
    assert shown["server.workers"].endswith("  # default")
    assert shown["upstreams.company.url"].endswith(f"  # {file}:2")
    assert shown["files upstream 1"].split() == [
        "files",
        "upstream",
        "1",
        "=",
        "https://packages.example/",
        "#",
        f"{file}:2",
    ]


def test_secrets_are_not_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["config", "show", "--config", str(file)])
    shown = capsys.readouterr().out
    assert "s3cret" not in shown
    assert "pr0xy" not in shown
    assert "http://***@proxy.example:3128" in shown


def test_a_file_named_by_the_environment_is_shown(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENTREPOT_CONFIG", str(file))
    assert run(["config", "show"]) == 0
    assert f"# {file}:2" in capsys.readouterr().out


def test_the_schema_is_a_json_schema_that_knows_durations(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["$defs"]["Stale"]["properties"]["if_error"]["type"] == "string"
    assert schema["additionalProperties"] is False


def test_the_reference_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "reference"]) == 0
    assert capsys.readouterr().out.startswith("# Settings\n")
