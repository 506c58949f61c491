"""From Athens."""

import pytest

from entrepot.config.importing.translate import translate
from entrepot.errors import ConfigError
from tests.config.importing.conftest import Load, given, imported, said


def test_what_its_go_command_is_told_becomes_upstreams_in_order(load: Load) -> None:
    text = """
        GoBinaryEnvVars = ["GOPROXY=https://a.example|https://b.example,direct", "GOPRIVATE=git.example/*,x.example"]
        GoGetWorkers = 7
        Timeout = 90
        GoBinary = "go1.99"
    """
    settings = load(imported(text))
    assert settings.repositories["go"].upstreams == ("private", "https://a.example/", "https://b.example/", "vcs")
    private, vcs = settings.upstreams["private"], settings.upstreams["vcs"]
    assert (private.kind, private.modules) == ("vcs", ("git.example/*", "x.example"))
    assert (vcs.modules, vcs.max_commands, vcs.timeout, vcs.go_command) == ((), 7, 90.0, "go1.99")


def test_without_a_word_about_proxies_everything_comes_from_version_control(load: Load) -> None:
    assert load(imported('StorageType = "disk"\n')).repositories["go"].upstreams == ("vcs",)


def test_where_its_go_command_may_ask_nobody_ours_is_offline(load: Load) -> None:
    assert load(imported('GoBinaryEnvVars = ["GOPROXY=off"]\n')).repositories["go"].network == "offline"


def test_a_login_in_a_proxy_address_stays_where_it_is(load: Load) -> None:
    found = imported('GoBinaryEnvVars = ["GOPROXY=https://me:hunter2@a.example"]\n')
    assert "hunter2" not in found.text + said(found)
    auth = load(found).upstreams["proxy"].auth
    assert auth is not None
    assert (auth.username, auth.password_env) == ("me", "PROXY_PASSWORD")
    assert "put it in the environment variable PROXY_PASSWORD" in said(found)


@pytest.mark.parametrize(
    ("theirs", "ours"), [("", None), ("strict", "online"), ("fallback", "online"), ("offline", "offline")]
)
def test_network_modes(theirs: str, ours: str | None, load: Load) -> None:
    assert load(imported(f'StorageType = "disk"\nNetworkMode = "{theirs}"\n')).repositories["go"].network == ours


def test_a_simple_mode_keeps_its_target(load: Load) -> None:
    go = load(imported('DownloadMode = "redirect"\nDownloadURL = "https://proxy.example/go"\n')).repositories["go"]
    assert (go.mode, go.redirect_url, go.redirect_status) == ("redirect", "https://proxy.example/go/", 302)


def test_the_path_prefix_is_the_name_that_clients_know(load: Load) -> None:
    assert list(load(imported('GoEnv = "x"\nPathPrefix = "/modules"\n')).repositories) == ["modules"]
    found = imported('GoEnv = "x"\nPathPrefix = "/a/b"\n')
    assert list(load(found).repositories) == ["go"]
    assert "theirs:2: PathPrefix: not taken: a repository's path is one word; it is /go here" in said(found)


def test_checksum_databases_and_what_is_kept_from_them(load: Load) -> None:
    text = 'SumDBs = ["https://sum.example", "https://more.example/"]\nNoSumPatterns = ["git.example/!a!bc/*"]\n'
    options = load(imported(text)).repositories["go"].options
    assert options == {"sumdb": "sum.example", "sumdbs": ["more.example"], "nosumdb": ["git.example/ABc/*"]}


def test_what_athens_could_not_match_or_ask_is_left_out_and_said_to_be(load: Load) -> None:
    found = imported('SumDBs = ["sum.example"]\nNoSumPatterns = ["[a", "b"]\n')
    assert load(found).repositories["go"].options == {"nosumdb": ["b"]}
    assert "theirs:1: SumDBs[0]: not taken: it is no https address of a checksum database" in said(found)
    assert "theirs:2: NoSumPatterns[0]: not taken, as it matches nothing: " in said(found)


def test_a_validator_is_asked_where_it_was(load: Load) -> None:
    assert load(imported('ValidatorHook = "https://v.example/hook"\n')).validator.url == "https://v.example/hook"


def test_a_download_file_and_a_filter_file_become_one(load: Load) -> None:
    names = ["athens/config.toml", "athens/filter.conf", "athens/download.hcl"]
    found = translate(given(*names), None, lambda _: None, inline=False)
    load(found)
    policy = found.beside["athens.hcl"]
    assert policy.index('download "git.example/*"') < policy.index('filter "git.example/team/secret"')
    assert policy.count("downloadURL") == 3


def test_what_was_not_taken_is_named_with_its_line_and_why() -> None:
    notes = said(imported('StorageType = "s3"\nHGRCPath = "x"\nNonsense = 1\n[Storage.S3]\nKey = "hunter2"\n'))
    assert "theirs:1: StorageType: not taken: modules are fetched again" in notes
    assert "theirs:2: HGRCPath: not taken: version control is git here" in notes
    assert "theirs:3: Nonsense: not taken: it has no counterpart here" in notes
    assert "theirs:4: Storage: not taken" in notes


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('DownloadMode = "snyc"\n', "theirs:1: DownloadMode: 'snyc' is no mode; write one of sync, async"),
        ('DownloadMode = "redirect"\n', "theirs: DownloadURL: it is no http(s) address"),
        ('DownloadMode = "file:/etc/a.hcl"\n', "theirs:1: DownloadMode: /etc/a.hcl cannot be read; give that file too"),
        ('DownloadMode = "custom:!"\n', "theirs:1: DownloadMode: the download file in custom:… is no base64"),
        ('FilterFile = "f"\n', "theirs:1: FilterFile: f cannot be read; give that file too"),
        ('GoEnv = ""\nNetworkMode = "Offline"\n', "theirs:2: NetworkMode: 'Offline' is no mode; write one of strict"),
        ('ValidatorHook = "validate.example"\n', "theirs:1: ValidatorHook: it is no http(s) address"),
    ],
)
def test_what_decides_who_gets_what_is_never_guessed(text: str, complaint: str) -> None:
    text = text.replace('redirect"\n', 'redirect"\n')
    with pytest.raises(ConfigError) as caught:
        imported(text)
    assert complaint in str(caught.value)
