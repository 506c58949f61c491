"""Athens's filter file, seen through the policy that it becomes."""

import pytest

from entrepot.config.importing.athens_filter import filters_of, is_filter
from entrepot.config.importing.document import Note
from entrepot.errors import ConfigError
from entrepot.model.versions import GO
from entrepot.policy.hcl import Surroundings, parse_download_file

TARGET = "https://global.example"


def passage(text: str, module: str, version: str = "v1.0.0") -> str:
    """What becomes of a module when this filter file was translated."""
    hcl = 'mode = "sync"\ndownloadURL = ""\n' + filters_of(text, "filter.conf", TARGET, [])
    chain = parse_download_file(hcl, "athens.hcl", Surroundings(order=GO)).sift(module)
    return chain.of(version).passage if chain else "include"


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        ("github.example/a", "direct"),
        ("git.example", "include"),
        ("git.example/team/x", "include"),
        ("git.example/secret", "exclude"),
        ("git.example/secret/deep", "exclude"),
        ("git.example/secret/open/x", "include"),
        ("git.example/secrets", "include"),
    ],
)
def test_the_deepest_path_decides_whatever_the_order(module: str, wanted: str) -> None:
    lines = ["D", "+ git.example", "- git.example/secret", "+ git.example/secret/open"]
    assert passage("\n".join(lines), module) == passage("\n".join(reversed(lines)), module) == wanted


@pytest.mark.parametrize(
    ("qualifiers", "admitted", "others"),
    [
        ("v1.2.3", ["v1.2.3"], ["v1.2.4", "v1.2.30"]),
        ("v1.2", ["v1.2.0", "v1.2.9", "v1.2.0-rc1"], ["v1.3.0", "v1.3.0-rc1", "v1.1.9", "v1.20.0"]),
        ("v1", ["v1.0.0", "v1.9.9"], ["v2.0.0", "v0.9.0", "v10.0.0"]),
        ("~v1.2.3", ["v1.2.3", "v1.2.9"], ["v1.2.2", "v1.3.0"]),
        ("~1.2.3", ["v1.2.3", "v1.2.9"], ["v1.2.2", "v1.3.0"]),
        ("^v1.2.3", ["v1.2.3", "v1.9.0"], ["v1.2.2", "v2.0.0", "v2.0.0-rc1"]),
        ("<v1.2.3", ["v1.2.3", "v0.1.0"], ["v1.2.4"]),
        ("v1.0.0,^v2.0.0", ["v1.0.0", "v2.5.0"], ["v1.0.1", "v3.0.0"]),
    ],
)
def test_versions_mean_what_athens_documents(qualifiers: str, admitted: list[str], others: list[str]) -> None:
    text = f"- git.example/a {qualifiers}\n"
    assert {passage(text, "git.example/a", version) for version in admitted} == {"exclude"}
    assert {passage(text, "git.example/a", version) for version in others} == {"include"}


def test_for_other_versions_the_path_above_decides() -> None:
    text = "- git.example\n+ git.example/a v1.0.0\n"
    assert passage(text, "git.example/a", "v1.0.0") == "include"
    assert passage(text, "git.example/a", "v2.0.0") == "exclude"


def test_versions_that_cannot_be_read_never_let_anything_through() -> None:
    notes: list[Note] = []
    filters = filters_of("- a.example x!\n+ b.example x!\n- b.example/c\n", "f", "", notes)
    assert [str(note) for note in sorted(notes, key=lambda note: note.where)] == [
        "f:1: a.example: its versions cannot be compared here, so it holds for all",
        "f:2: b.example: its versions cannot be compared here, so it is left out",
    ]
    assert 'filter "b.example"' not in filters
    assert passage("- a.example x!\n", "a.example") == "exclude"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("+ a\n* b\n", r"^f:2: no rule; write a sign"),
        ("- a v1 more\n", r"^f:1: no rule"),
        ("-  a\n", r"^f:1: no rule"),
        ('- a"b\n', r"^f:1: .* is no path of modules"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        filters_of(text, "f", TARGET, [])


def test_sending_elsewhere_needs_a_target() -> None:
    with pytest.raises(ConfigError, match=r"^f:1: D has no target; set GlobalEndpoint"):
        filters_of("D a.example\n", "f", "", [])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("D\n", True), ("# x\n\n+ a\n- b v1\n", True), ("# x\n", False), ("a: b\n", False), ("", False)],
)
def test_a_filter_file_is_recognised_by_its_signs(text: str, wanted: bool) -> None:
    assert is_filter(text) is wanted
