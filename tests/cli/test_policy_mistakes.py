"""What is wrong with policy stops the start, with file, line and what to do; in a download file with a caret too."""

import base64
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrepot.cli.main import run
from tests.cli.house import House

HEAD = """\
[repositories.go]
ecosystem = "golang"
upstreams = ["https://registry.example/"]
"""
RULE = '[[repositories.go.rules]]\npackage = "example.com/a"\n'
BLOCK = 'mode = "sync"\ndownload "a" {\n'
FILE = 'mode = "file:policy.hcl"\n'


@dataclass(frozen=True, kw_only=True)
class Mistake:
    text: str
    """What follows the repository's first three lines, or the whole of its download file."""
    line: int
    says: str
    remedy: str
    under: str = ""
    """What the carets of a download file stand under."""

    @property
    def is_in_download_file(self) -> bool:
        return bool(self.under)


MODES = "did you mean "
CONSTRAINT = 'write comparisons (< <= > >= = !=) joined by commas, like ">=1.2, <2"'
GLOB = "close it with ], or write \\ before a character that is meant itself"
RE2 = "expressions are RE2's: no look-around, no back-references"

MISTAKES = {
    "mode of a repository": Mistake(
        text='mode = "snyc"\n', line=4, says="repositories.go.mode: 'snyc' is no mode", remedy=f"{MODES}'sync'?"
    ),
    "mode of a rule": Mistake(
        text=RULE + 'mode = "nonne"\n', line=6, says="mode: 'nonne' is no mode", remedy=f"{MODES}'none'?"
    ),
    "mode of a file": Mistake(
        text='mode = "asink"\n', line=1, says="'asink' is no mode", remedy=f"{MODES}'async'?", under='"asink"'
    ),
    "mode of a block": Mistake(
        text=BLOCK + '  mode = "dney"\n}\n',
        line=3,
        says="'dney' is no mode",
        remedy=f"{MODES}'deny'?",
        under='"dney"',
    ),
    "mode of a version": Mistake(
        text=BLOCK + '  mode = "sync"\n  version "<1" { mode = "redirct" }\n}\n',
        line=4,
        says="'redirct' is no mode",
        remedy=f"{MODES}'redirect'?",
        under='"redirct"',
    ),
    "mode of a filter": Mistake(
        text='mode = "sync"\nfilter "a" {\n  mode = "exclud"\n}\n',
        line=3,
        says="'exclud' is no mode of a filter",
        remedy=f"{MODES}'exclude'?",
        under='"exclud"',
    ),
    "redirect of a repository without a target": Mistake(
        text='mode = "redirect"\n', line=4, says="'redirect' has no target", remedy="set repositories.go.redirect_url"
    ),
    "redirect of a rule without a target": Mistake(
        text=RULE + 'mode = "async_redirect"\n',
        line=6,
        says="'async_redirect' has no target",
        remedy="set redirect_url here or in the repository",
    ),
    "redirect of a file without a target": Mistake(
        text='# nowhere\nmode = "redirect"\n',
        line=2,
        says="'redirect' has no target",
        remedy="set downloadURL here or above",
        under='"redirect"',
    ),
    "redirect of a block without a target": Mistake(
        text=BLOCK + '  mode = "async_redirect"\n}\n',
        line=3,
        says="'async_redirect' has no target",
        remedy="set downloadURL here or above",
        under='"async_redirect"',
    ),
    "target that is no address": Mistake(
        text='mode = "redirect"\nredirect_url = "ftp://files.example"\n',
        line=5,
        says="'ftp://files.example' is no http(s) URL",
        remedy='write it like "https://registry.example/path/"',
    ),
    "glob of a rule": Mistake(
        text='[[repositories.go.rules]]\npackage = "a[b"\nmode = "none"\n',
        line=5,
        says="rules[0].package: 'a[b' is no glob",
        remedy=GLOB,
    ),
    "glob of a block": Mistake(
        text='mode = "sync"\ndownload "a[b" {\n  mode = "none"\n}\n',
        line=2,
        says="'a[b' is no glob",
        remedy=GLOB,
        under='"a[b"',
    ),
    "package of another ecosystem": Mistake(
        text='[[repositories.go.rules]]\npackage = "pkg:npm/a"\nmode = "none"\n',
        line=5,
        says="'pkg:npm/a' names no package of this repository",
        remedy="write pkg:golang/…",
    ),
    "constraint of a rule": Mistake(
        text=RULE + 'version = ">>1"\nmode = "none"\n', line=6, says="'>>1' is no constraint", remedy=CONSTRAINT
    ),
    "constraint of a version": Mistake(
        text=BLOCK + '  mode = "sync"\n  version "~1" { mode = "none" }\n}\n',
        line=4,
        says="'~1' is no constraint",
        remedy=CONSTRAINT,
        under='"~1"',
    ),
    "constraint of an exception, where nothing is too young": Mistake(
        text='[[repositories.go.cooldown.exceptions]]\npackage = "a"\nversion = "~2"\nreason="r"\nuntil = 2030-01-01\n',
        line=6,
        says="cooldown.exceptions[0].version: '~2' is no constraint",
        remedy=CONSTRAINT,
    ),
    "duration of a rule": Mistake(
        text=RULE + 'mutable_ttl = "5 parsecs"\n',
        line=6,
        says="mutable_ttl: '5 parsecs' is no duration",
        remedy='write a number and a unit, such as "30s"',
    ),
    "duration of a cooldown": Mistake(
        text='[repositories.go.cooldown]\ndefault = "3 moons"\n',
        line=5,
        says="cooldown.default: '3 moons' is no duration",
        remedy='write a number and a unit, such as "30s"',
    ),
    "expression": Mistake(
        text="[[repositories.go.rules]]\npath = '/(a'\nmode = 'none'\n",
        line=5,
        says="rules[0].path: '/(a' is no regular expression",
        remedy=RE2,
    ),
    "expression that looks around": Mistake(
        text="[[repositories.go.rules]]\npath = '/(?=a)b'\nmode = 'none'\n",
        line=5,
        says="'/(?=a)b' is no regular expression",
        remedy=RE2,
    ),
    "expression that looks back": Mistake(
        text="[[repositories.go.rules]]\npath = '/(a+)\\1'\nmode = 'none'\n",
        line=5,
        says="'/(a+)\\\\1' is no regular expression",
        remedy=RE2,
    ),
    "expression that is too big": Mistake(
        text="[[repositories.go.rules]]\npath = '/((a{100}){100}){100}'\nmode = 'none'\n",
        line=5,
        says="'/((a{100}){100}){100}' is no regular expression",
        remedy=RE2,
    ),
    "base64": Mistake(
        text='mode = "custom:m@de"\n', line=4, says="is no base64 of a text", remedy="`base64 -w0 policy.hcl`"
    ),
    "attribute that is set twice": Mistake(
        text=BLOCK + '  mode = "none"\n  mode = "sync"\n}\n',
        line=4,
        says="mode is set twice here, first in line 3",
        remedy="remove one of them",
        under="mode",
    ),
    "unknown block": Mistake(
        text='mode = "sync"\nupload "a" {\n  mode = "none"\n}\n',
        line=2,
        says="'upload' is no block that may stand here",
        remedy="known: download, filter",
        under="upload",
    ),
    "unknown attribute": Mistake(
        text=BLOCK + '  mode = "none"\n  url = "https://a.example"\n}\n',
        line=4,
        says="'url' cannot be set here",
        remedy="known are mode, downloadURL",
        under="url",
    ),
}


def _write(directory: Path, mistake: Mistake) -> Path:
    """The configuration; where its mistake is."""
    file = directory / "entrepot.toml"
    if mistake.is_in_download_file:
        (directory / "policy.hcl").write_text(mistake.text)
    file.write_text(HEAD + (FILE if mistake.is_in_download_file else mistake.text))
    return file


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of this machine counts."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("ENTREPOT_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.mark.parametrize("name", MISTAKES)
def test_ath_05_a_mistake_in_policy_is_told_with_its_line_and_a_remedy(
    name: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mistake = MISTAKES[name]
    file = _write(directory, mistake)
    assert run(["config", "check", str(file)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    first, *more = (line.removeprefix("entrepot: error: ") for line in told.err.splitlines())
    place = "policy.hcl" if mistake.is_in_download_file else file
    assert first.startswith(f"{place}:{mistake.line}: ")
    assert mistake.says in first
    assert mistake.remedy in first
    assert more == (_pointed(mistake) if mistake.is_in_download_file else [])


def _pointed(mistake: Mistake) -> list[str]:
    """The line, and the carets below it."""
    line = mistake.text.splitlines()[mistake.line - 1]
    before = line.rindex(mistake.under)
    return [f"    {line}", f"    {' ' * before}{'^' * len(mistake.under)}"]


def test_an_inline_file_is_pointed_at_below_its_setting(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inline = base64.b64encode(b'\nmode = "snyc"\n').decode()
    file = directory / "entrepot.toml"
    file.write_text(f'{HEAD}mode = "custom:{inline}"\n')
    assert run(["config", "check", str(file)]) == 2
    lines = capsys.readouterr().err.replace("entrepot: error: ", "").splitlines()
    assert lines[0] == f"{file}:4: repositories.go.mode:2: 'snyc' is no mode; did you mean 'sync'?"
    assert lines[1:] == ['    mode = "snyc"', "           ^^^^^^"]


@pytest.mark.parametrize("name", ["mode of a version", "expression that looks back"])
def test_ath_05_a_server_does_not_start_and_says_the_same(
    name: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    house = House(directory=directory, config=HEAD, data=directory / "data")
    house.furnish()
    file = _write(directory, MISTAKES[name])
    served = house.process("serve", "--listen", "127.0.0.1:0")
    assert served.status == 2
    assert run(["config", "check", str(file)]) == 2
    assert capsys.readouterr().err in served.err
    assert not (directory / "data" / "catalog.db").exists()


def test_what_never_counts_is_warned_about_and_starts(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "policy.hcl").write_text(
        'mode = "sync"\ndownload "a/*" { mode = "none" }\ndownload "a/b" { mode = "sync" }'
    )
    file = directory / "entrepot.toml"
    file.write_text(HEAD + FILE + f"{RULE}mode = 'none'\n{RULE}mode = 'sync'\n")
    assert run(["config", "check", str(file)]) == 0
    told = capsys.readouterr()
    assert told.out == f"{file}: sound; repositories: go\n"
    never, earlier = "never counts", "before it matches whatever it matches"
    assert told.err.replace(file.name, "FILE").splitlines() == [
        f'warning: go: policy.hcl:3 download "a/b" {never}: policy.hcl:2 download "a/*" {earlier}',
        f"warning: go: FILE:8 repositories.go.rules[1] {never}: FILE:5 repositories.go.rules[0] {earlier}",
    ]
