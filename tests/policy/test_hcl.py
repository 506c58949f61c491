"""Download files: what loads, what it means, and how what is wrong is shown (ATH-03, ATH-05)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import ConfigError
from entrepot.model.versions import GO, SEMVER
from entrepot.policy.hcl import Surroundings, load_mode, parse_download_file
from entrepot.policy.modes import DownloadFile, Filter
from entrepot.policy.verdict import Download, Mode

GOLANG = Surroundings(
    order=GO,
    purl_types=("golang",),
    upstreams=("default", "vcs"),
    is_ours=lambda url: url.startswith("https://entrepot.example/"),
)

ATHENS = """\
# The sample of Athens's documentation, with every kind of comment and layout that HCL has.
downloadURL = "https://proxy.example"   // the rest

mode = "async_redirect"

/* private
   modules */
download "github.com/gomods/*" {
    mode = "sync"
}

download "golang.org/x/*" { mode = "none" }

download example {
\tmode        = "redirect" /* elsewhere */
\tdownloadURL = "https://\\u0067oproxy.example/a?key=1"
}
download "pkg/\\"quoted\\"\\\\*" {
  mode = "async" }
"""


def read(text: str, surroundings: Surroundings = GOLANG) -> DownloadFile:
    return parse_download_file(text, "policy.hcl", surroundings)


def problem_of(text: str, surroundings: Surroundings = GOLANG) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, surroundings)
    return str(caught.value)


# --- what loads ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "mode", "url", "rule"),
    [
        ("github.com/gomods/athens", "sync", "https://proxy.example", 'policy.hcl:8 download "github.com/gomods/*"'),
        ("golang.org/x/text/v2", "none", "https://proxy.example", 'policy.hcl:12 download "golang.org/x/*"'),
        ("example/a", "redirect", "https://goproxy.example/a?key=1", 'policy.hcl:14 download "example"'),
        ('pkg/"quoted"*', "async", "https://proxy.example", 'policy.hcl:18 download "pkg/"quoted"\\*"'),
        ("other.example/a", "async_redirect", "https://proxy.example", "policy.hcl:4 mode"),
    ],
)
def test_an_athens_file_loads_unchanged(package: str, mode: str, url: str, rule: str) -> None:
    download = read(ATHENS).choose(package).own
    assert download == Download(mode=Mode(mode), redirect_url=url, redirect_status=302, rule=rule)


def test_line_ends_of_windows_make_no_difference() -> None:
    assert read(ATHENS.replace("\n", "\r\n")).choose("example").own == read(ATHENS).choose("example").own


@pytest.mark.parametrize(
    "text", ['mode = "sync"\ndownloadURL = ""', 'mode="none"', 'mode = "deny"\n// end', 'mode = "sync" #']
)
def test_a_file_without_redirects_needs_no_target(text: str) -> None:
    assert read(text).default.own.redirect_url == ""


FULL = """\
mode = "sync"
downloadURL = "https://top.example"
download "a" {
  mode = "redirect"
  downloadURL = "https://block.example"
  upstream = "vcs"
  status = 301
  version "<1" { mode = "none" }
  version ">=2, !=2.1.0" { mode = "async_redirect"  downloadURL = "https://version.example" }
}
download "b" {
  version "<1" { mode = "redirect" }
  mode = "async"
}
download "*" {
  mode = "deny"
}
filter "a/x" { mode = "exclude"  version ">=3" { mode = "include" } }
filter "a/y" { mode = "direct" }
filter "a/z" { mode = "direct"  downloadURL = "https://filter.example" }
"""


@pytest.mark.parametrize(
    ("package", "version", "mode", "url"),
    [
        ("a", "v1.0.0", "redirect", "https://block.example"),
        ("a", "v0.9.0", "none", "https://block.example"),
        ("a", "v2.0.0", "async_redirect", "https://version.example"),
        ("a", "v2.1.0", "redirect", "https://block.example"),
        ("a", "main", "redirect", "https://block.example"),
        ("a", "", "redirect", "https://block.example"),
        ("b", "v0.1.0", "redirect", "https://top.example"),
        ("b", "v1.0.0", "async", "https://top.example"),
        ("c", "v1.0.0", "deny", "https://top.example"),
    ],
)
def test_ath_03_the_first_block_counts_and_targets_are_inherited_within_it_only(
    package: str, version: str, mode: str, url: str
) -> None:
    download = read(FULL).choose(package).of(version)
    assert (download.mode.value, download.redirect_url) == (mode, url)


def test_ath_03_a_target_is_never_taken_from_another_block() -> None:
    other = 'download "*" { mode = "sync" downloadURL = "https://x.example" }'
    assert "'redirect' has no target" in problem_of(f'mode = "sync"\ndownload "a" {{ mode = "redirect" }}\n{other}')


def test_versions_inherit_upstream_and_status_of_their_block() -> None:
    download = read(FULL).choose("a").of("v0.1.0")
    assert (download.upstream, download.redirect_status) == ("vcs", 301)
    assert download.rule == 'policy.hcl:8 download "a" version "<1"'
    other = read('mode = "sync"', Surroundings(order=GO, redirect_status=307)).default.own
    assert other.redirect_status == 307


@pytest.mark.parametrize(
    ("package", "version", "passage", "url"),
    [
        ("a/x", "v1.0.0", "exclude", "https://top.example"),
        ("a/x", "", "exclude", "https://top.example"),
        ("a/x", "v3.0.0", "include", "https://top.example"),
        ("a/y/z", "v1.0.0", "direct", "https://top.example"),
        ("a/z", "v1.0.0", "direct", "https://filter.example"),
    ],
)
def test_filters_are_chosen_like_blocks(package: str, version: str, passage: str, url: str) -> None:
    chain = read(FULL).sift(package)
    assert chain
    said = chain.of(version)
    assert isinstance(said, Filter)
    assert (said.passage, said.redirect_url) == (passage, url)


def test_what_no_filter_names_is_not_filtered() -> None:
    assert read(FULL).sift("a") is None


def test_versions_make_a_branch_undecided() -> None:
    file = read(FULL)
    assert [file.choose("a").decides(version) for version in ("v1.0.0", "main", "")] == [True, False, False]
    assert file.choose("c").decides("main")


def test_package_urls_and_other_ecosystems_work_too() -> None:
    surroundings = Surroundings(order=SEMVER, purl_types=("npm",))
    file = read(
        'mode = "sync"\ndownload "pkg:npm/%40acme/*" {\nmode = "none"\nversion "<2" { mode = "sync" }\n}', surroundings
    )
    assert file.choose("@acme/x").of("1.9.0").mode is Mode.SYNC
    assert file.choose("@acme/x").of("2.0.0").mode is Mode.NONE


# --- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('mode = "snyc"', "1: 'snyc' is no mode; did you mean 'sync'?\n    mode = \"snyc\"\n           ^^^^^^"),
        (
            'mode = "sync"\ndownload "a" {\n\tmode = "custom"\n}',
            (
                "3: 'custom' is no mode; write one of sync, async, redirect, async_redirect, none, deny\n"
                '    \tmode = "custom"\n    \t       ^^^^^^^^'
            ),
        ),
        (
            'mode="sync"\ndownload "a" {\nmode="sync"\nversion "<1" { mode = "nnoe" }\n}',
            (
                "4: 'nnoe' is no mode; did you mean 'none'?\n"
                '    version "<1" { mode = "nnoe" }\n                          ^^^^^^'
            ),
        ),
        (
            'mode="sync"\nfilter "a" { mode = "deny" }',
            "2: 'deny' is no mode of a filter; write one of include, exclude",
        ),
        (
            'downloadURL = ""',
            '1: mode is missing here; every file and every block says one\n    downloadURL = ""\n    ^',
        ),
        ("", "1: mode is missing here"),
        (
            'mode="sync"\ndownload "a" {}',
            '2: mode is missing here; every file and every block says one\n    download "a" {}',
        ),
        ('mode="sync"\ndownload "a" {\nmode="sync"\nversion "1" {}\n}', "4: mode is missing here"),
        ('mode="sync"\nfilter "a" { }', "2: mode is missing here"),
        ('mode = "redirect"', "1: 'redirect' has no target; set downloadURL here or above, to an http(s) address\n"),
        ('mode="async_redirect"\ndownloadURL=""', "1: 'async_redirect' has no target"),
        ('mode="sync"\ndownload "a" { mode = "async_redirect" }', "2: 'async_redirect' has no target"),
        (
            'mode="sync"\ndownload "a" {\nmode="sync"\nversion "<1" { mode="redirect" }\n}',
            "4: 'redirect' has no target",
        ),
        ('mode="sync"\nfilter "a" { mode = "direct" }', "2: 'direct' has no target"),
        ('mode="sync"\ndownloadURL="gomods.io"', "2: 'gomods.io' is no http(s) URL; write it like"),
        ('mode="sync"\ndownloadURL="ftp://a.example"', "2: 'ftp://a.example' is no http(s) URL"),
        ('mode="sync"\ndownloadURL="https://"', "2: 'https://' is no http(s) URL"),
        ('mode="sync"\ndownloadURL="https://a:b"', "2: 'https://a:b' is no URL: Port"),
        ('mode="sync"\ndownloadURL=7', "2: '7' is no http(s) URL"),
        ('mode="sync"\ndownloadURL="https://a.example/#b"', "2: 'https://a.example/#b' holds a fragment"),
        ('mode="sync"\ndownloadURL="https://entrepot.example/go"', "2: https://entrepot.example/go is our own address"),
        (
            'mode="sync"\ndownload "[]a]" { mode="none" }',
            (
                "2: '[]a]' is no glob: a class or an escape in it has no end; close it with ], or write \\ before a "
                'character that is meant itself\n    download "[]a]" { mode="none" }\n'
                "             ^^^^^^"
            ),
        ),
        ('mode="sync"\ndownload "" { mode="none" }', "2: an empty glob matches nothing"),
        ('mode="sync"\ndownload "pkg:npm/a" { mode="none" }', "2: 'pkg:npm/a' names no package of this repository"),
        (
            'mode="sync"\ndownload "a" {\nmode="sync"\n version "~1.2" { mode="none" }\n}',
            (
                "4: '~1.2' is no constraint: '~1.2' compares with no go version; write comparisons (< <= > >= = !=) "
                'joined by commas, like ">=1.2, <2"\n     version "~1.2" { mode="none" }\n             ^^^^^^'
            ),
        ),
        (
            'mode="sync"\nmode = "sync"',
            '2: mode is set twice here, first in line 1; remove one of them\n    mode = "sync"\n    ^^^^',
        ),
        ('mode="sync"\ndownload "a" {\nmode="sync"\nmode="none"\n}', "4: mode is set twice here, first in line 3"),
        (
            'mode="sync"\nurl = "x"',
            "2: 'url' cannot be set here; known are mode, downloadURL\n    url = \"x\"\n    ^^^",
        ),
        ('mode="sync"\nupstream = "vcs"', "2: 'upstream' cannot be set here; known are mode, downloadURL\n"),
        (
            'mode="sync"\ndownload "a" {\nmode="sync"\nurl=""\n}',
            "4: 'url' cannot be set here; known are mode, downloadURL, upstr",
        ),
        (
            'mode="sync"\nfilter "a" {\nmode="include"\nstatus=301\n}',
            "4: 'status' cannot be set here; known are mode, downl",
        ),
        ('mode="sync"\nupload "a" {}', "2: 'upload' is no block that may stand here; known: download, filter\n"),
        ('mode="sync"\nversion "1" {}', "2: 'version' is no block that may stand here"),
        (
            'mode="sync"\ndownload "a" {\nmode="sync"\nversion "1" { mode="sync"\nversion "2" {} }\n}',
            "5: 'version' is no block that may stand here; known: none",
        ),
        ('mode="sync"\ndownload { mode="sync" }', "2: a download block has one label, this one has 0"),
        ('mode="sync"\ndownload "a" "b" { mode="sync" }', "2: a download block has one label, this one has 2"),
        (
            'mode="sync"\ndownload "a" {\nmode="sync"\nstatus=303\n}',
            "4: '303' is no status of a redirect; write one of 301, 3",
        ),
        (
            'mode="sync"\ndownload "a" {\nmode="sync"\nupstream="cvs"\n}',
            "4: 'cvs' is no name in [upstreams]; known here: def",
        ),
    ],
)
def test_ath_05_a_file_that_means_nothing_is_refused_and_its_fault_pointed_at(text: str, message: str) -> None:
    assert problem_of(text).startswith(f"policy.hcl:{message}")


def test_a_password_in_a_target_is_refused_and_not_repeated_in_the_message() -> None:
    message = problem_of('mode="sync"\ndownloadURL = "https://me:secret@a.example"').split("\n")[0]
    assert message == "policy.hcl:2: the URL holds credentials, which every client would see; remove them"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "mode = sync",
            "1: nothing is called 'sync' here; a text stands in quotes: \"…\"\n    mode = sync\n           ^^^^",
        ),
        ("mode = null", "1: nothing is called 'null' here"),
        ("mode = true", "1: 'true' is no mode"),
        ('mode = "sync', '1: this text has no end; close it with " in the same line\n    mode = "sync\n           ^'),
        ('mode = "sy\nnc"', "1: this text has no end"),
        ("mode = <<EOT\nsync\nEOT\n", "1: a text of several lines ends with a newline, which no value here may; write"),
        ('mode = "${var.mode}"', "1: ${…} would be computed, and there is nothing to compute with"),
        ('mode = "%{if true}a%{endif}"', "1: %{…} would be computed"),
        ('mode = "$${a}"', "1: '${a}' is no mode"),
        ('mode = "a\\qb"', "1: \\q stands for no character; a backslash itself is written \\\\"),
        ('mode = "\\ud800"', "1: \\ud800 stands for no character"),
        ('mode = "\\UFFFFFFFF"', "1: \\UFFFFFFFF stands for no character"),
        ('mode = "\\U00000041\\n\\t\\r"', "1: 'A\\n\\t\\r' is no mode"),
        ('mode = ["sync"]', "1: '[' has no meaning here\n    mode = [\"sync\"]\n           ^"),
        ('mode = "sync" "b"', "1: the next line should stand here, but found 'b'"),
        ("mode =\n", '1: a value in quotes ("…") should stand here, but the line ends\n    mode =\n          ^'),
        ("mode =", '1: a value in quotes ("…") should stand here, but the file ends'),
        ("mode", "1: = or { should stand here, but the file ends"),
        ('mode "a"', "1: { should stand here, but the file ends"),
        ('mode="sync"\ndownload "a"\n{}', "2: { should stand here, but the line ends"),
        (
            'mode="sync"\ndownload "a" {\n',
            "3: a name, or the } of 'download' in line 2, should stand here, but the file e",
        ),
        ('mode="sync"\ndownload "a" { mode = "sync" = }', "2: the next line should stand here, but found '='"),
        ('mode="sync"\n}', "2: a name should stand here, but found '}'"),
        ('mode="sync"\n7', "2: a name should stand here, but found '7'"),
        ('mode="sync"\n/* no end', "2: this comment has no end; close it with */\n    /* no end\n    ^"),
        ("a{" * 5000, "1: blocks are nested in each other more than 8 times"),
    ],
)
def test_ath_05_what_is_no_hcl_is_refused_and_pointed_at(text: str, message: str) -> None:
    assert problem_of(text).startswith(f"policy.hcl:{message}")


PIECES = [*'"={}\n\\$%#/* 7', "mode", '"sync"', "download ", "version ", 'mode="sync"\n', "${", "/*", "<<"]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_any_text_loads_or_is_refused_with_its_line(text: str) -> None:
    try:
        read(text)
    except ConfigError as error:
        assert str(error).startswith("policy.hcl:")  # noqa: PT017 - most texts are refused, some are not


# --- what never counts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        (
            'download "a/*" { mode="none" }\ndownload "a/b" { mode="redirect" }',
            [
                (
                    'policy.hcl:3 download "a/b" never counts: policy.hcl:2 download "a/*" '
                    "before it matches whatever it matches"
                )
            ],
        ),
        ('download "a" { mode="none" }\nfilter "a" { mode="exclude" }\ndownload "b" { mode="none" }', []),
        (
            'filter "a" { mode="exclude" }\nfilter "a/b" { mode="direct" }',
            ['policy.hcl:3 filter "a/b" never counts: policy.hcl:2 filter "a" before it matches whatever it matches'],
        ),
        (
            'download "a" {\nmode="none"\nversion "<2" { mode="sync" }\nversion "<1" { mode="redirect" }\n}',
            [
                (
                    'policy.hcl:5 download "a" version "<1" never counts: policy.hcl:4 download "a" version "<2" '
                    "before it matches whatever it matches"
                )
            ],
        ),
    ],
)
def test_a_block_that_never_counts_is_warned_about_and_needs_no_target(text: str, warnings: list[str]) -> None:
    assert list(read(f'mode="sync"\n{text}').warnings) == warnings


def test_a_mode_of_the_file_that_never_counts_needs_no_target() -> None:
    assert read('mode="redirect"\ndownload "*" { mode="none" }').warnings == ()


# --- the repository's mode -------------------------------------------------------------------------------------------


def _no_file(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", path)


def _no_text(path: str) -> str:
    return b"\xff".decode()


def mode_of(value: str) -> Mode | DownloadFile:
    return load_mode(value, _no_file, GOLANG, "repositories.go.mode")


@pytest.mark.parametrize("mode", list(Mode))
def test_a_mode_is_a_mode(mode: Mode) -> None:
    assert mode_of(mode.value) is mode


def test_a_file_is_read() -> None:
    file = load_mode("file:a/policy.hcl", {"a/policy.hcl": ATHENS}.__getitem__, GOLANG, "test")
    assert isinstance(file, DownloadFile)
    assert file.name == "a/policy.hcl"
    assert file.default.own.mode is Mode.ASYNC_REDIRECT


def test_a_file_may_stand_in_the_setting_as_base64() -> None:
    file = mode_of(f"custom:{base64.b64encode(ATHENS.encode()).decode()}")
    assert isinstance(file, DownloadFile)
    assert file.default.own.rule == "repositories.go.mode:4 mode"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("snyc", "'snyc' is no mode; did you mean 'sync'?"),
        ("", "'' is no mode; write one of sync, async, redirect, async_redirect, none, deny"),
        ("Sync", "'Sync' is no mode"),
        (" sync", "' sync' is no mode"),
        ("fle:policy.hcl", "'fle:policy.hcl' is no mode"),
        ("file:", "'file:' names no download file; write \"file:policy.hcl\" or"),
        ("custom:", "'custom:' names no download file"),
        ("file:missing.hcl", r"the download file missing.hcl cannot be read: \[Errno 2\] No such file"),
        ("custom:bW9k", None),
        ("custom:bW9kZQ", "what follows custom: is no base64 of a text .*; make it with `base64 -w0 policy.hcl`"),
        ("custom:bW9k-_==", "what follows custom: is no base64"),
        ("custom:/w==", "what follows custom: is no base64 of a text"),
    ],
)
def test_ath_05_a_bad_mode_stops_the_start_and_names_its_setting(value: str, message: str | None) -> None:
    expected = f"^repositories.go.mode: {message}" if message else "^repositories.go.mode:1: = or {"
    with pytest.raises(ConfigError, match=expected):
        mode_of(value)


def test_ath_05_a_file_that_is_no_text_stops_the_start() -> None:
    with pytest.raises(ConfigError, match=r"^test: the download file a\.hcl cannot be read: 'utf-8' codec"):
        load_mode("file:a.hcl", _no_text, GOLANG, "test")
