"""Patterns of packages: Go's rule of prefixes, package URLs, and which one covers which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import ConfigError
from entrepot.model.patterns import parse_glob
from entrepot.policy.patterns import Coverage, PackagePattern, Packages


def pattern(text: str, *purl_types: str) -> PackagePattern:
    return PackagePattern.parse(text, purl_types, "test")


# The rows of Athens's own table and more (behaviours §1.3); what deviates: a trailing slash is dropped, as Go does.
@pytest.mark.parametrize(
    ("glob", "package", "matches"),
    [
        ("github.com/gomods/*", "github.com/gomods/athens", True),
        ("github.com/gomods/*", "github.com/gomods/athens/v2", True),
        ("github.com/gomods/*", "github.com/gomods", False),
        ("github.com/*", "github.com/gomods/athens", True),
        ("github.com/*/athens", "github.com/gomods/athens", True),
        ("github.com/*/athens", "github.com/a/b/athens", False),
        ("*", "github.com/gomods/athens", True),
        ("*.example", "git.example/a", True),
        ("example.com/foo", "example.com/foo", True),
        ("example.com/foo", "example.com/foo/bar", True),
        ("example.com/foo", "example.com/foobar", False),
        ("example.com/foo?", "example.com/foob", True),
        ("example.com/foo?", "example.com/foo/", False),
        ("example.com/[a-c]*", "example.com/boo", True),
        ("example.com/[^a-c]*", "example.com/boo", False),
        ("example.com/[!a-c]*", "example.com/doo", False),
        ("example.com/a\\*", "example.com/a*", True),
        ("example.com/Foo", "example.com/foo", False),
        ("example.com/foo/", "example.com/foo/bar", True),
        ("a[^x]c", "a/c", False),
        ("a[/]c", "a/c", True),
        ("a[/]c", "a/c/d", True),
    ],
)
def test_ath_04_a_glob_matches_as_many_elements_as_it_has(glob: str, package: str, matches: bool) -> None:
    assert pattern(glob).matches(package) is matches
    assert Packages([(pattern(glob), "found")]).first(package) == ("found" if matches else None)


@given(st.text("ab/*?[]^", min_size=1, max_size=7), st.text("ab/", max_size=9))
def test_ath_04_a_pattern_matches_what_its_glob_matches_as_a_prefix(glob: str, package: str) -> None:
    try:
        parsed = parse_glob(glob, "test")
    except ConfigError:
        return
    assert pattern(glob).matches(package) is parsed.matches_prefix(package)


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ("pkg:npm/left-pad", "left-pad"),
        ("pkg:npm/left-*", "left-pad"),
        ("pkg:NPM/JSONStream", "JSONStream"),
        ("pkg:npm/%40acme/*", "@acme/x"),
        ("pkg:npm/@acme/x", "@acme/x"),
        ("pkg:npm/@acme", "@acme/x"),
        ("@acme/*", "@acme/x"),
    ],
)
def test_a_package_url_speaks_of_the_native_name(text: str, package: str) -> None:
    assert pattern(text, "npm").matches(package)


def test_the_ecosystem_may_spell_names_in_its_own_way() -> None:
    spelled = PackagePattern.parse("pkg:pypi/Our_Lib*", ("pypi",), "test", lambda glob: glob.lower().replace("_", "-"))
    assert spelled.matches("our-lib-extra")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("pkg:pypi/x", "names no package of this repository; write pkg:npm/…"),
        ("pkg:npm", "names no package of this repository"),
        ("pkg:npm/left-pad@1.3.0", "names a version; write it as `version`"),
        ("pkg:npm/@acme/x@1", "names a version"),
        ("pkg:npm/", "an empty glob"),
        ("[", "is no glob"),
        ("", "an empty glob"),
    ],
)
def test_a_bad_pattern_stops_the_start_and_names_its_setting(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=r"^rules\[1\]\.package: .*" + problem.replace("[", r"\[")):
        PackagePattern.parse(text, ("npm",), "rules[1].package")


def test_a_repository_without_package_urls_says_so() -> None:
    with pytest.raises(ConfigError, match="write a plain glob"):
        pattern("pkg:npm/x")


@given(st.lists(st.text("ab*/?", min_size=1, max_size=4), max_size=8), st.text("ab/", max_size=5))
def test_the_first_pattern_that_matches_counts(globs: list[str], package: str) -> None:
    patterns = [pattern(glob) for glob in globs if glob.strip("/")]
    slow = next((number for number, one in enumerate(patterns) if one.matches(package)), None)
    found = Packages([(one, number) for number, one in enumerate(patterns)])
    assert found.first(package) == slow
    assert [one for one, _ in found] == patterns


@pytest.mark.parametrize(
    ("earlier", "later", "covers"),
    [
        ("a/b", "a/b", True),
        ("a", "a/b", True),
        ("a/*", "a/b/c", True),
        ("*", "a/b", True),
        ("*/b", "a/b", True),
        ("a/[a-c]*", "a/[a-c]*/d", True),
        ("a/*", "a/[a-c]*", True),
        ("a/b", "a", False),
        ("a/b", "a/*", False),
        ("a/b", "a/bc", False),
        ("*/*", "a", False),
        ("a", "a[/]b", False),
        ("a[/]b", "a[/]b", True),
    ],
)
def test_a_pattern_that_covers_a_later_one_is_found(earlier: str, later: str, covers: bool) -> None:
    seen: Coverage[str] = Coverage()
    seen.add(pattern(earlier).elements, "found")
    assert next(seen.covering(pattern(later).elements), None) == ("found" if covers else None)


@given(*[st.text("ab*/?[]^", min_size=1, max_size=6)] * 2, st.text("ab/", max_size=6))
def test_what_covers_a_pattern_matches_whatever_that_one_matches(one: str, other: str, package: str) -> None:
    try:
        earlier, later = pattern(one), pattern(other)
    except ConfigError:
        return
    seen: Coverage[str] = Coverage()
    seen.add(earlier.elements, "found")
    if next(seen.covering(later.elements), None) and later.matches(package):
        assert earlier.matches(package)
