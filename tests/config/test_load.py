"""Where settings come from, and which of them wins."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entrepot.config.load import Loaded, data_directory, find_file, load
from tests.config.shelf import ECOSYSTEMS


def loaded(
    text: str | None, directory: Path, environment: Mapping[str, str] | None = None, **overrides: object
) -> Loaded:
    """Settings from a file with this text (None: no file); `server__listen=…` is a flag."""
    file = directory / "entrepot.toml"
    if text is not None:
        file.write_text(text)
    flags = {key.replace("__", "."): value for key, value in overrides.items()}
    return load(file if text is not None else None, environment or {}, flags, ECOSYSTEMS)


def test_without_a_file_the_built_in_repositories_exist(tmp_path: Path) -> None:
    settings = loaded(None, tmp_path).settings
    assert {name: repository.ecosystem for name, repository in settings.repositories.items()} == {
        "pypi": "pypi",
        "npm": "npm",
        "go": "golang",
        "cargo": "cargo",
        "maven": "maven",
    }
    assert settings.server.listen == "127.0.0.1:8080"


def test_a_file_without_repositories_keeps_the_built_in_ones(tmp_path: Path) -> None:
    assert set(loaded("[server]\nworkers = 2\n", tmp_path).settings.repositories) == {
        "pypi",
        "npm",
        "go",
        "cargo",
        "maven",
    }


def test_a_repository_in_the_file_replaces_the_built_in_ones(tmp_path: Path) -> None:
    settings = loaded('[repositories.mine]\necosystem = "npm"\n', tmp_path).settings
    assert list(settings.repositories) == ["mine"]


def test_a_built_in_repository_can_be_changed_by_the_environment(tmp_path: Path) -> None:
    environment = {"ENTREPOT_REPOSITORIES__NPM__UPSTREAMS": '["http://127.0.0.1:9000"]'}
    settings = loaded(None, tmp_path, environment).settings
    assert settings.repositories["npm"].upstreams == ("http://127.0.0.1:9000/",)
    assert set(settings.repositories) == {"pypi", "npm", "go", "cargo", "maven"}


def test_durations_and_sizes_become_seconds_and_bytes(tmp_path: Path) -> None:
    text = """
        [storage]
        max_size = "10GB"
        [repositories.a]
        ecosystem = "npm"
        freshness = { mutable_ttl = "upstream", negative_ttl = "0" }
        stale.error_backoff = "1s..2m"
    """
    settings = loaded(text, tmp_path).settings
    assert settings.storage.max_size == 10**10
    repository = settings.repositories["a"]
    assert repository.freshness.mutable_ttl is None
    assert repository.freshness.negative_ttl == 0.0
    assert repository.stale.error_backoff == (1.0, 120.0)


def test_the_environment_wins_over_the_file_and_a_flag_over_both(tmp_path: Path) -> None:
    text = "[server]\nworkers = 2\naccess_log = 'off'\n[fetch]\nretries = 0\n"
    environment = {"ENTREPOT_SERVER__WORKERS": "3", "ENTREPOT_SERVER__ACCESS_LOG": "stdout"}
    settings = loaded(text, tmp_path, environment, server__workers=4).settings
    assert (settings.server.workers, settings.server.access_log, settings.fetch.retries) == (4, "stdout", 0)


def test_every_value_knows_where_it_came_from(tmp_path: Path) -> None:
    text = '[server]\nworkers = 2\n[upstreams.company]\nurl = "https://packages.example/"\n'
    found = loaded(text, tmp_path, {"ENTREPOT_SERVER__OPEN": "true"}, server__listen="127.0.0.1:0")
    assert found.origin(("server", "workers")) == f"{tmp_path}/entrepot.toml:2"
    assert found.origin(("upstreams", "company", "url")) == f"{tmp_path}/entrepot.toml:4"
    assert found.origin(("upstreams", "company", "owns")) == "default"
    assert found.origin(("server", "open")) == "ENTREPOT_SERVER__OPEN"
    assert found.origin(("server", "listen")) == "command line"
    assert found.origin(("fetch", "retries")) == "default"


def test_a_table_in_a_variable_is_the_origin_of_what_is_in_it(tmp_path: Path) -> None:
    environment = {"ENTREPOT_UPSTREAMS__COMPANY": '{ url = "https://packages.example/", max_connections = 3 }'}
    found = loaded(None, tmp_path, environment)
    assert found.settings.upstreams["company"].max_connections == 3
    assert found.origin(("upstreams", "company", "max_connections")) == "ENTREPOT_UPSTREAMS__COMPANY"


def test_options_of_the_ecosystem_may_stand_beside_the_other_keys(tmp_path: Path) -> None:
    text = """
        [repositories.files]
        ecosystem = "generic"
        upstreams = ["https://files.example"]
        side_files = "{path}.sha256"
        [[repositories.files.checksums]]
        path = ".*"
    """
    found = loaded(text, tmp_path)
    assert found.settings.repositories["files"].options == {
        "side_files": "{path}.sha256",
        "checksums": [{"path": ".*"}],
    }
    origin = found.origin(("repositories", "files", "options", "side_files"))
    assert origin == f"{tmp_path}/entrepot.toml:5"


def test_an_ecosystem_that_classes_paths_is_told_of_rules(tmp_path: Path) -> None:
    text = """
        [repositories.files]
        ecosystem = "generic"
        unmatched = "deny"
        [[repositories.files.rules]]
        path = "/a/.*"
        class = "mutable"
        mutable_ttl = "1m"
        [[repositories.files.rules]]
        path = "/b/.*"
        mutable_ttl = "upstream"
        [[repositories.files.rules]]
        package = "c/*"
    """
    files = loaded(text, tmp_path).settings.repositories["files"]
    assert files.options_for({"rules", "unmatched"}) == {
        "rules": [{"path": "/a/.*", "class": "mutable", "mutable_ttl": 60.0}, {"path": "/b/.*", "class": "mutable"}],
        "unmatched": "deny",
    }
    assert files.options_for({"checksums"}) == {}


def test_what_stands_at_the_top_of_the_file_may_stand_in_the_environment(tmp_path: Path) -> None:
    found = loaded('network = "offline"\n', tmp_path, {"ENTREPOT_NETWORK": "prefer_cache"})
    assert found.settings.network == "prefer_cache"
    assert found.origin(("network",)) == "ENTREPOT_NETWORK"


def test_statuses_may_be_written_as_numbers_or_texts(tmp_path: Path) -> None:
    text = '[repositories.a]\necosystem = "npm"\noffline_miss = 404\n'
    a = loaded(text, tmp_path, {"ENTREPOT_REPOSITORIES__A__REDIRECT_STATUS": "301"}).settings.repositories["a"]
    assert (a.offline_miss, a.redirect_status) == ("404", 301)


def test_dates_may_be_written_as_toml_has_them(tmp_path: Path) -> None:
    text = """
        [repositories.a]
        ecosystem = "npm"
        [repositories.a.cooldown]
        as_of = 2026-08-01
        [[repositories.a.cooldown.exceptions]]
        package = "left-pad"
        reason = "ticket 1"
        until = 2026-12-01
        [[repositories.a.cooldown.exceptions]]
        package = "right-pad"
        reason = "ticket 2"
        until = 2026-12-01T14:00:00+02:00
    """
    cooldown = loaded(text, tmp_path).settings.repositories["a"].cooldown
    assert cooldown.as_of == datetime(2026, 8, 1, 23, 59, 59, 999999, tzinfo=UTC)
    assert [exception.until for exception in cooldown.exceptions] == [
        datetime(2026, 12, 1, tzinfo=UTC),
        datetime(2026, 12, 1, 12, tzinfo=UTC),
    ]


def test_an_upstream_address_ends_in_a_slash(tmp_path: Path) -> None:
    text = '[upstreams.a]\nurl = "https://packages.example/simple"\n'
    assert loaded(text, tmp_path).settings.upstreams["a"].url == "https://packages.example/simple/"


def test_only_repositories_that_nobody_asked_for_are_built_in(tmp_path: Path) -> None:
    assert loaded(None, tmp_path).is_built_in("npm")
    assert not loaded('[repositories.npm]\necosystem = "npm"\n', tmp_path).is_built_in("npm")


def test_variables_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    environment = {"ENTREPOT_CONFIG": "x", "ENTREPOT_DATA": "y", "ENTREPOT_COLOUR": "z", "SERVER__OPEN": "true"}
    assert not loaded(None, tmp_path, environment).settings.server.open


@pytest.mark.parametrize(
    ("text", "environment", "wanted"),
    [
        ('[storage]\ndirectory = "/a"', {"ENTREPOT_DATA": "/b"}, "/a"),
        ("", {"ENTREPOT_DATA": "/b", "XDG_DATA_HOME": "/c"}, "/b"),
        ("", {"XDG_DATA_HOME": "/c", "HOME": "/d"}, "/c/entrepot"),
        ("", {"XDG_DATA_HOME": "relative", "HOME": "/d"}, "/d/.local/share/entrepot"),
        ("", {"HOME": "/d"}, "/d/.local/share/entrepot"),
    ],
)
def test_the_data_directory(text: str, environment: dict[str, str], wanted: str, tmp_path: Path) -> None:
    assert str(data_directory(loaded(text, tmp_path).settings, environment)) == wanted


def test_the_usual_configuration_file_is_found(tmp_path: Path) -> None:
    assert find_file({"HOME": str(tmp_path)}) is None
    usual = tmp_path / ".config" / "entrepot" / "entrepot.toml"
    usual.parent.mkdir(parents=True)
    usual.write_text("")
    assert find_file({"HOME": str(tmp_path)}) == usual
    assert find_file({"HOME": str(tmp_path), "ENTREPOT_CONFIG": "/other.toml"}) == Path("/other.toml")
