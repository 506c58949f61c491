"""`entrepot config import`."""

import shutil
from pathlib import Path

import pytest

from entrepot.cli.main import run

SAMPLES = Path(__file__).parents[1] / "config" / "samples"


@pytest.fixture(autouse=True)
def no_configuration_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("ENTREPOT_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)


def test_the_translation_is_printed_and_what_was_not_taken_stands_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "config.yaml"
    theirs.write_text("listen: ':8080'\nui_base_url: https://ui.example\n")
    assert run(["config", "import", str(theirs)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("# Made from config.yaml (git-pkgs) by `entrepot config import`.\n")
    assert f"{theirs}:2: ui_base_url: not taken: there is no second address\n" in err
    assert err.endswith("next: entrepot config check FILE\n")
    ours = tmp_path / "entrepot.toml"
    ours.write_text(out)
    assert run(["config", "check", str(ours)]) == 0


def test_a_download_file_is_written_beside_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("config.toml", "filter.conf", "download.hcl"):
        shutil.copy(SAMPLES / "athens" / name, tmp_path)
    ours = tmp_path / "ours" / "entrepot.toml"
    ours.parent.mkdir()
    # The files that it names by their places in a container lie beside it.
    assert run(["config", "import", str(tmp_path / "config.toml"), "--output", str(ours)]) == 0
    assert capsys.readouterr().out == ""
    assert 'mode = "file:athens.hcl"' in ours.read_text()
    assert 'filter "git.example/team/secret"' in (ours.parent / "athens.hcl").read_text()


@pytest.mark.parametrize("there", ["entrepot.toml", "athens.hcl"])
def test_nothing_is_written_over(there: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / there).write_text("mine")
    filters = tmp_path / "filter.conf"
    filters.write_text("- a.example\n")
    assert run(["config", "import", str(filters), "-o", str(tmp_path / "entrepot.toml")]) == 2
    assert f"{tmp_path / there}: is there already; move it away" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["filter.conf", there])
    assert (tmp_path / there).read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["absent.yaml"], "absent.yaml: cannot be read as text: "),
        (["words"], "words: nothing says which system it is of; say so with --from"),
        (["words", "--from", "git-pkgs"], "words: no table of settings; is this file of git-pkgs?"),
        (["filter", "-o", "no/where.toml"], "cannot be written: No such file or directory; name another with --output"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words").write_text("just words\n")
    (tmp_path / "filter").write_text("- a.example\n")
    assert run(["config", "import", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert complaint in err
    assert err.count("\n") == 1
