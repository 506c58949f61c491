"""Every class of mistake in a configuration is told with file, line and remedy."""

from pathlib import Path

import pytest

from entrepot.config.load import load
from entrepot.errors import ConfigError
from tests.config.shelf import ECOSYSTEMS

NPM = '[repositories.a]\necosystem = "npm"\n'
FILES = '[repositories.f]\necosystem = "generic"\n'
RULE = "[[repositories.f.rules]]\n"
RULE_A = "[[repositories.a.rules]]\n"
EXCEPTION = "[[repositories.a.cooldown.exceptions]]\npackage = 'left-pad'\n"
COMPANY = '[upstreams.company]\nurl = "https://packages.example/"\n'


def complaint_about(text: str, directory: Path, environment: dict[str, str] | None = None) -> str:
    """What loading this text says; the file is called FILE in it."""
    file = directory / "entrepot.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, environment or {}, {}, ECOSYSTEMS)
    return str(caught.value).replace(str(file), "FILE")


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("[server]\nlisten = ", 2, "not TOML: Invalid value; correct this line"),
        ("[server]\nopen = true\nopen = true\n", 3, "not TOML: Cannot overwrite a value; correct this line"),
        ("[server]\n\nlistn = 1\n", 3, "server.listn: unknown key; did you mean 'listen'?"),
        ("[serverr]\n", 1, "serverr: unknown key; did you mean 'server'?"),
        ("[metrics]\nxyz = 1\n", 2, "metrics.xyz: unknown key; known here: open"),
        (NPM + "[repositories.a.freshness]\nmutabel_ttl = '5m'\n", 4, "did you mean 'mutable_ttl'?"),
        (COMPANY + "auth = { kind = 'bearer', tokn = 'x' }\n", 3, "upstreams.company.auth.tokn: unknown key; did you"),
        (NPM + "checksums = []\n", 3, "repositories.a.checksums: unknown key; known here: "),
        (NPM + "reserved = ['@acme/*', 'pkg:pypi/x']\n", 3, "'pkg:pypi/x' names packages of another kind; here are: "),
        (NPM + "reserved = ['']\n", 3, "repositories.a.reserved: '' names no package; remove it"),
        (NPM + "options = { rules = [] }\n", 3, "repositories.a: 'rules' is no option of npm; known here: none"),
        ("[fetch]\nread_timeout = 30\n", 2, "fetch.read_timeout: 30 is no duration; write a number and a unit"),
        ("[fetch]\nread_timeout = '30 sec'\n", 2, "'30 sec' is no duration; write a number and a unit"),
        ("[storage]\nmemory = '64 megs'\n", 2, "storage.memory: '64 megs' is no size; write a number and a unit"),
        ("[storage]\nmax_size = 'none'\n", 2, "storage.max_size: 'none' is no size; write a number and a unit"),
        (NPM + "stale.error_backoff = '30s'\n", 3, "'30s' is no range of durations; write the first and the longest"),
        ("[server]\nworkers = 'many'\n", 2, "server.workers: it should be a valid integer"),
        ("[server]\nworkers = 0\n", 2, "server.workers: it should be greater than or equal to 1"),
        ("[server]\nhttp = '3'\n", 2, "server.http: it should be '1', '2' or 'auto'"),
        ("[server]\nallowed_hosts = 'a.example'\n", 2, 'server.allowed_hosts must be a list; write it like ["a", "b"]'),
        ("[server]\naccess_log = 5\n", 2, "server.access_log must be a text; put it in quotes"),
        ("server = 5\n", 1, "server must be a table"),
        ("repositories = 5\n", 1, "repositories must be a table"),
        ("[server]\nlisten = '8080'\n", 2, "'8080' is no listener; write HOST:PORT"),
        ("[server]\nlisten = '::1:8080'\n", 2, "an IPv6 address stands in brackets"),
        ("[server]\nlisten = '127.0.0.1:70000'\n", 2, "is no listener; write HOST:PORT"),
        (
            "[server]\nlisten = '0.0.0.0:80'\n",
            2,
            "can be reached from other machines; add a token (`entrepot token new`)",
        ),
        ("[server]\ntls_key = 'k.pem'\n", 1, "tls_certificate and tls_key come together; set both or neither"),
        ("[server]\ntrusted_proxies = ['10.0.0.1/8']\n", 2, "is no address or network"),
        ("[server]\npublic_url = 'packages.example'\n", 2, "is no http(s) URL; write it like"),
        ("[upstreams.a]\nurl = 'ftp://packages.example/'\n", 2, "is no http(s) URL; write it like"),
        ("[upstreams.a]\nurl = 'https://packages.example/?x=1'\n", 2, "has a query, a fragment"),
        ("[upstreams.a]\nurl = 'https://[::1/'\n", 2, "is no URL"),
        ("[upstreams.a]\nca_file = ''\n", 1, "upstreams.a.url is missing; add it"),
        (
            COMPANY + "ca_file = '/nowhere/ca.pem'\n",
            3,
            "/nowhere/ca.pem cannot be read: No such file or directory; name",
        ),
        (COMPANY + "download_hosts = 'all'\n", 3, "'all': write \"index\", or a list of host patterns"),
        (COMPANY + "auth = { kind = 'digest' }\n", 3, "auth.kind: it should be 'bearer', 'basic' or 'header'"),
        (COMPANY + "auth = { kind = 'bearer' }\n", 3, "kind 'bearer' needs either token_file or token_env"),
        (COMPANY + "auth = { kind = 'basic', password_env = 'P' }\n", 3, "kind 'basic' needs username"),
        (COMPANY + "auth = { kind = 'bearer', token_env = 'T', name = 'x' }\n", 3, "no use for name; remove it"),
        (
            COMPANY + "auth = { kind = 'bearer', token_env = 'T' }\n",
            3,
            "variable T is not set; set it before the start",
        ),
        (
            COMPANY + "[upstreams.company.auth]\nkind = 'bearer'\ntoken_file = '/nowhere'\n",
            5,
            "/nowhere cannot be read",
        ),
        (COMPANY + "auth = { kind = 'header', name = 'a b', token_env = 'T' }\n", 3, "auth.name has characters that"),
        (NPM + "upstreams = ['compny']\n" + COMPANY, 3, "'compny' is no name in [upstreams]; did you mean 'company'?"),
        (NPM + "upstreams = []\n", 3, "repositories.a.upstreams: is empty; name an upstream"),
        (NPM + "upstreams = ['https://']\n", 3, "is no http(s) URL"),
        ("[repositories.a]\n", 1, "repositories.a.ecosystem is missing; add it"),
        ("[repositories.a]\necosystem = 'nmp'\n", 2, "repositories.a.ecosystem: 'nmp' is unknown; did you mean 'npm'?"),
        ("[repositories.api]\necosystem = 'npm'\n", 1, "'api' is a path of Entrepot's own; choose another name"),
        ("[repositories.My_Repo]\necosystem = 'npm'\n", 1, "'My_Repo' cannot be a name; use up to 64 lower-case"),
        ("[repositories.'~x']\necosystem = 'npm'\n", 1, "'~x' cannot be a name"),
        ("[repositories.'@x']\necosystem = 'npm'\n", 1, "'@x' cannot be a name"),
        ("[repositories.-]\necosystem = 'npm'\n", 1, "'-' cannot be a name"),
        (FILES + "unmatched = 'no'\n", 3, "repositories.f.unmatched: it should be 'allow' or 'deny'"),
        (FILES + "checksums = 'wrong'\n", 3, "repositories.f: generic: checksums: write something else"),
        (FILES + "side_files = 'wrong'\n", 3, "repositories.f: generic: side_files: write something else"),
        (FILES + RULE + "path = '.*'\n" + RULE + "path = '('\n", 5, "repositories.f: generic: rules[1]: no expression"),
        (FILES + "options = { rules = [] }\n", 3, "'rules' is no option of generic; known here: checksums, side_files"),
        (NPM + "mode = 'asynch'\n", 3, "repositories.a.mode: 'asynch' is no mode; did you mean 'async'?"),
        (NPM + "mode = 'whatever'\n", 3, "is no mode; write one of sync, async, redirect, async_redirect, none, deny"),
        (NPM + "mode = 'fle:policy.hcl'\n", 3, "repositories.a.mode: 'fle:policy.hcl' is no mode; write one of"),
        (NPM + "mode = 'file:'\n", 3, "'file:' names no download file; write \"file:policy.hcl\" or"),
        (
            NPM + "mode = 'custom:bW9kZQ'\n",
            3,
            "the download file in custom:… is no base64 of a text (Incorrect padding)",
        ),
        (NPM + "mode = 'custom:_w=='\n", 3, "the download file in custom:… is no base64 of a text"),
        (NPM + "mode = 'custom:/w=='\n", 3, "the download file in custom:… is no base64 of a text"),
        (NPM + "mode = 'redirect'\n", 3, "a.mode: 'redirect' has no target; set repositories.a.redirect_url"),
        (NPM + "redirect_url = 'ftp://x.example/'\n", 3, "'ftp://x.example/' is no http(s) URL; write it like"),
        (
            NPM + "redirect_url = 'http://127.0.0.1:8080/a'\n",
            3,
            "is our own address; clients would be sent in a circle",
        ),
        (NPM + "redirect_status = 303\n", 3, "repositories.a.redirect_status: it should be 302, 301 or 307"),
        (NPM + "network = 'offlin'\n", 3, "a.network: it should be 'online', 'prefer_cache' or 'offline'"),
        ("network = 'off'\n", 1, "network: it should be 'online', 'prefer_cache' or 'offline'"),
        (NPM + "offline_miss = 200\n", 3, "repositories.a.offline_miss: it should be '504' or '404'"),
        (NPM + "store = 'later'\n", 3, "repositories.a.store: it should be 'on', 'off' or 'behind'"),
        (NPM + RULE_A + "class = 'mutable'\n", 3, "repositories.a.rules.0: the rule names nothing; give it package"),
        (NPM + RULE_A + "path = 'x/.*'\n", 4, "'x/.*' would never match: paths begin with a slash; write '/x/.*'"),
        (NPM + RULE_A + "path = '/x'\nclas = 'mutable'\n", 5, "rules.0.clas: unknown key; did you mean 'class'?"),
        (NPM + RULE_A + "path = '/x'\nclass = 'static'\n", 5, "rules.0.class: it should be 'immutable', 'mutable' or"),
        (NPM + RULE_A + "path = '/x'\nmode = 'none '\n", 5, "rules.0.mode: 'none ' is no mode; did you mean 'none'?"),
        (NPM + RULE_A + "path = '/x'\nmode = 'file:x'\n", 5, "rules.0.mode: 'file:x' is no mode; write one of"),
        (NPM + RULE_A + "path = '/x'\nmode = 'redirect'\n", 5, "'redirect' has no target; set redirect_url here or"),
        (NPM + RULE_A + "path = '/x'\nmutable_ttl = '5'\n", 5, "rules.0.mutable_ttl: '5' is no duration; write a"),
        (NPM + RULE_A + "path = '/x'\nupstream = 'b'\n", 5, "upstream: 'b' is no name in [upstreams]; known here: de"),
        (NPM + RULE_A + "path = '/x'\nredirect_url = 'x'\n", 5, "rules.0.redirect_url: 'x' is no http(s) URL"),
        (
            NPM + RULE_A + "path = '/x'\nclass = 'immutable'\nmutable_ttl = '5m'\n",
            3,
            'mutable_ttl has no use where class = "immutable"; remove one of them',
        ),
        (
            NPM + "mode = 'file:policy.hcl'\n" + RULE_A + "path = '/x'\nredirect_url = 'https://x.example'\n",
            4,
            "repositories.a.rules.0: the repository's mode is a download file; say the rule's own mode too",
        ),
        (
            NPM + "cooldown.default = '3 days'\n",
            3,
            "cooldown.default: '3 days' is no duration; write a number and a unit",
        ),
        (NPM + "cooldown.default = 'forever'\n", 3, "'forever' is older than anything; write up to 36500d"),
        ("[cooldown]\ndefault = 'x'\n", 2, "cooldown.default: 'x' is no duration; write a number and a unit"),
        (NPM + "cooldown.packages = { 'x' = 'soon' }\n", 3, "cooldown.packages.x: 'soon' is no duration; write a"),
        (NPM + "cooldown.unknown_date = 'first_seen'\n", 3, "it should be 'refuse', 'first-seen' or 'allow'"),
        (NPM + "cooldown.as_of = 'last week'\n", 3, "'last week' is no date; write \"2026-08-01\", or a moment with"),
        (NPM + EXCEPTION + "until = '2026-12-01'\n", 3, "cooldown.exceptions.0.reason is missing; add it"),
        (NPM + EXCEPTION + "reason = 'CVE'\n", 3, "cooldown.exceptions.0.until is missing; add it"),
        (NPM + EXCEPTION + "reason = 'CVE'\nuntil = 'soon'\n", 6, "exceptions.0.until: 'soon' is no date; write"),
        ("[validator]\nurl = 'validate.example'\n", 2, "validator.url: 'validate.example' is no http(s) URL; write it"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_do(text: str, line: int, complaint: str, tmp_path: Path) -> None:
    told = complaint_about(text, tmp_path)
    assert told.startswith(f"FILE:{line}: ")
    assert complaint in told
    assert "\n" not in told


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    told = complaint_about("[server]\nworkers = 0\n[fetch]\nretries = 9\n[nonsense]\n", tmp_path).splitlines()
    assert [line.split(": ")[0] for line in told] == ["FILE:2", "FILE:4", "FILE:5"]


def test_a_url_with_credentials_is_refused_and_not_repeated(tmp_path: Path) -> None:
    for text in (
        "[upstreams.a]\nurl = 'https://user:hunter2@packages.example/'\n",
        "[repositories.a]\nupstreams = ['https://user:hunter2@packages.example/']\necosystem = 'npm'\n",
    ):
        told = complaint_about(text, tmp_path)
        assert told.startswith("FILE:2: ")
        assert 'use auth = { kind = "basic", … } instead' in told
        assert "hunter2" not in told


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    told = complaint_about(COMPANY + "auth = { kind = 'bearer', token_env = 'T' }\n", tmp_path, {"T": " \n"})
    assert told.startswith("FILE:3: upstreams.company.auth.token_env: the token is empty")


def test_a_secret_with_a_line_break_cannot_add_header_fields(tmp_path: Path) -> None:
    told = complaint_about(COMPANY + "auth = { kind = 'bearer', token_env = 'T' }\n", tmp_path, {"T": "a\r\nb"})
    assert "control characters" in told
    assert "a\r\nb" not in told


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read: No such file or directory; name a"):
        load(tmp_path / "absent.toml", {}, {}, ECOSYSTEMS)


def test_a_file_in_another_encoding_is_told_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.toml"
    file.write_bytes(b"[server]\naccess_log = '\xe9'\n")
    with pytest.raises(ConfigError, match=r"entrepot\.toml:2: not UTF-8; save the file as UTF-8"):
        load(file, {}, {}, ECOSYSTEMS)


@pytest.mark.parametrize(
    ("variable", "text", "complaint"),
    [
        ("ENTREPOT_SERVER__WORKERS", "many", "ENTREPOT_SERVER__WORKERS: server.workers: it should be a valid integer"),
        ("ENTREPOT_SERVER__LISTN", "x", "ENTREPOT_SERVER__LISTN: server.listn: unknown key; did you mean 'listen'?"),
        ("ENTREPOT_SERVER_LISTEN", "x", "two underscores stand between section and key: ENTREPOT_SERVER__LISTEN"),
        ("ENTREPOT_SERVER__ALLOWED_HOSTS", "[a", "ENTREPOT_SERVER__ALLOWED_HOSTS: no list or table"),
        ("ENTREPOT_SERVER__ALLOWED_HOSTS", "a", "must be a list"),
        ("ENTREPOT_SERVER__OPEN__X", "a", "open is a value and no table; remove this"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    variable: str, text: str, complaint: str, tmp_path: Path
) -> None:
    told = complaint_about("[server]\nopen = true\n", tmp_path, {variable: text})
    assert told.startswith(variable)
    assert complaint in told


def test_a_mistake_in_a_flag_is_told_as_such() -> None:
    with pytest.raises(ConfigError, match=r"^command line: server\.listen: 'nowhere' is no listener; write HOST:PORT"):
        load(None, {}, {"server.listen": "nowhere"}, ECOSYSTEMS)
