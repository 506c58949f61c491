"""From settings to gates: what is compiled, where it says it stands, and what stops the start."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.assembly.values import check_policies, repositories_of
from entrepot.cache.repository import Repository
from entrepot.cli.context import load_settings
from entrepot.cli.drafting import blueprint_of
from entrepot.errors import ConfigError, Refused
from entrepot.model.resource import Request, Resource
from entrepot.policy.verdict import Verdict

NPM = '[repositories.npm]\necosystem = "npm"\nupstreams = ["https://registry.example/"]\n'
FILES = '[repositories.files]\necosystem = "generic"\nupstreams = ["https://files.example/"]\n'
RULE = "[[repositories.npm.rules]]\n"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A configuration file; nothing of this machine counts."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("ENTREPOT_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)

    def write(text: str) -> Path:
        file = tmp_path / "entrepot.toml"
        file.write_text(text)
        return file

    return write


def made_of(file: Path) -> Repository:
    return next(iter(repositories_of(blueprint_of(load_settings(file))).values()))


def routed(repository: Repository, path: str) -> Resource:
    found = repository.ecosystem.route(Request(method="GET", path=path))
    assert isinstance(found, Resource)
    return found


def verdict_on(repository: Repository, path: str) -> Verdict:
    return repository.gate.decide(routed(repository, path))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (NPM + RULE + "package = '[a'\n", "FILE:5: repositories.npm.rules[0].package: '[a' is no glob"),
        (NPM + RULE + "package = 'pkg:pypi/a'\n", "FILE:5: repositories.npm.rules[0].package"),
        (NPM + RULE + "version = '=>1'\n", "FILE:5: repositories.npm.rules[0].version: '=>1' is no constraint"),
        (NPM + RULE + "path = '/(?=a)'\n", "FILE:5: repositories.npm.rules[0].path: '/(?=a)' is no regular expression"),
        (
            NPM + "cooldown.packages = { '[a' = '1d' }\n",
            "FILE:4: repositories.npm.cooldown.packages.[a: '[a' is no glob",
        ),
        (
            NPM + "mode = 'file:absent.hcl'\n",
            "FILE:4: repositories.npm.mode: the download file absent.hcl cannot be read",
        ),
        (NPM + f"mode = 'custom:{base64.b64encode(b'mode = 1').decode()}'\n", "FILE:4: repositories.npm.mode:1"),
        (
            NPM
            + "cooldown.default = '3d'\n[[repositories.npm.cooldown.exceptions]]\n"
            + "package = 'a'\nversion = 'v'\nreason = 'r'\nuntil = 2026-12-01\n",
            "FILE:7: repositories.npm.cooldown.exceptions[0].version: 'v' is no constraint",
        ),
        (
            FILES + "unmatched = 'deny'\n[[repositories.files.rules]]\npackage = 'a'\n",
            'FILE:5: repositories.files.rules[0]: with unmatched = "deny" a rule for generic needs path',
        ),
    ],
)
def test_policy_that_cannot_be_read_stops_the_start_with_its_line(write: Write, text: str, complaint: str) -> None:
    file = write(text)
    with pytest.raises(ConfigError) as caught:
        check_policies(blueprint_of(load_settings(file)))
    assert complaint in str(caught.value).replace(str(file), "FILE")


def test_a_download_file_is_looked_for_beside_the_configuration(write: Write, tmp_path: Path) -> None:
    (tmp_path / "policy.hcl").write_text('mode = "none"\ndownloadURL = ""\n')
    npm = made_of(write(NPM + 'mode = "file:policy.hcl"\n'))
    assert verdict_on(npm, "left-pad").download.mode == "none"


def test_the_revision_changes_with_the_download_file(write: Write, tmp_path: Path) -> None:
    file = write(NPM + 'mode = "file:policy.hcl"\n')
    revisions = set()
    for mode in ("none", "async"):
        (tmp_path / "policy.hcl").write_text(f'mode = "{mode}"\ndownloadURL = ""\n')
        revisions |= {made_of(file).gate.revision, made_of(file).gate.revision}
    assert len(revisions) == 2


def test_what_a_rule_leaves_out_the_repository_says(write: Write) -> None:
    text = NPM + "mode = 'none'\nredirect_url = 'https://a.example'\nredirect_status = 307\n" + RULE
    npm = made_of(write(text + "package = 'left-*'\nmode = 'redirect'\n"))
    download = verdict_on(npm, "left-pad").download
    assert (download.mode, download.redirect_url, download.redirect_status) == ("redirect", "https://a.example/", 307)
    assert verdict_on(npm, "right-pad").download.mode == "none"


def test_a_rule_that_never_counts_is_warned_about_and_does_not_stop_the_start(write: Write) -> None:
    file = write(NPM + RULE + "package = '*'\nmode = 'none'\n" + RULE + "package = 'left-pad'\nmode = 'sync'\n")
    (warning,) = check_policies(blueprint_of(load_settings(file)))
    assert warning.replace(file.name, "FILE").startswith(
        "npm: FILE:7 repositories.npm.rules[1] never counts: FILE:4 repositories.npm.rules[0] before it matches"
    )


def test_paths_begin_with_a_slash_in_rules_of_every_ecosystem(write: Write) -> None:
    npm = made_of(write(NPM + RULE + "path = '/left-pad(/.*)?'\nmode = 'deny'\n"))
    assert verdict_on(npm, "left-pad").refusal is not None
    assert verdict_on(npm, "right-pad").refusal is None
    files = made_of(write(FILES + "[[repositories.files.rules]]\npath = '/secret/.*'\nmode = 'deny'\n"))
    assert verdict_on(files, "secret/a").refusal is not None
    assert verdict_on(files, "public/a").refusal is None


def test_where_paths_need_names_pinned_and_side_files_have_one(write: Write) -> None:
    text = f"""
        unmatched = "deny"
        checksums = {{ "/pinned" = "sha256:{EMPTY}" }}
        side_files = ["{{path}}.sha256"]
        [[repositories.files.rules]]
        path = "/a/.*"
    """
    files = made_of(write(FILES + text))
    for path in ("pinned", "a/b", "a/b.sha256"):
        assert verdict_on(files, path).refusal is None
    with pytest.raises(Refused, match="no rule of this repository names it"):
        routed(files, "c")


def test_the_cooldown_of_all_repositories_holds_where_one_says_none(write: Write) -> None:
    file = write('[cooldown]\ndefault = "3d"\n' + NPM)
    cooldown = made_of(file).gate.cooldown
    assert cooldown is not None
    assert (cooldown.default, cooldown.rule) == (3 * 86400.0, f"{file.name}:2 cooldown.default")
    assert made_of(write('[cooldown]\ndefault = "3d"\n' + NPM + "cooldown.default = '0'\n")).gate.cooldown is None
