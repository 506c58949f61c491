"""Clients that show nothing but addresses are told why in one."""

import pytest

from entrepot.ecosystems.npm import Npm
from entrepot.ecosystems.pypi import Pypi
from entrepot.errors import Absent, EntrepotError, PolicyHidden, PolicyRefused
from entrepot.web.mute import telling_address, without_words

REFUSED = PolicyRefused("pypi/files/x", "left 1.2 must be 3 days old", "cooldown.default")
WORDS = "refused=left_1.2_must_be_3_days_old_(cooldown.default)"


def test_pip_is_sent_to_an_address_that_says_why() -> None:
    assert telling_address(REFUSED, Pypi(), "", "pip/26.3 {}") == f"?{WORDS}"
    assert telling_address(REFUSED, Pypi(), "a=b", "pip/26.3 {}") == f"?a=b&{WORDS}"
    assert telling_address(REFUSED, Npm(), "", "got (https://example.org)") == f"?{WORDS}"


@pytest.mark.parametrize("agent", ["uv/0.13.8", "", "npm/11", "my-pip/1"])
def test_who_shows_what_we_say_is_told_at_once(agent: str) -> None:
    assert telling_address(REFUSED, Pypi(), "", agent) is None


def test_nobody_is_sent_there_twice() -> None:
    assert telling_address(REFUSED, Pypi(), WORDS, "pip/26.3") is None


@pytest.mark.parametrize("error", [Absent("x"), PolicyHidden("x", "y", "z")])
def test_what_does_not_exist_stays_a_404(error: EntrepotError) -> None:
    assert telling_address(error, Pypi(), "", "pip/26.3") is None


def test_what_cannot_stand_in_an_address_is_encoded() -> None:
    error = PolicyRefused("x", "a\r\nb#c&d ü", 'policy.hcl:7 download "x"')
    assert telling_address(error, Pypi(), "", "pip/26") == (
        "?refused=a%0D%0Ab%23c%26d_%C3%BC_(policy.hcl:7_download_%22x%22)"
    )


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("", ""),
        ("a=b", "a=b"),
        (WORDS, ""),
        (f"a=b&{WORDS}", "a=b"),
        (f"{WORDS}&a=b", "a=b"),
        ("unrefused=x", "unrefused=x"),
    ],
)
def test_the_words_are_no_part_of_what_is_asked_for(query: str, seen: str) -> None:
    assert without_words(query) == seen
