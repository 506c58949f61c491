"""What clients may ask of us as their proxy, told from settings."""

from pathlib import Path

import pytest

from entrepot.assembly.values import repositories_of
from entrepot.assembly.ways import archives_of
from entrepot.cli.context import load_settings
from entrepot.cli.drafting import blueprint_of

BOTH = """
[repositories.all]
ecosystem = "apt"
upstreams = ["http://deb.example:80/"]
[repositories.guarded]
ecosystem = "apt"
upstreams = ["http://deb.example/guarded"]
cooldown.default = "3d"
"""


def test_the_repository_with_the_longest_path_has_what_is_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "entrepot.toml"
    file.write_text(BOTH)
    blueprint = blueprint_of(load_settings(file))
    [(host, archives)] = archives_of(blueprint, repositories_of(blueprint)).items()
    assert host == "deb.example", "as clients tell it, who leave out the port that is meant anyway"
    assert [one.repository.name for one in archives] == ["guarded", "all"]
