import pytest

from entrepot.errors import ConfigError
from entrepot.model.netrc import Login, netrc_text, parse_netrc


def test_logins_are_bound_to_hosts() -> None:
    text = "# ours\nmachine Corp.example login robot password s3cret\n\nmachine b.example\n  login b\n  password c#d\n"
    logins = parse_netrc(text, "netrc")
    assert logins == (
        Login(machine="corp.example", login="robot", password="s3cret"),
        Login(machine="b.example", login="b", password="c#d"),
    )
    assert parse_netrc(netrc_text(logins), "netrc") == logins
    assert "s3cret" not in repr(logins)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("machine a.example login b password c\ndefault login x password secret", "netrc:2: `default` would show"),
        ("machine a.example login b password", "netrc:1: `password` has no value"),
        ('machine a.example login b password "secret word"', "netrc:1: `password` has no value that git and go both"),
        ("machine a.example password secret", "netrc: machine a.example has no login or no password"),
        ("machine https://a.example login b password secret", "netrc:1: `machine` has no value"),
        ("login b password secret", "netrc:1: write `machine HOST"),
        ("machine a.example login b password c\n\nmacdef secret", "netrc:3: write `machine HOST"),
    ],
)
def test_what_would_send_a_password_elsewhere_or_is_not_understood_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_netrc(text, "netrc")
    assert complaint in str(caught.value)
    assert "secret" not in str(caught.value)
