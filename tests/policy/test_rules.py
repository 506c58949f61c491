"""Rules: the first that matches counts, however many there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.model.constraints import parse_constraint
from entrepot.model.patterns import parse_regex
from entrepot.model.versions import SEMVER
from entrepot.policy.patterns import PackagePattern
from entrepot.policy.rules import Rule, RuleBook, Selector


def rule(name: str, package: str = "", version: str = "", path: str = "") -> Rule:
    selector = Selector(
        package=PackagePattern.parse(package, ("npm",), "test") if package else None,
        version=parse_constraint(version, SEMVER, "test") if version else None,
        path=parse_regex(path, "test") if path else None,
    )
    return Rule(selector=selector, name=name)


BOOK = RuleBook(
    [
        rule("both", package="a", path=".*/both"),
        rule("path", path=r"x/.*\.zip"),
        rule("old", package="a", version="<1"),
        rule("class", package="a/[b-c]"),
        rule("package", package="a"),
        rule("any old", version="<0.5"),
        rule("late", path=".*/both"),
    ]
)


@pytest.mark.parametrize(
    ("package", "version", "path", "name"),
    [
        ("a", "1.0.0", "x/both", "both"),
        ("b", "1.0.0", "x/both", "late"),
        ("a", "1.0.0", "x/y.zip", "path"),
        ("a", "1.0.0", "x/y.zip/z", "package"),
        ("a", "0.9.0", "y", "old"),
        ("a/b", "1.0.0", "y", "class"),
        ("a/d", "1.0.0", "y", "package"),
        ("b", "0.1.0", "y", "any old"),
        ("b", "1.0.0", "y", None),
        ("a", "latest", "y", "package"),
        ("", "", "", None),
    ],
)
def test_the_first_rule_that_matches_counts(package: str, version: str, path: str, name: str | None) -> None:
    found = BOOK.match(package, version, path)
    assert (found.name if found else None) == name


def test_rules_that_cannot_tell_are_named() -> None:
    look = BOOK.look("a", "latest", "y")
    assert [one.name for one in look.doubtful] == ["old"]
    assert [one.name for one in BOOK.look("b", "latest", "y").doubtful] == ["any old"]


def test_rules_for_some_paths_do_not_count_for_a_whole_version() -> None:
    look = RuleBook([rule("path", path=".*"), rule("both", package="a", path=".*"), rule("package", package="a")])
    found = look.look("a", "1.0.0", None)
    assert found.rule
    assert found.rule.name == "package"


@pytest.mark.parametrize(
    ("package", "version", "path", "named"),
    [
        ("a", "1.0.0", "y", True),
        ("b", "1.0.0", "y", False),
        ("b", "1.0.0", None, True),
        ("b", "", "y", True),
        ("b", "1.0.0", "x/y.zip", True),
    ],
)
def test_what_no_rule_can_name_is_known(package: str, version: str, path: str | None, named: bool) -> None:
    assert BOOK.may_name(package, version, path) is named


def test_a_package_rule_for_other_paths_names_nothing_else() -> None:
    book = RuleBook([rule("both", package="a", path="x")])
    assert not book.may_name("a", "1.0.0", "y")
    assert book.may_name("a", "1.0.0", None)
    assert not book.may_name("b", "1.0.0", None)


def test_an_empty_book_says_nothing() -> None:
    assert not RuleBook()
    assert BOOK
    assert RuleBook().match("a", "1.0.0", "a") is None


words = st.sampled_from(["", "a", "a/b", "a/*", "*", "b", "?", "[ab]"])
paths = st.sampled_from(["", "a", "a.*", ".*b", ".*", "(?i)A/.*"])
constraints = st.sampled_from(["", "<1", ">=1", "=1.0.0", "!=1.0.0"])
books = st.lists(st.tuples(words, constraints, paths).filter(any), max_size=8)


@given(books, st.sampled_from(["", "a", "b", "a/b", "a/b/c"]), st.sampled_from(["", "0.1.0", "1.0.0", "main"]), paths)
def test_a_book_finds_what_its_rules_find_one_by_one(
    book: list[tuple[str, str, str]], package: str, version: str, path: str
) -> None:
    rules = [rule(str(number), *selectors) for number, selectors in enumerate(book)]

    def matches(one: Selector) -> bool:
        named = one.package is None or one.package.matches(package)
        there = one.path is None or one.path.fullmatch(path) is not None
        return named and there and (one.version is None or one.version.admits(version) is True)

    slow = next((one for one in rules if matches(one.selector)), None)
    assert RuleBook(rules).match(package, version, path) is slow


@given(books, st.sampled_from(["", "a", "b", "a/b", "a/b/c"]), st.sampled_from(["0.1.0", "1.0.0", "2.0.0"]), paths)
def test_a_rule_that_is_said_never_to_count_never_does(
    book: list[tuple[str, str, str]], package: str, version: str, path: str
) -> None:
    found = RuleBook([rule(f"<{number}>", *selectors) for number, selectors in enumerate(book)])
    match = found.match(package, version, path)
    assert match is None or not any(warning.startswith(f"{match.name} never") for warning in found.overlaps())


def test_overlaps_are_told_with_the_rule_that_covers() -> None:
    book = RuleBook(
        [
            rule("one", package="a/*", version="<2"),
            rule("two", package="a/b", version="<1"),
            rule("three", package="a/b"),
            rule("four", package="a/b", path="x"),
            rule("five", path="y"),
            rule("six", path="y", version="<1"),
            rule("seven", path="z"),
        ]
    )
    assert book.overlaps() == [
        "two never counts: one before it matches whatever it matches",
        "four never counts: three before it matches whatever it matches",
        "six never counts: five before it matches whatever it matches",
    ]
