"""`entrepot token`, and what the other commands do where tokens are needed."""

import json
import sys
import tomllib
import urllib.request
from hashlib import sha256

from tests.cli.house import House, status_of

SCRIPT = """\
import os, urllib.request
url = os.environ["PIP_INDEX_URL"] + "acme-app/"
print({urllib.request.urlopen(url).status for _ in range(12)})
"""
FETCH = (sys.executable, "-c", SCRIPT)
"""Asks for an index, as a client that was never given a token, until it has met every worker."""


def made(house: House, *options: str) -> tuple[str, str]:
    """The token, and its lines."""
    done = house.entrepot("token", "new", "ci", *options)
    assert done.status == 0, done.err
    return done.err.splitlines()[0], done.out


def add_token(house: House, *options: str) -> str:
    secret, lines = made(house, *options)
    with (house.directory / "entrepot.toml").open("a") as config:
        config.write(lines)
    return secret


def test_a_new_token_is_shown_once_and_its_lines_hold_the_digest_only(house: House) -> None:
    secret, lines = made(house)
    assert secret.startswith("entrepot_")
    assert len(secret) > 40
    assert secret not in lines
    (token,) = tomllib.loads(lines)["tokens"]
    assert token == {
        "name": "ci",
        "sha256": sha256(secret.encode()).hexdigest(),
        "repositories": ["*"],
        "rights": ["read"],
    }
    assert made(house)[0] != secret


def test_its_lines_are_taken_as_they_are(house: House) -> None:
    options = ("--repository", "npm", "--repository", "pypi", "--right", "read", "--right", "trigger")
    add_token(house, *options, "--until", "2030-01-01")
    assert house.entrepot("config", "check", str(house.directory / "entrepot.toml")).status == 0
    shown = house.entrepot("config", "show").out
    assert '"rights": ["read", "trigger"]' in shown
    assert '"repositories": ["npm", "pypi"]' in shown


def test_mistakes_are_told_and_no_token_is_made(house: House) -> None:
    for arguments, told in (
        (["C I"], "name: 'C I' cannot be a name"),
        (["ci", "--right", "paint"], "rights: it should be 'read', 'write', 'trigger' or 'admin'"),
        (["ci", "--until", "soon"], "until: 'soon' is no date"),
        (["ci", "--repository", "npm", "--right", "admin"], "the right admin is for the whole server"),
    ):
        done = house.entrepot("token", "new", *arguments)
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith(f"entrepot: error: {told}")


def test_run_needs_no_token_where_everybody_else_does(house: House) -> None:
    secret = add_token(house)
    with house.serving("--workers", "2") as address:
        done = house.process("run", "-q", "--", *FETCH)
        assert (done.status, done.out) == (0, "{200}\n"), done.err
        assert status_of(f"{address}/pypi/simple/acme-app/") == 401
        assert status_of(f"{address}/~made0up/pypi/simple/acme-app/") == 401
        ours = urllib.request.Request(f"{address}/pypi/simple/acme-app/", headers={"authorization": f"Bearer {secret}"})
        with urllib.request.urlopen(ours) as answer:
            assert answer.status == 200
    assert "a token is needed for: npm, plain, pypi" in (house.directory / "serve.log").read_text()
    assert secret not in (house.directory / "serve.log").read_text()


def test_a_private_server_of_run_needs_no_token(house: House) -> None:
    add_token(house)
    done = house.process("run", "-q", "--", *FETCH)
    assert (done.status, done.out) == (0, "{200}\n"), done.err


def test_an_admin_gets_what_stats_prints(house: House) -> None:
    secret = add_token(house, "--right", "admin")
    with house.serving() as address:
        ask = urllib.request.Request(f"{address}/api/stats", headers={"authorization": f"Bearer {secret}"})
        with urllib.request.urlopen(ask) as answer:
            told = json.loads(answer.read())
        assert told == json.loads(house.entrepot("stats", "--json").out)
        assert status_of(f"{address}/api/stats") == 401
