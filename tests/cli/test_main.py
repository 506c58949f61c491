"""The command as a person meets it."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from entrepot import __version__
from entrepot.cli.lazy import COMMANDS
from entrepot.cli.main import run

HEAVY = ("pydantic", "granian", "aiohttp", "sqlalchemy", "lxml", "starlette")


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"entrepot {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_help_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0
    shown = capsys.readouterr().out
    assert all(f"  {command} " in shown for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_the_table_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    assert f"Usage: entrepot {command}" in capsys.readouterr().out


def test_the_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from entrepot.cli.main import run; run(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["confg"], "No such command 'confg'."),
        (["--nonsense"], "No such option: --nonsense"),
        (["config"], "Missing command."),
        (["config", "check"], "Missing argument 'FILE'."),
    ],
)
def test_a_wrong_call_is_told_in_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().err == f"entrepot: error: {told}\n"


def test_an_error_of_ours_ends_the_process_without_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from entrepot.cli.main import main; main()", "config", "check", "absent.toml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("entrepot: error: absent.toml: cannot be read")
    assert done.stderr.count("\n") == 1


def completed(words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", "from entrepot.cli.main import main; main()"],
        env={"_ENTREPOT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split()


def test_completion_knows_the_commands() -> None:
    assert completed("entrepot conf") == ["config"]


def test_completion_knows_what_is_below_a_command_and_its_options() -> None:
    assert "show" in completed("entrepot config ")
    assert "--metrics" in completed("entrepot stats --m")


def test_completion_is_shown_for_the_shell_that_asks() -> None:
    entrepot = shlex.join([sys.executable, "-c", "from entrepot.cli.main import main; main()", "--show-completion"])
    # With something behind it, so that the shell is still there to be found.
    done = subprocess.run(["bash", "-c", f"{entrepot}; true"], capture_output=True, text=True, check=True)
    assert "complete -o default -F" in done.stdout, done.stderr
    assert "_ENTREPOT_COMPLETE" in done.stdout
