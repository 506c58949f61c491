"""What settings of policy mean once they are gates: where rules stand, and which word counts."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entrepot.assembly.values import repositories_of
from entrepot.cli.context import load_settings
from entrepot.cli.drafting import blueprint_of
from entrepot.model.resource import Request, Resource
from entrepot.policy.cooldown import Dated
from entrepot.policy.gate import Gate
from entrepot.policy.verdict import Verdict

GO = '[repositories.go]\necosystem = "golang"\nupstreams = ["https://registry.example/"]\n'
RULE = "[[repositories.go.rules]]\n"
Make = Callable[[str], "Made"]


class Made:
    """The gate of the only repository of a configuration."""

    def __init__(self, file: Path) -> None:
        self._file = file
        (repository,) = repositories_of(blueprint_of(load_settings(file))).values()
        self.gate: Gate = repository.gate
        self._ecosystem = repository.ecosystem

    def verdict(self, path: str) -> Verdict:
        resource = self._ecosystem.route(Request(method="GET", path=path))
        assert isinstance(resource, Resource)
        return self.gate.decide(resource)

    def where(self, name: str) -> str:
        return name.replace(self._file.name, "FILE")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Nothing of this machine counts."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("ENTREPOT_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)

    def make(text: str) -> Made:
        file = tmp_path / "entrepot.toml"
        file.write_text(text)
        return Made(file)

    return make


def test_a_verdict_names_the_file_and_line_of_its_rule(make: Make) -> None:
    made = make(
        GO + RULE + "package = 'a.example/x'\nmode = 'deny'\n" + RULE + "package = 'a.example'\nclass = 'mutable'\n"
    )
    refusal = made.verdict("a.example/x/@v/v1.0.0.mod").refusal
    assert refusal is not None
    assert made.where(refusal.rule) == "FILE:4 repositories.go.rules[0]"
    other = made.verdict("a.example/y/@v/v1.0.0.mod")
    assert made.where(other.rule) == "FILE:7 repositories.go.rules[1]"
    # The rule says nothing of misses; the repository's mode was never written down.
    assert made.where(other.download.rule) == "FILE:1 repositories.go.mode"


def test_the_mode_of_a_repository_is_named_by_its_line(make: Make) -> None:
    made = make(GO + "mode = 'none'\n")
    assert made.where(made.verdict("a.example/x/@v/v1.0.0.mod").download.rule) == "FILE:4 repositories.go.mode"


def test_a_rule_without_a_mode_leaves_the_word_to_the_download_file(make: Make, tmp_path: Path) -> None:
    (tmp_path / "policy.hcl").write_text('mode = "sync"\ndownload "a.example" {\n  mode = "deny"\n}\n')
    made = make(GO + "mode = 'file:policy.hcl'\n" + RULE + "package = 'a.example'\nif_error = '1d'\n")
    verdict = made.verdict("a.example/x/@v/v1.0.0.mod")
    assert verdict.refusal is not None
    assert verdict.refusal.rule == 'policy.hcl:2 download "a.example"'
    assert verdict.overrides is not None
    assert verdict.overrides.if_error == 86400.0


def test_a_rule_with_a_mode_is_stronger_than_the_download_file(make: Make, tmp_path: Path) -> None:
    (tmp_path / "policy.hcl").write_text('mode = "deny"\nfilter "a.example" { mode = "exclude" }\n')
    made = make(GO + "mode = 'file:policy.hcl'\n" + RULE + "package = 'a.example'\nmode = 'sync'\n")
    assert made.verdict("a.example/x/@v/v1.0.0.mod").refusal is None
    assert made.verdict("b.example/x/@v/v1.0.0.mod").refusal is not None


def test_a_rules_own_target_is_stronger_than_the_repositorys(make: Make) -> None:
    made = make(
        f"{GO}mode = 'redirect'\nredirect_url = 'https://all.example'\nredirect_status = 301\n"
        f"{RULE}package = 'a.example'\nredirect_url = 'https://some.example'\n"
    )
    some, other = (made.verdict(f"{name}.example/x/@v/v1.0.0.mod").download for name in "ab")
    assert (some.mode, some.redirect_url, some.redirect_status) == ("redirect", "https://some.example/", 301)
    assert (other.mode, other.redirect_url, other.redirect_status) == ("redirect", "https://all.example/", 301)


def test_an_exception_lets_a_young_version_through_until_its_day(make: Make) -> None:
    made = make(
        GO
        + "[repositories.go.cooldown]\ndefault = '3d'\npackages = { 'b.example' = '0' }\n"
        + "[[repositories.go.cooldown.exceptions]]\n"
        + "package = 'a.example'\nversion = '>=1.2'\nreason = 'ticket 1'\nuntil = 2026-06-01\n"
    )
    cooldown = made.gate.cooldown
    assert cooldown is not None

    def refused_by(package: str, version: str, now: datetime) -> str:
        refusal = cooldown.judge(package, version, Dated(published=now, source="registry"), now, None)
        return "" if refusal is None else made.where(refusal.rule)

    day, later = datetime(2026, 5, 31, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    assert refused_by("a.example/x", "v1.2.0", day) == ""
    assert refused_by("b.example/x", "v1.2.0", day) == ""
    assert refused_by("a.example/x", "v1.1.0", day) == "FILE:5 repositories.go.cooldown.default"
    assert refused_by("a.example/x", "v1.2.0", later) == "FILE:5 repositories.go.cooldown.default"


def test_a_rule_may_name_an_upstream_that_the_repository_does_not_ask(make: Make) -> None:
    corp = '[upstreams.corp]\nurl = "https://corp.example/"\n'
    made = make(corp + GO + RULE + "package = 'corp.example'\nupstream = 'corp'\n")
    assert made.verdict("corp.example/x/@v/v1.0.0.mod").download.upstream == "corp"
    assert made.verdict("b.example/x/@v/v1.0.0.mod").download.upstream == ""
