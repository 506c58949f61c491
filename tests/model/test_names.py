"""Which names a reservation covers: rather one too many than one too few."""

import pytest

from entrepot.errors import ConfigError
from entrepot.model.names import Reservation, ReservedNames, is_named, parse_reservation


@pytest.mark.parametrize(
    ("pattern", "package"),
    [
        ("acme-*", "acme-lib"),
        ("acme-*", "ACME-Lib"),
        ("@acme/*", "@acme/lib"),
        ("@acme", "@acme/lib"),
        ("@Acme/", "@acme/lib"),
        ("corp.example", "corp.example/team/lib/v2"),
        ("corp.example/*", "corp.example/team/lib"),
        ("*.corp.example", "git.corp.example/lib"),
        ("Acme_Internal.*", "acme-internal-lib"),
        ("*", "anything"),
    ],
)
def test_a_reservation_covers(pattern: str, package: str) -> None:
    assert is_named(package, pattern)


@pytest.mark.parametrize(
    ("pattern", "package"),
    [
        ("acme-*", "acme"),
        ("acme", "acme-lib"),
        ("@acme/*", "@acmeister/lib"),
        ("corp.example", "corp.example.org/lib"),
        ("corp.example/team", "corp.example/teamster"),
        ("lib", "other/lib"),
    ],
)
def test_a_reservation_does_not_cover(pattern: str, package: str) -> None:
    assert not is_named(package, pattern)


def test_the_first_reservation_that_names_a_package_is_told() -> None:
    first, second = Reservation("acme-*", "first"), Reservation("*", "second")
    names = ReservedNames((first, second))
    assert names.find("acme-lib") is first
    assert names.find("left-pad") is second


def test_what_has_no_name_is_never_reserved() -> None:
    assert ReservedNames((Reservation("*", "all"),)).find("") is None


@pytest.mark.timeout(5)
def test_no_pattern_takes_for_ever() -> None:
    assert not is_named("a" * 5000, "*a" * 40 + "b")


@pytest.mark.parametrize(
    ("text", "pattern"),
    [("@acme/*", "@acme/*"), ("pkg:npm/%40acme/*", "@acme/*"), ("pkg:npm/acme-*", "acme-*")],
)
def test_a_reservation_is_a_glob_or_a_package_url(text: str, pattern: str) -> None:
    found = parse_reservation(text, ("npm",), "repositories.npm.reserved")
    assert found == Reservation(pattern, f'repositories.npm.reserved "{text}"')


@pytest.mark.parametrize("text", ["", "/", "pkg:npm/", "pkg:pypi/acme", "pkg:"])
def test_a_reservation_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"repositories\.npm\.reserved"):
        parse_reservation(text, ("npm",), "repositories.npm.reserved")


@pytest.mark.parametrize("pattern", ["org.acme:*", "org.acme/*", "org.acme*", "org.acme", "ORG.ACME:*"])
def test_a_group_is_reserved_with_all_its_packages_and_its_own_folder(pattern: str) -> None:
    named = {name for name in ("org.acme:tool", "org:acme", "org.other:tool", "org:other") if is_named(name, pattern)}
    assert named == {"org:acme", "org.acme:tool"}


def test_one_package_of_a_group_is_reserved_alone() -> None:
    names = ("org.acme:tool", "org.acme:tools", "org:acme")
    assert [name for name in names if is_named(name, "org.acme:tool")] == ["org.acme:tool"]
