"""The one decision: rules before the download file before the repository's mode, and refusals that name their rule."""

from dataclasses import replace

import pytest

from entrepot.model.constraints import parse_constraint
from entrepot.model.patterns import parse_regex
from entrepot.model.resource import Kind, Resource
from entrepot.model.versions import GO
from entrepot.policy.gate import Gate
from entrepot.policy.hcl import Surroundings, parse_download_file
from entrepot.policy.modes import DownloadFile
from entrepot.policy.patterns import PackagePattern
from entrepot.policy.rules import Rule, RuleBook, Selector
from entrepot.policy.verdict import Download, Mode, Overrides, Refusal

LIST = Resource(key="m/@v/list", path="m/@v/list", kind=Kind.INDEX, about="m")


def zip_of(version: str, package: str = "m") -> Resource:
    key = f"{package}/@v/{version}.zip"
    return Resource(key=key, path=key, kind=Kind.ARTIFACT, about=package, version=version)


def query(version: str) -> Resource:
    key = f"m/@v/{version}.info"
    return Resource(key=key, path=key, kind=Kind.INDEX, about="m", version=version)


def rule(
    name: str,
    mode: Mode | None = None,
    *,
    package: str = "",
    version: str = "",
    path: str = "",
    overrides: Overrides | None = None,
) -> Rule:
    selector = Selector(
        package=PackagePattern.parse(package, (), "test") if package else None,
        version=parse_constraint(version, GO, "test") if version else None,
        path=parse_regex(path, "test") if path else None,
    )
    download = Download(mode=mode, rule=name) if mode else None
    return Rule(selector=selector, name=name, overrides=overrides, download=download)


def file_of(text: str) -> DownloadFile:
    return parse_download_file(f'mode = "sync"\ndownloadURL = "https://a.example"\n{text}', "f", Surroundings(order=GO))


def refused(gate: Gate, resource: Resource) -> Refusal:
    refusal = gate.decide(resource).refusal
    assert refusal is not None
    return refusal


# --- who has the say -------------------------------------------------------------------------------------------------


def test_without_policy_everything_is_fetched() -> None:
    verdict = Gate().decide(zip_of("v1.0.0"))
    assert (verdict.refusal, verdict.download, verdict.overrides, verdict.direct) == (None, Download(), None, "")
    assert not verdict.undecided


def test_the_repositorys_mode_counts_where_nothing_else_speaks() -> None:
    download = Download(mode=Mode.ASYNC, rule="repositories.go.mode")
    book = RuleBook([rule("other", Mode.NONE, package="other")])
    assert Gate(download=download, rules=book).decide(LIST).download == download


def test_a_file_counts_more_than_the_repositorys_mode_and_a_rule_more_than_both() -> None:
    file = file_of('download "m" { mode = "async" }\nfilter "m" { mode = "exclude" }\nfilter "n" { mode = "exclude" }')
    rules = RuleBook([rule("ours", Mode.NONE, package="m"), rule("ttl", package="n")])
    gate = Gate(rules=rules, file=file, download=Download(mode=Mode.DENY))
    assert gate.decide(zip_of("v1.0.0")).download.mode is Mode.NONE
    assert refused(gate, zip_of("v1.0.0", "n")).rule == 'f:5 filter "n"'
    assert gate.decide(zip_of("v1.0.0", "o")).download.mode is Mode.SYNC


def test_a_rule_without_a_mode_changes_freshness_and_leaves_the_mode_to_others() -> None:
    overrides = Overrides(klass="mutable", mutable_ttl=60.0)
    gate = Gate(
        rules=RuleBook([rule("r", path=r".*/@v/.*\.zip", overrides=overrides)]),
        file=file_of('download "m" { mode = "none" }'),
    )
    verdict = gate.decide(zip_of("v1.0.0"))
    assert (verdict.overrides, verdict.rule, verdict.download.mode) == (overrides, "r", Mode.NONE)


def test_a_path_is_matched_decoded_and_whole() -> None:
    gate = Gate(rules=RuleBook([rule("r", Mode.DENY, path="/@acme/[a-z]+")]))
    key = "%40acme/x"
    assert gate.decide(Resource(key=key, path=key, kind=Kind.SIGNED)).refusal
    assert not gate.decide(Resource(key=f"{key}/y", path=key, kind=Kind.SIGNED)).refusal


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gate", "kind", "by", "reason"),
    [
        (Gate(download=Download(mode=Mode.DENY, rule="mode")), "deny", "mode", "m v1.0.0 is denied"),
        (Gate(rules=RuleBook([rule("r", Mode.DENY, version="<2")])), "deny", "r", "m v1.0.0 is denied"),
        (Gate(file=file_of('download "m" { mode = "deny" }')), "deny", 'f:3 download "m"', "m v1.0.0 is denied"),
        (Gate(file=file_of('filter "m" { mode = "exclude" }')), "exclude", 'f:3 filter "m"', "m v1.0.0 is excluded"),
        (Gate(unmatched="deny"), "unmatched", 'unmatched = "deny"', "no rule names /m/@v/v1.0.0.zip, and what no rule"),
    ],
)
def test_a_refusal_names_its_rule_and_its_reason(gate: Gate, kind: str, by: str, reason: str) -> None:
    refusal = refused(gate, zip_of("v1.0.0"))
    assert (refusal.kind, refusal.rule, refusal.status) == (kind, by, 403)
    assert refusal.reason.startswith(reason)


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.DENY])
def test_no_other_mode_is_a_refusal(mode: Mode) -> None:
    assert Gate(download=Download(mode=mode)).decide(LIST).refusal is None


def test_a_filter_may_send_clients_elsewhere_or_let_some_through() -> None:
    gate = Gate(
        file=file_of(
            'download "m" { mode = "deny" }\n'
            'filter "m" { mode = "direct" version "<1" { mode = "exclude" } version ">=2" { mode = "include" } }'
        )
    )
    verdict = gate.decide(zip_of("v1.0.0"))
    assert (verdict.direct, verdict.refusal) == ("https://a.example", None)
    assert refused(gate, zip_of("v0.1.0")).kind == "exclude"
    assert refused(gate, zip_of("v2.0.0")).kind == "deny"
    assert not gate.hides("m", "v1.0.0")


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [(zip_of("v1.0.0"), True), (zip_of("v2.0.0"), False), (LIST, True), (zip_of("v1.0.0", "n"), False)],
)
def test_unmatched_refuses_what_no_rule_names_but_not_the_list_of_what_one_does(
    resource: Resource, allowed: bool
) -> None:
    gate = Gate(rules=RuleBook([rule("r", package="m", version="<2")]), unmatched="deny")
    assert (gate.decide(resource).refusal is None) is allowed


FILE = Resource(key="m/f.tgz", path="m/f.tgz", kind=Kind.ARTIFACT, about="m", listed_in=LIST)


@pytest.mark.parametrize(
    "gate",
    [
        Gate(rules=RuleBook([rule("r", package="m", version=">=2")]), unmatched="deny"),
        Gate(
            rules=RuleBook([rule("r", package="m", version="<2"), rule("s", Mode.SYNC, package="m")]),
            download=Download(mode=Mode.DENY, rule="mode"),
        ),
    ],
)
def test_a_file_without_a_version_is_judged_only_once_its_version_is_known(gate: Gate) -> None:
    verdict = gate.decide(FILE)
    assert verdict.refusal
    assert verdict.unversioned
    assert gate.decide(replace(FILE, version="v1.0.0")).refusal
    assert gate.decide(replace(FILE, version="v2.0.0")).refusal is None
    assert gate.decide(LIST).refusal is None


def test_unmatched_refuses_and_hides_versions_of_which_it_cannot_be_told_whether_a_rule_names_them() -> None:
    gate = Gate(rules=RuleBook([rule("r", package="m", version=">=2")]), unmatched="deny")
    assert "cannot be compared" in refused(gate, zip_of("oddity")).reason
    assert gate.hides("m", "oddity")


# --- versions that cannot be compared --------------------------------------------------------------------------------

BY_VERSION = [
    Gate(rules=RuleBook([rule("r", Mode.DENY, package="m", version="<1")])),
    Gate(file=file_of('download "m" {\nmode = "sync"\nversion "<1" { mode = "deny" }\n}')),
    Gate(file=file_of('filter "m" {\nmode = "include"\nversion "<1" { mode = "exclude" }\n}')),
]


@pytest.mark.parametrize("gate", BY_VERSION)
def test_a_branch_is_undecided_until_it_is_resolved(gate: Gate) -> None:
    verdict = gate.decide(query("main"))
    assert (verdict.undecided, verdict.refusal, verdict.download.mode) == (True, None, Mode.SYNC)
    resolved = gate.decide(query("v0.1.0"))
    assert (resolved.undecided, resolved.refusal is None) == (False, False)


@pytest.mark.parametrize("gate", BY_VERSION)
def test_a_list_is_decided_by_what_holds_for_the_package(gate: Gate) -> None:
    verdict = gate.decide(LIST)
    assert (verdict.undecided, verdict.refusal) == (False, None)


@pytest.mark.parametrize("gate", BY_VERSION)
def test_a_file_whose_version_cannot_be_compared_is_refused(gate: Gate) -> None:
    assert "cannot be compared" in refused(gate, zip_of("oddity")).reason
    assert "cannot be compared" in str(gate.hidden_by("m", "oddity"))
    index = Resource(key="m/", path="m/", kind=Kind.INDEX, about="m")
    listed = Resource(key="m/odd", path="m/odd", kind=Kind.ARTIFACT, about="m", listed_in=index)
    assert "m cannot be compared" in refused(gate, listed).reason


@pytest.mark.parametrize("gate", BY_VERSION)
def test_a_file_that_is_no_version_at_all_is_not(gate: Gate) -> None:
    tile = Resource(key="sumdb/m/tile/8/0/000", path="x", kind=Kind.ARTIFACT, about="m")
    assert gate.decide(tile).refusal is None


def test_a_branch_is_decided_where_versions_make_no_difference() -> None:
    rules = RuleBook([rule("ttl", package="m", version="<1"), rule("other", Mode.DENY, package="n", version="<1")])
    assert not Gate(rules=rules).decide(query("main")).undecided


def test_a_refusal_of_the_block_itself_holds_for_a_branch_too() -> None:
    gate = Gate(file=file_of('download "m" {\nmode = "deny"\nversion ">=1" { mode = "sync" }\n}'))
    assert refused(gate, query("main")).rule == 'f:3 download "m"'


# --- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gate", "hidden"),
    [
        (Gate(), []),
        (Gate(rules=RuleBook([rule("r", Mode.DENY, package="m", version="<2")])), ["v1.0.0"]),
        (Gate(rules=RuleBook([rule("r", Mode.NONE, package="m", version="<2")])), ["v1.0.0"]),
        (Gate(rules=RuleBook([rule("r", Mode.ASYNC, package="m", version="<2")])), []),
        (Gate(rules=RuleBook([rule("r", Mode.DENY, path=".*")])), []),
        (Gate(file=file_of('download "m" {\nmode = "sync"\nversion ">=2" { mode = "none" }\n}')), ["v2.0.0"]),
        (Gate(file=file_of('filter "m" {\nmode = "include"\nversion ">=2" { mode = "exclude" }\n}')), ["v2.0.0"]),
        (Gate(rules=RuleBook([rule("r", package="m", version="<2")]), unmatched="deny"), ["v2.0.0"]),
        (Gate(rules=RuleBook([rule("r", package="m", path="x")]), unmatched="deny"), []),
        (Gate(download=Download(mode=Mode.DENY)), ["v1.0.0", "v2.0.0"]),
        # A list that is stored stays as useful as what is stored with it.
        (Gate(download=Download(mode=Mode.NONE)), []),
    ],
)
def test_a_list_leaves_out_what_would_be_refused_or_never_fetched(gate: Gate, hidden: list[str]) -> None:
    assert [version for version in ("v1.0.0", "v2.0.0") if gate.hides("m", version)] == hidden


def test_what_is_left_out_because_it_is_not_fetched_is_absent_and_not_forbidden() -> None:
    gate = Gate(rules=RuleBook([rule("r", Mode.NONE, package="m", version="<2")]))
    refusal = gate.hidden_by("m", "v1.0.0")
    assert refusal
    assert (refusal.status, refusal.rule, refusal.reason) == (404, "r", "m v1.0.0 is not fetched")
