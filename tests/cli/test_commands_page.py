"""docs/commands.md is a page for every command that there is."""

import re
from pathlib import Path

import pytest
import typer

from entrepot.cli.lazy import COMMANDS
from entrepot.cli.main import app

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"


def sections() -> dict[str, str]:
    parts = re.split(r"^## entrepot ([a-z-]+)$", PAGE.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def options_of(command: str) -> set[str]:
    """The long options that are not hidden, of a command and of what is below it."""
    group = typer.main.get_command(app)
    found = getattr(group, "commands", {}).get(command) or group.get_command(None, command)  # type: ignore[attr-defined]
    below = getattr(found, "commands", {}).values()
    parameters = [parameter for one in (found, *below) for parameter in one.params]
    return {
        name
        for parameter in parameters
        if not getattr(parameter, "hidden", False)
        for name in parameter.opts
        if name.startswith("--")
    }


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert set(sections()) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_in_its_section(command: str) -> None:
    told = sections()[command]
    missing = {option for option in options_of(command) if f"`{option}" not in told}
    assert options_of(command)
    assert not missing
