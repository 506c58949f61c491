"""Globs by Go's rules, and expressions that cannot run for ever."""

import pytest

from entrepot.errors import ConfigError
from entrepot.model.patterns import parse_glob, parse_regex


# The table of Go's own tests of path.Match.
@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*c", "abc", True),
        ("a*", "a", True),
        ("a*", "abc", True),
        ("a*", "ab/c", False),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("a*b*c*d*e*/f", "axbxcxdxe/f", True),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/f", True),
        ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", False),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[e-g]", "abc", False),
        ("ab[^c]", "abc", False),
        ("ab[^e-g]", "abc", True),
        ("a\\*b", "a*b", True),
        ("a\\*b", "ab", False),
        ("a?b", "a☺b", True),
        ("a[^a]b", "a☺b", True),
        ("a???b", "a☺b", False),
        ("[a-ζ]*", "α", True),
        ("*[a-ζ]", "A", False),
        ("a?b", "a/b", False),
        ("a*b", "a/b", False),
        ("[\\]a]", "]", True),
        ("[\\-]", "-", True),
        ("[x\\-]", "z", False),
        ("*x", "xxx", True),
    ],
)
def test_a_glob_matches_as_in_go(pattern: str, text: str, matches: bool) -> None:
    assert parse_glob(pattern, "test").matches(text) is matches


@pytest.mark.parametrize("pattern", ["[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "a\\", "", "/"])
def test_a_glob_that_go_calls_bad_stops_the_start_and_names_its_setting(pattern: str) -> None:
    with pytest.raises(ConfigError, match="nosumdb"):
        parse_glob(pattern, "nosumdb")


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("corp.example", "corp.example/a/b", True),
        ("corp.example/", "corp.example/a", True),
        ("*.corp.example", "git.corp.example/a", True),
        ("*.corp.example", "corp.example/a", False),
        ("corp.example/foo", "corp.example/foobar", False),
        ("corp.example/foo", "corp.example/foo/bar", True),
        ("corp.example/*/x", "corp.example/a", False),
        ("corp.example/*", "corp.example/a/b/c", True),
    ],
)
def test_a_prefix_glob_speaks_of_as_many_elements_as_it_has(pattern: str, path: str, matches: bool) -> None:
    assert parse_glob(pattern, "test").matches_prefix(path) is matches


def test_a_hostile_glob_and_a_hostile_expression_end_at_once() -> None:
    text = "a" * 3000
    assert not parse_glob("*a" * 40 + "b", "test").matches(text)
    assert not parse_regex("(a|a)*(a*)*b", "test").fullmatch(text)


@pytest.mark.parametrize("text", ["(", "a(?=b)", r"(a)\1", "a{5000}"])
def test_an_expression_that_could_backtrack_is_refused_with_its_setting(text: str) -> None:
    with pytest.raises(ConfigError, match=r"rules\[0\].*RE2"):
        parse_regex(text, "rules[0]")
