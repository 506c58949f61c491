"""From git-pkgs/proxy."""

import pytest

from tests.config.importing.conftest import Load, imported, said

NPM = 'upstream: {npm: "https://npm.example/registry"'


def test_what_it_always_serves_is_served(load: Load) -> None:
    repositories = load(imported('listen: ":8080"\n')).repositories
    assert {name: (one.ecosystem, one.upstreams) for name, one in repositories.items()} == {
        "npm": ("npm", ("default",)),
        "pypi": ("pypi", ("default",)),
        "go": ("golang", ("default",)),
    }


def test_it_listens_on_this_machine_until_somebody_decides_who_may_ask(load: Load) -> None:
    found = imported('listen: "0.0.0.0:9000"\n')
    assert load(found).server.listen == "127.0.0.1:9000"
    assert 'set server.listen = "0.0.0.0:9000", and make tokens' in said(found)


@pytest.mark.parametrize(
    ("text", "ttl"),
    [
        ("", 0.0),
        ("metadata_ttl: 10m\n", 0.0),
        ("cache_metadata: true\n", 300.0),
        ("cache_metadata: true\nmetadata_ttl: 1h30m\n", 5400.0),
        ("cache_metadata: true\nmetadata_ttl: '0'\n", 0.0),
        ("cache_metadata: true\nmetadata_ttl: 1.5d\n", 129600.0),
        ("cache_metadata: true\nmetadata_ttl: soon\n", 300.0),
    ],
)
def test_the_time_to_live_of_metadata(text: str, ttl: float, load: Load) -> None:
    assert load(imported(f"listen: ':1'\n{text}")).repositories["npm"].freshness.mutable_ttl == ttl


def test_cooldown_by_ecosystem_and_package_where_theirs_has_it(load: Load) -> None:
    text = """
        cooldown:
          default: 3d
          ecosystems: {npm: 7d, gem: 1d}
          packages: {"pkg:npm/@babel/core": 14d, "pkg:pypi/flask": "0", "pkg:gem/rails": 1d}
    """
    found = imported(text)
    repositories = load(found).repositories
    npm, pypi = repositories["npm"].cooldown, repositories["pypi"].cooldown
    assert (npm.default, npm.packages) == (7 * 86400.0, {"pkg:npm/@babel/core": 14 * 86400.0})
    assert (pypi.default, pypi.packages) == (3 * 86400.0, {"pkg:pypi/flask": 0.0})
    assert repositories["go"].cooldown.default is None
    assert "theirs:4: cooldown.ecosystems.gem: not taken: if its ecosystem is here" in said(found)
    assert "theirs:5: cooldown.packages.pkg:gem/rails: not taken" in said(found)


@pytest.mark.parametrize(
    ("scope", "fits"),
    [
        ("https://npm.example", True),
        ("https://npm.example/registry", True),
        ("npm", True),
        ("https://npm.example/reg", False),
        ("https://npm.example.evil.example", False),
        ("http://npm.example", False),
        ("https://npm.example:8443", False),
    ],
)
def test_a_login_goes_to_addresses_in_its_scope(scope: str, fits: bool, load: Load) -> None:
    found = imported(NPM + f', auth: {{"{scope}": {{type: bearer, token: "${{TOKEN_OF_NPM}}"}}}}}}\n')
    settings = load(found)
    assert ("npm" in settings.upstreams) is fits
    if fits:
        auth = settings.upstreams["npm"].auth
        assert auth is not None
        assert (auth.kind, auth.token_env) == ("bearer", "TOKEN_OF_NPM")
    else:
        assert "not taken: no upstream of this configuration has this address" in said(found)


def test_the_narrowest_scope_counts(load: Load) -> None:
    wide, narrow = (f'"https://npm.example{path}": {{type: bearer, token: "${{{name}}}"}}' for path, name in (
        ("", "WIDE"), ("/registry", "NARROW"),
    ))  # fmt: skip
    auth = load(imported(NPM + f", auth: {{{wide}, {narrow}}}}}\n")).upstreams["npm"].auth
    assert auth is not None
    assert auth.token_env == "NARROW"


@pytest.mark.parametrize("login", ["{type: ecr}", "{type: basic, password: hunter2}", "{type: header}", "{}"])
def test_a_login_that_is_not_known_here_is_left_out(login: str, load: Load) -> None:
    found = imported(NPM + f', auth: {{"https://npm.example": {login}}}}}\n')
    assert load(found).repositories["npm"].upstreams == ("https://npm.example/registry/",)
    assert "not taken: such a login is not known here" in said(found)
    assert "hunter2" not in said(found)


def test_named_trees_are_repositories_of_their_own(load: Load) -> None:
    text = "upstream: {generic: {github: 'https://github.com'}, apk: {npm: 'https://a.example'}, rpm: 'https://r.example'}\n"
    found = imported(text)
    repositories = load(found).repositories
    assert set(repositories) == {"npm", "pypi", "go", "rpm", "github", "npm-2"}
    assert {repositories[name].ecosystem for name in ("rpm", "github", "npm-2")} == {"generic"}
    assert "/apk/npm/… is /npm-2/… here" in said(found)


def test_sizes_are_kept(load: Load) -> None:
    settings = load(imported("storage: {max_size: 10 GB}\nmetadata_max_size: 250MB\n"))
    assert (settings.storage.max_size, settings.limits.parsed_index) == (10 * 10**9, 250 * 10**6)
    found = imported("storage: {max_size: much}\n")
    assert load(found).storage.max_size is None
    assert "theirs:1: storage.max_size: not taken: 'much' is no size" in said(found)


def test_what_is_not_taken_is_named_with_its_line() -> None:
    notes = said(imported("mirror_api: true\nupstream:\n  cargo: https://c.example\n  oci: {ghcr: x}\nwhatever: 1\n"))
    assert "theirs:3: upstream.cargo: not taken: if its ecosystem is here, write a repository by hand" in notes
    assert "theirs:4: upstream.oci: not taken: if its ecosystem is here, write a repository by hand" in notes
    assert "theirs:5: whatever: not taken: it has no counterpart here" in notes
