"""From artifactapi."""

import re

import pytest

from entrepot.config.importing.expressions import whole_path
from entrepot.errors import ConfigError
from tests.config.importing.conftest import Load, imported, said

REMOTE = "remotes:\n  a:\n    base_url: https://a.example/pub\n"


@pytest.mark.parametrize(
    ("searched", "admitted", "refused"),
    [
        (".*/archive/refs/tags/.*", ["o/r/archive/refs/tags/v1"], ["archive/refs/tags/v1", "o/r/archive/refs/heads/x"]),
        (r"lxc/incus/.*\.tar\.gz$", ["lxc/incus/a.tar.gz", "x/lxc/incus/a.tar.gz"], ["lxc/incus/a.tar.gz.asc"]),
        (r"^el9/", ["el9/x"], ["x/el9/x", "el90/x"]),
        (r"^el9/|^el10/", ["el9/x", "el10/x"], ["x/el9/y"]),
        (r"a|b", ["xay", "b"], ["c"]),
        (r"(?i)readme", ["x/README.md"], ["x/red"]),
        (r"/x", ["a/x"], ["x"]),
        (r"[/^]x", ["a/x", "^x"], ["x"]),
    ],
)
def test_an_expression_that_is_searched_for_admits_the_same_whole_paths(
    searched: str, admitted: list[str], refused: list[str]
) -> None:
    ours = re.compile(whole_path(searched).replace("(?i)", ""), re.IGNORECASE if "(?i)" in searched else 0)
    assert [path for path in admitted if not (re.search(searched, path) and ours.fullmatch(f"/{path}"))] == []
    assert [path for path in refused if re.search(searched, path) or ours.fullmatch(f"/{path}")] == []


@pytest.mark.parametrize("searched", ["(?!x)y", r"(a)\1", "(", "*"])
def test_an_expression_that_could_run_away_is_refused(searched: str) -> None:
    with pytest.raises(ConfigError, match="no regular expression"):
        whole_path(searched)


def test_lists_of_patterns_are_lists_of_what_is_allowed(load: Load) -> None:
    text = REMOTE + "    immutable_patterns: ['x']\n    mutable_patterns: ['y']\n"
    a = load(imported(text)).repositories["a"]
    assert a.unmatched == "deny"
    assert [(rule.path, rule.klass) for rule in a.rules] == [("/.*y.*", "mutable"), ("/.*x.*", "immutable")]


def test_a_remote_without_patterns_allows_nothing(load: Load) -> None:
    a = load(imported(REMOTE)).repositories["a"]
    assert (a.unmatched, a.rules) == ("deny", ())


def test_a_pattern_that_cannot_be_taken_is_denied_and_one_that_blocks_blocks_all(load: Load) -> None:
    found = imported(REMOTE + "    patterns: ['(?=x)']\n    blocklist: ['(?=y)']\n")
    a = load(found).repositories["a"]
    assert [(rule.path, rule.mode) for rule in a.rules] == [(".*", "deny")]
    assert "theirs:4: remotes.a.patterns[0]: not taken, so this is denied: " in said(found)
    assert "theirs:5: remotes.a.blocklist[0]: all of it is denied: " in said(found)


@pytest.mark.parametrize(
    ("cache", "mutable", "immutable"),
    [
        ("", 3600.0, float("inf")),
        ("    cache: {mutable_ttl: 0, immutable_ttl: 0}\n", 0.0, float("inf")),
        ("    cache: {index_ttl: 7200, file_ttl: 86400}\n", 7200.0, 86400.0),
    ],
)
def test_times_to_live_by_both_names(cache: str, mutable: float, immutable: float, load: Load) -> None:
    freshness = load(imported(REMOTE + cache)).repositories["a"].freshness
    assert (freshness.mutable_ttl, freshness.immutable_ttl) == (mutable, immutable)


def test_indexes_are_allowed_as_its_type_has_them(load: Load) -> None:
    a = load(imported(REMOTE + "    package: alpine\n    immutable_patterns: ['x86_64/']\n")).repositories["a"]
    assert a.ecosystem == "generic"
    assert [(rule.path, rule.klass) for rule in a.rules] == [
        ("/.*x86_64/.*", "immutable"),
        (r".*/(APKINDEX\.tar\.gz|[^/]*\.adb)", "mutable"),
    ]
    npm = load(imported(REMOTE + "    package: npm\n    immutable_patterns: ['tgz$']\n")).repositories["a"]
    assert [(rule.path, rule.klass) for rule in npm.rules] == [("/.*tgz$", None), ("/(@[^/]+/)?[^/]+", None)]


def test_a_login_stays_where_it_is(load: Load) -> None:
    found = imported(REMOTE + "    username: me\n    password: hunter2\n")
    assert "hunter2" not in found.text + said(found)
    auth = load(found).upstreams["a"].auth
    assert auth is not None
    assert (auth.kind, auth.username, auth.password_env) == ("basic", "me", "A_PASSWORD")


def test_names_that_cannot_be_ours_are_changed_and_kept_apart(load: Load) -> None:
    remotes = "".join(f"  {name}:\n    base_url: https://a.example\n" for name in ("api", "A b", "a-b", "_"))
    found = imported(f"remotes:\n{remotes}")
    assert list(load(found).repositories) == ["api-1", "a-b", "a-b-2", "repository"]
    assert "theirs:2: remotes.api: the repository is called 'api-1' here" in said(found)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("remotes: {a: {package: docker, base_url: 'https://a.example'}}\n", "if the ecosystem of docker is here"),
        ("remotes: {a: {type: local}}\n", "remotes.a: not taken: nothing can be uploaded here"),
        ("remotes: {a: {base_url: 'ftp://me:hunter2@a.example'}}\n", "remotes.a.base_url: not taken: it is no http(s)"),
        ("remotes: {a: {}}\n", "remotes.a.base_url: not taken: it is no http(s)"),
        (REMOTE + "    releases_remote: b\n", "theirs:4: remotes.a.releases_remote: not taken: files come through"),
        (
            REMOTE + "    cache: {mutable_ttl: soon}\n",
            "theirs:4: remotes.a.cache.mutable_ttl: not taken: it is not a num",
        ),
        (REMOTE + "    immutable_patterns: x\n", "remotes.a.immutable_patterns: not taken: it is not a list of texts"),
        ("virtual: {v: {members: [a]}}\n", "virtual: not taken: lists of several upstreams are never merged here"),
    ],
)
def test_what_is_not_taken_is_named(text: str, note: str) -> None:
    found = imported(text, "artifactapi")
    assert note in said(found)
    assert "hunter2" not in said(found)
