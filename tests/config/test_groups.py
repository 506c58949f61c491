"""`[[repositories.NAME.groups]]`: what stands there reaches the ecosystem, and mistakes are told with their line."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from entrepot.config.load import load
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.generic import Generic
from entrepot.errors import ConfigError
from entrepot.model.resource import Request, Resource
from tests.config.shelf import ECOSYSTEMS

FILES = '[repositories.f]\necosystem = "generic"\nupstreams = ["https://files.example"]\n'
GOOD = "[[repositories.f.groups]]\nroot = '(?P<base>.*)/repomd\\.xml'\nmembers = '{base}/.*'\n"
KINDS: Mapping[str, type[Ecosystem]] = {**ECOSYSTEMS, "generic": Generic}


def write(directory: Path, text: str) -> Path:
    file = directory / "entrepot.toml"
    file.write_text(text)
    return file


def test_groups_of_a_repository_reach_its_ecosystem(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, FILES + GOOD), {}, {}, KINDS)
    repository = loaded.settings.repositories["f"]
    resource = Generic(repository.options_for(Generic.option_names)).route(Request(method="GET", path="a/b"))
    assert isinstance(resource, Resource)
    assert resource.snapshot == "a/repomd.xml"


@pytest.mark.parametrize(
    ("group", "complaint"),
    [
        ("root = '(?P<base>.*'\nmembers = '{base}/.*'\n", "is no regular expression"),
        ("root = '(?P<base>.*)/x'\nmembers = '{base}/(?=a)'\n", "look-around"),
        ("root = '(?P<base>.*)/x'\nmembers = '{bse}/.*'\n", "once in braces; that is {base}"),
        ("root = '(?P<base>.*)/x.xml'\nmembers = '{base}/.*'\n", "is no plain text"),
        ("root = '(?P<base>.*)/x'\n", "members = None is no pattern"),
    ],
)
def test_a_mistake_in_a_group_stops_the_start_with_its_line(tmp_path: Path, group: str, complaint: str) -> None:
    file = write(tmp_path, FILES + GOOD + "[[repositories.f.groups]]\n" + group)
    with pytest.raises(ConfigError) as caught:
        load(file, {}, {}, KINDS)
    assert f"{file}:7: repositories.f: generic: groups[1]" in str(caught.value)
    assert complaint in str(caught.value)
