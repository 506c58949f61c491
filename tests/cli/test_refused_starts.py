"""What stops the start, because a rule that cannot be read must never be one that is not there."""

from pathlib import Path

import pytest

from entrepot.cli.main import run

REPOSITORY = """\
[repositories.files]
ecosystem = "{ecosystem}"
upstreams = ["https://packages.example/"]

[[repositories.files.rules]]
path = '{path}'
class = "immutable"
"""


@pytest.fixture(autouse=True)
def no_configuration_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("ENTREPOT_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize("path", ["(", "[a-", "*.tgz", "(?=x)y", r"(a)\1", "a{1,100000}"])
@pytest.mark.parametrize("ecosystem", ["generic"])
def test_mut_14_a_path_that_is_no_expression_stops_the_start(
    tmp_path: Path, ecosystem: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "entrepot.toml"
    file.write_text(REPOSITORY.format(ecosystem=ecosystem, path=path))
    assert run(["config", "check", str(file)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"entrepot: error: {file}:")
    assert repr(path) in error or path in error


@pytest.mark.parametrize("offset", ["soon", "nan", "1e300"])
def test_a_clock_that_cannot_be_moved_so_stops_the_start(
    tmp_path: Path, offset: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTREPOT_CLOCK_OFFSET", offset)
    (tmp_path / "entrepot.toml").write_text(REPOSITORY.format(ecosystem="generic", path=".*"))
    directories = ["--config", str(tmp_path / "entrepot.toml"), "--data", str(tmp_path / "data")]
    assert run(["serve", "--listen", "127.0.0.1:0", *directories]) == 2
    assert f"ENTREPOT_CLOCK_OFFSET: {offset!r} is no number of seconds" in capsys.readouterr().err


def test_mut_14_an_expression_that_can_be_read_does_not(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.toml"
    file.write_text(REPOSITORY.format(ecosystem="generic", path=r".*/archive/refs/tags/.*"))
    assert run(["config", "check", str(file)]) == 0
