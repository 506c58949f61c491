"""Tokens in the configuration, and what strangers may read."""

from pathlib import Path

import pytest

from entrepot.config.load import load
from entrepot.config.settings import Settings
from entrepot.config.token_check import open_repositories
from entrepot.errors import ConfigError
from tests.config.shelf import ECOSYSTEMS
from tests.config.test_mistakes import complaint_about

A, B = "a" * 64, "b" * 64
REACHABLE = "[server]\nlisten = '0.0.0.0:80'\n"
COMPANY = "[upstreams.company]\nurl = 'https://packages.example/'\nauth = { kind = 'bearer', token_env = 'T' }\n"
PRIVATE = COMPANY + "[repositories.mine]\necosystem = 'npm'\nupstreams = ['company']\n"
PUBLIC = "[repositories.npm]\necosystem = 'npm'\n"
ENVIRONMENT = {"T": "s3cret"}


def token(name: str = "ci", sha256: str = A, more: str = "repositories = ['*']") -> str:
    """Four lines."""
    return f"[[tokens]]\nname = '{name}'\nsha256 = '{sha256}'\n{more}\n"


def settings_of(text: str, directory: Path) -> Settings:
    file = directory / "entrepot.toml"
    file.write_text(text)
    return load(file, ENVIRONMENT, {}, ECOSYSTEMS).settings


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        (token() + token("ci", B), 2, "tokens.0.name: 'ci' is the name of two tokens; rename one"),
        (token() + token("dev", A.upper()), 3, "tokens.0.sha256: two tokens have this digest; make another with"),
        (token(sha256="abc"), 3, "tokens.0.sha256: it should be 64 hexadecimal digits; `entrepot token new NAME`"),
        (token(sha256="x" * 64), 3, "tokens.0.sha256: it should be 64 hexadecimal digits"),
        (token("My Token"), 2, "tokens.0.name: 'My Token' cannot be a name; use up to 64 lower-case"),
        (token(more="repositories = ['nmp']"), 4, "tokens.0.repositories: 'nmp' is no repository; did you mean 'npm'?"),
        (
            token(more="repositories = ['x']"),
            4,
            "tokens.0.repositories: 'x' is no repository; there are: pypi, npm, go, cargo, maven",
        ),
        (token(more="repositories = []"), 1, "tokens.0: it is good for nothing; name repositories"),
        (token(more="repositories = ['*']\nrights = []"), 1, "tokens.0: it is good for nothing; name repositories"),
        (token(more=""), 1, "tokens.0.repositories is missing; add it"),
        (token(more="repositories = '*'"), 4, "tokens.0.repositories must be a list"),
        (
            token(more="repositories = ['*']\nrights = ['paint']"),
            5,
            "it should be 'read', 'write', 'trigger' or 'admin'",
        ),
        (token(more="repositories = ['npm']\nrights = ['admin']"), 1, "the right admin is for the whole server"),
        (token(more="repositories = ['*']\nuntil = 'soon'"), 5, "tokens.0.until: 'soon' is no date"),
        (token(more="repositories = ['*']\nrepos = ['npm']"), 5, "tokens.0.repos: unknown key; known here: name, repo"),
    ],
)
def test_a_mistake_in_a_token_is_told_with_its_line_and_what_to_do(
    text: str, line: int, complaint: str, tmp_path: Path
) -> None:
    told = complaint_about(text, tmp_path).splitlines()[0]
    assert told.startswith(f"FILE:{line}: ")
    assert complaint in told


def test_a_token_where_its_digest_belongs_is_not_repeated(tmp_path: Path) -> None:
    assert "entrepot_s3cret" not in complaint_about(token(sha256="entrepot_s3cret"), tmp_path)


def test_a_digest_may_be_written_in_capitals(tmp_path: Path) -> None:
    assert settings_of(token(sha256=A.upper()), tmp_path).tokens[0].sha256 == A


def test_a_token_may_read_until_the_end_of_a_day(tmp_path: Path) -> None:
    (one,) = settings_of(token(more="repositories = ['*']\nuntil = 2026-12-01"), tmp_path).tokens
    assert one.rights == ("read",)
    assert one.until is not None
    assert one.until.isoformat().startswith("2026-12-01T23:59:59")


# --- strangers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("also", [token(), "[repositories.npm]\necosystem = 'npm'\nopen = true\n"])
def test_beyond_loopback_a_token_is_enough_and_so_is_opening_each_repository(also: str, tmp_path: Path) -> None:
    assert settings_of(REACHABLE + also, tmp_path).server.listen == "0.0.0.0:80"


def test_a_flag_that_opens_the_door_is_judged_like_the_file() -> None:
    with pytest.raises(ConfigError, match=r"^command line: server\.listen: '0\.0\.0\.0:80' can be reached from other"):
        load(None, {}, {"server.listen": "0.0.0.0:80"}, ECOSYSTEMS)


def test_an_open_server_does_not_show_what_its_credentials_get(tmp_path: Path) -> None:
    text = REACHABLE + "open = true\n" + PRIVATE
    told = complaint_about(text, tmp_path, ENVIRONMENT)
    assert told.startswith("FILE:7: repositories.mine: what the credentials for company give us would be open to")
    assert "set repositories.mine.open = true" in told
    assert settings_of(text + "open = true\n", tmp_path).repositories["mine"].open


def test_on_loopback_without_tokens_nobody_has_to_open_anything(tmp_path: Path) -> None:
    assert settings_of("[server]\nopen = true\n" + PRIVATE, tmp_path).tokens == ()
    assert settings_of(PRIVATE, tmp_path).tokens == ()


def test_what_nobody_could_read_is_told(tmp_path: Path) -> None:
    told = complaint_about(PUBLIC + "open = false\n", tmp_path)
    assert told.startswith("FILE:3: repositories.npm.open: without tokens nobody could read it; add one")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (PUBLIC, set()),
        (PUBLIC + "open = true\n", {"npm"}),
        ("[server]\nopen = true\n" + PUBLIC, {"npm"}),
        ("[server]\nopen = true\n" + PUBLIC + "open = false\n", set()),
        ("[server]\nopen = true\n" + PRIVATE, set()),
        ("[server]\nopen = true\n" + PRIVATE + PUBLIC, {"npm"}),
        (PRIVATE + "open = true\n", {"mine"}),
        (
            "[server]\nopen = true\n" + COMPANY + PUBLIC + "rules = [{ package = 'x', upstream = 'company' }]\n",
            set(),
        ),
        ("[server]\nopen = true\n" + COMPANY + PUBLIC + "mode = 'custom:bW9kZSA9ICJzeW5jIgo='\n", set()),
    ],
)
def test_with_tokens_only_what_says_so_is_open_and_credentials_never_by_themselves(
    text: str, names: set[str], tmp_path: Path
) -> None:
    assert open_repositories(settings_of(text + token(), tmp_path)) == names
