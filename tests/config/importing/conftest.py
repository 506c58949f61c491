"""A translation is tried by loading it as a server would."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from entrepot.assembly.values import check_policies
from entrepot.cli.context import load_settings
from entrepot.cli.drafting import blueprint_of
from entrepot.config.importing.translate import Given, Imported, System, translate
from entrepot.config.settings import Settings

SAMPLES = Path(__file__).parents[1] / "samples"

Load = Callable[[Imported], Settings]


def given(*names: str) -> list[Given]:
    return [Given(name, (SAMPLES / name).read_text()) for name in names]


def imported(text: str, system: System | None = None, files: Mapping[str, str] | None = None) -> Imported:
    """The translation of one text, where `files` are what it names."""
    return translate([Given("theirs", text)], system, (files or {}).get, inline=False)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Settings of a translation, whose policy was made, too. The variables that it names are set."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("ENTREPOT_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in ("git", "go", "go1.99"):
        (programs / program).write_text("#!/bin/sh\n")
        (programs / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))

    def load(found: Imported) -> Settings:
        for variable in re.findall(r'_env = "(\w+)"', found.text):
            monkeypatch.setenv(variable, "s3cret")
        for name, text in {"entrepot.toml": found.text, **found.beside}.items():
            (tmp_path / name).write_text(text)
        loaded = load_settings(tmp_path / "entrepot.toml")
        check_policies(blueprint_of(loaded))
        return loaded.settings

    return load


def said(found: Imported) -> str:
    """All notes, one on each line."""
    return "\n".join(map(str, found.notes))
