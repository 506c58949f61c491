"""Globs by Go's rules, and expressions that cannot run for ever."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entrepot.errors import ConfigError
from entrepot.model.patterns import RegexSet, parse_glob, parse_regex


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


@given(st.text("ab/*?[]^-\\é", min_size=1, max_size=8), st.text("ab/-é", max_size=8))
@example("a[/]b", "a/b")
@example("[b-a]", "a")
@example("[^b-a]", "/")
@example("[b-ac]", "c")
def test_a_glob_as_an_expression_matches_the_same(pattern: str, text: str) -> None:
    try:
        glob = parse_glob(pattern, "test")
    except ConfigError:
        return
    assert (parse_regex(glob.expression, "test").fullmatch(text) is not None) is glob.matches(text)


WORDS = [*(f"{letter}+" for letter in "abcdefgh"), ".*a.*", "^.*b.*", ".+", "(?i)B.*", "x|y.*", ""]


@given(st.text("abAByx\n", max_size=6))
def test_a_set_of_expressions_finds_what_each_of_them_matches(text: str) -> None:
    expressions = [parse_regex(word, "test") for word in WORDS]
    each = [number for number, one in enumerate(expressions) if one.fullmatch(text)]
    assert RegexSet(expressions).matching(text) == each


def test_a_set_may_be_large_or_empty() -> None:
    expressions = [parse_regex(f"a{number}/.*", "test") for number in range(700)]
    assert RegexSet(expressions).matching("a555/b") == [555]
    assert RegexSet([]).matching("a") == []


def test_expressions_that_are_too_large_together_are_tried_one_by_one() -> None:
    expressions = [parse_regex(f"(a{{1000}}){{1}}b{{{number}}}c*", "test") for number in range(900, 999)]
    assert RegexSet(expressions).matching("a" * 1000 + "b" * 990) == [90]
