"""YAML of strangers."""

import pytest

from entrepot.config.importing.yaml import read_yaml
from entrepot.errors import ConfigError


def test_values_come_with_their_lines() -> None:
    document = read_yaml("a:\n  b: 1\n  c:\n    - x\n    - {d: yes}\n", "f")
    assert document is not None
    assert document.values == {"a": {"b": 1, "c": ["x", {"d": True}]}}
    assert [document.where(*key) for key in (("a", "b"), ("a", "c", 1, "d"), ("a", "c", 1, "e"), ("z",))] == [
        "f:2",
        "f:5",
        "f:5",
        "f",
    ]


def test_json_is_read_with_its_escapes() -> None:
    document = read_yaml('{"a": "\\ud83d\\ude00", "b": "\\ud800"}', "f")
    assert document is not None
    assert document.values == {"a": "😀", "b": "\N{REPLACEMENT CHARACTER}"}


def test_tables_are_merged_and_own_keys_win() -> None:
    document = read_yaml("base: &base {x: 1, y: 2}\na:\n  <<: *base\n  y: 3\nb:\n  <<: [*base, {z: 4}]\n", "f")
    assert document is not None
    assert (document.values["a"], document.values["b"]) == ({"x": 1, "y": 3}, {"x": 1, "y": 2, "z": 4})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\nb: 2\na: 3\n", "f:3: 'a' stands twice in one table; remove one of them"),
        ("a: [1\n", "f:2: not YAML: "),
        ("a: 1\n--- \nb: 2\n", "f:2: not YAML: "),
        ("a: !!python/object/apply:os.system ['true']\n", "f:1: a tag that makes more of this"),
        ("? [a]\n: b\n", "f:1: a key is a list or a table"),
        ("<<: 5\n", "f:1: only tables can be merged"),
        ("a: &a [*a]\n", "more than a configuration holds"),
        ("a: &a\n  <<: *a\n", "f: nested too deeply to be a configuration"),
        ("a: !!python/name:os.system ''\n", "f:1: not YAML: could not determine a constructor"),
        ("a: \x00\n", "f: not YAML; correct it"),
        ("a: " + "[" * 5000, "f"),
        (
            "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)),
            "more than a configuration holds",
        ),
    ],
)
def test_what_is_no_plain_table_is_refused_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_yaml(text, "f")
    assert complaint in str(caught.value)


@pytest.mark.parametrize("text", ["", "x", "- a\n"])
def test_what_is_no_table_is_none(text: str) -> None:
    assert read_yaml(text, "f") is None
