import pytest

from entrepot.upstream.vcs_questions import Question, parse_question
from entrepot.upstream.vcs_settings import VcsSettings

LIB = "corp.example/team/lib.git"


@pytest.mark.parametrize(
    ("path", "question"),
    [
        (f"{LIB}/@v/list", Question(LIB, "list")),
        (f"{LIB}/@latest", Question(LIB, "latest")),
        (f"{LIB}/@v/main.info", Question(LIB, "info", "main")),
        (f"{LIB}/@v/v1.0.0.zip", Question(LIB, "zip", "v1.0.0")),
        (f"{LIB}/@v/v2.0.0+incompatible.mod", Question(LIB, "mod", "v2.0.0+incompatible")),
        (f"{LIB}/@v/v1.0.0-!r!c1.info", Question(LIB, "info", "v1.0.0-RC1")),
        ("corp.example/!big/!thing/@v/list", Question("corp.example/Big/Thing", "list")),
        ("corp.example/%21big/@v/list", Question("corp.example/Big", "list")),
    ],
)
def test_questions_of_the_protocol_are_understood(path: str, question: Question) -> None:
    assert parse_question(path) == question


@pytest.mark.parametrize(
    "path",
    [
        "",
        "sumdb/sum.example/supported",
        "-json/@v/list",
        "corp.example/-x/@v/list",
        "corp.example/.../@v/list",
        "corp.example/../x/@v/list",
        "corp.example/a%20b/@v/list",
        "corp.example/a@v1/@v/list",
        "corp.example:8443/a/@v/list",
        "localhost/a/@v/list",
        "std/@v/list",
        f"{LIB}/@v/-version.info",
        f"{LIB}/@v/%3E=v1.0.0.info",
        f"{LIB}/@v/a%40b.info",
        f"{LIB}/@v/a%2Fb.info",
        f"{LIB}/@v/upgrade.info",
        f"{LIB}/@v/none.info",
        f"{LIB}/@v/main.zip",
        f"{LIB}/@v/v1.mod",
        f"{LIB}/@v/v1.0.0.exe",
    ],
)
def test_options_patterns_and_everything_else_are_no_questions(path: str) -> None:
    assert parse_question(path) is None


def test_modules_are_asked_here_only_if_a_glob_names_them() -> None:
    settings = VcsSettings(name="corp", modules=("corp.example/*", "*.corp.example"))
    assert settings.serves(LIB)
    assert settings.serves("git.corp.example/x")
    assert settings.serves("corp.example"), "the go command asks for every parent, too"
    assert not settings.serves("other.example/x")
    assert settings.reserves(LIB)
    assert not settings.reserves("other.example/x")
    assert VcsSettings(name="vcs").serves("other.example/x")
    assert not VcsSettings(name="vcs").reserves("other.example/x")


def test_hosts_that_the_operator_wrote_down_may_have_private_addresses() -> None:
    settings = VcsSettings(name="corp", modules=("corp.example/*", "*.corp.example", "*/team"))
    assert settings.names_host("corp.example")
    assert settings.names_host("git.corp.example")
    assert not settings.names_host("other.example")
    assert not VcsSettings(name="vcs", modules=("*.*/x", "*")).names_host("10.0.0.1")
