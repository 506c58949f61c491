"""What a mirror of crates holds, told by index files out of a table."""

from collections.abc import Iterator, Mapping

import pytest

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.cargo import Cargo
from entrepot.ecosystems.cargo_requirements import parse_requirement
from entrepot.ecosystems.cargo_targets import is_for
from entrepot.errors import Absent, DigestMismatch, EntrepotError, PolicyRefused
from entrepot.model.digest import Digest
from entrepot.model.release import Document
from entrepot.model.selection import Depth, Extent, Selection
from entrepot.model.versions import parse_semver
from tests.clients.fixture_cargo import Crates, Wish, cargo_registry
from tests.ecosystems.closures import Closed, close, close_all

CARGO = Cargo()
Documents = Mapping[str, bytes]


def documents_of(made: Crates) -> Documents:
    return _documents(made.files)


def _documents(files: Mapping[str, tuple[str, bytes]]) -> Documents:
    return {path.removeprefix("/index/"): body for path, (_, body) in files.items() if path.startswith("/index/")}


REGISTRY = _documents(cargo_registry("https://registry.example"))


def closure_samples() -> Iterator[tuple[Ecosystem, Selection, Mapping[str, bytes | Document]]]:
    yield CARGO, Selection(package="hello", extent=Extent(depth=Depth.ALL)), dict(REGISTRY)
    yield CARGO, Selection(package="hello", version="1.0.0"), dict(REGISTRY)


def crates(*closures: Closed) -> list[str]:
    """The crates that are mirrored."""
    keys = (key.split("/") for closed in closures for key in closed.keys if key.startswith("crates/"))
    return [f"{name} {version}" for _, name, version, _ in keys]


def closed(selection: Selection, documents: Documents = REGISTRY, **hidden: str) -> Closed:
    held_back = {f"he/ll/{name}": frozenset(versions.split()) for name, versions in hidden.items()}
    return close(CARGO, selection, dict(documents), hidden=held_back)


def everything(selection: Selection, documents: Documents = REGISTRY) -> set[str]:
    """The crates of a selection and of all that follow from it."""
    return set(crates(*close_all(CARGO, selection, dict(documents)).values()))


def chosen(versions: str, **wanted: object) -> list[str]:
    """What a selection means, of some versions of `hello`; one with a `!` is yanked."""
    made = Crates("https://registry.example")
    for version in versions.split():
        made.publish("hello", version.removesuffix("!"), yanked=version.endswith("!"))
    extent = Extent(latest=wanted.pop("latest", None))  # type: ignore[arg-type]
    selection = Selection(package="hello", extent=extent, **wanted)  # type: ignore[arg-type]
    return [name.partition(" ")[2] for name in crates(closed(selection, documents_of(made)))]


# --- versions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "2.0.0 1.10.0 1.9.0 3.0.0-rc.1"),
        ({"latest": 1}, "2.0.0"),
        ({"latest": 4}, "2.0.0 1.10.0 1.9.0 3.0.0-rc.1"),
        ({"within": "^1"}, "1.10.0 1.9.0"),
        ({"within": "1.9"}, "1.10.0 1.9.0"),
        ({"within": "^1", "latest": 1}, "1.10.0"),
        ({"within": ">=1.9,!=1.10.0"}, "2.0.0 1.9.0 3.0.0-rc.1"),
        ({"within": "^3.0.0-rc.0"}, "3.0.0-rc.1"),
        ({"version": "1.9.0"}, "1.9.0"),
        ({"version": "1.8.0"}, "1.8.0"),
        ({"version": "1.8.0", "latest": 1}, "1.8.0"),
    ],
    ids=str,
)
def test_a_selection_means_the_versions_that_cargo_could_choose(wanted: dict[str, object], found: str) -> None:
    assert chosen("1.8.0! 1.9.0 1.10.0 3.0.0-rc.1 2.0.0", **wanted) == found.split()


def test_build_metadata_need_not_be_written() -> None:
    assert chosen("1.0.0+build.5", version="1.0.0") == ["1.0.0%2Bbuild.5"]


@pytest.mark.parametrize("wanted", [{"version": "7.0.0"}, {"within": "^7"}, {"within": "=1.8.0"}])
def test_a_version_that_is_not_there_fails_the_selection(wanted: dict[str, object]) -> None:
    with pytest.raises(Absent):
        chosen("1.8.0! 1.9.0", **wanted)


def test_lines_of_a_later_format_are_chosen_by_name_only() -> None:
    body = REGISTRY["he/ll/hello"].replace(b'"vers":"1.1.0"', b'"v":3,"vers":"1.1.0"')
    documents = {**REGISTRY, "he/ll/hello": body}
    assert crates(closed(Selection(package="hello"), documents)) == ["hello 1.0.0"]
    assert crates(closed(Selection(package="hello", version="1.1.0"), documents)) == ["hello 1.1.0"]


def test_what_policy_hides_is_not_chosen_but_by_name() -> None:
    assert crates(closed(Selection(package="hello"), hello="1.1.0")) == ["hello 1.0.0"]
    assert crates(closed(Selection(package="hello", version="1.1.0"), hello="1.1.0")) == ["hello 1.1.0"]
    with pytest.raises(PolicyRefused):
        closed(Selection(package="hello", within="^1.1"), hello="1.1.0")


def test_a_crate_must_be_the_one_that_the_order_means() -> None:
    wrong = Selection(package="hello", version="1.0.0", digests=(Digest("sha256", "00" * 32),))
    with pytest.raises(DigestMismatch, match=r"hello 1\.0\.0: wanted sha256:0000"):
        closed(wrong)


@pytest.mark.parametrize("package", ["nothing", "na.me"])
def test_a_crate_that_upstream_does_not_have_fails_the_selection(package: str) -> None:
    with pytest.raises(EntrepotError):
        closed(Selection(package=package))


# --- what comes along -----------------------------------------------------------------------------------------------


def test_what_cargo_reads_comes_with_each_crate_and_other_spellings_are_asked_for() -> None:
    found = closed(Selection(package="dash-ed", version="1.0.0+build.5"))
    assert found.keys[:3] == ["config.json", "da/sh/dash-ed", "da/sh/dash_ed"]
    assert found.read == ["da/sh/dash-ed"]
    assert found.probes == {"da/sh/dash_ed": "maybe"}
    assert crates(found) == ["dash-ed 1.0.0%2Bbuild.5"]


def test_only_files_that_are_wanted_come() -> None:
    assert crates(closed(Selection(package="hello", files=("hello-1.0.0.crate",)))) == ["hello 1.0.0"]


@pytest.mark.parametrize(
    ("depth", "found"),
    [
        (Depth.NONE, {"hello 1.1.0"}),
        (Depth.RUNTIME, {"hello 1.1.0", "Capital 0.3.1", "dash-ed 1.0.0%2Bbuild.5", "a 1.0.0", "tool 1.0.0"}),
        (
            Depth.ALL,
            {"hello 1.1.0", "Capital 0.3.1", "dash-ed 1.0.0%2Bbuild.5", "a 1.0.0", "tool 1.0.0", "tester 1.0.0"},
        ),
    ],
)
def test_dependencies_come_as_deep_as_they_are_wanted(depth: Depth, found: set[str]) -> None:
    assert everything(Selection(package="hello", version="1.1.0", extent=Extent(depth=depth))) == found


def test_what_no_platform_needs_is_only_listed() -> None:
    extent = Extent(depth=Depth.RUNTIME, platforms=("linux/amd64",))
    closures = close_all(CARGO, Selection(package="hello", version="1.1.0", extent=extent), dict(REGISTRY))
    assert "a 1.0.0" not in crates(*closures.values())
    assert "1/a" in {key for one in closures.values() for key in one.keys}


def with_features(parts: tuple[str, ...], features: Mapping[str, list[str]], *wishes: Wish) -> set[str]:
    """The crates besides `hello` that some of its features lead to."""
    made = Crates("https://registry.example")
    made.publish("hello", "1.0.0", *wishes, features=features)
    for wish in wishes:
        made.publish(
            wish.package or wish.name, "1.0.0", Wish(name="deep", optional=True), features={"on": ["dep:deep"]}
        )
    made.publish("deep", "1.0.0")
    selection = Selection(package="hello", parts=parts, extent=Extent(depth=Depth.RUNTIME))
    return {name.partition(" ")[0] for name in everything(selection, documents_of(made))} - {"hello"}


OPTIONAL = Wish(name="more", optional=True)
ALWAYS = Wish(name="base")


@pytest.mark.parametrize(
    ("parts", "features", "wish", "found"),
    [
        ((), {}, OPTIONAL, set()),
        (("more",), {}, OPTIONAL, {"more"}),
        (("x",), {"x": ["more"]}, OPTIONAL, {"more"}),
        (("x",), {"x": ["dep:more"]}, OPTIONAL, {"more"}),
        (("x",), {"x": ["more/on"]}, OPTIONAL, {"more", "deep"}),
        (("x",), {"x": ["more?/on"]}, OPTIONAL, set()),
        (("x", "y"), {"x": ["more?/on"], "y": ["dep:more"]}, OPTIONAL, {"more", "deep"}),
        ((), {"default": ["x"], "x": ["dep:more"]}, OPTIONAL, {"more"}),
        (("-default",), {"default": ["x"], "x": ["dep:more"]}, OPTIONAL, set()),
        ((), {"default": ["x"], "x": ["x", "default"]}, OPTIONAL, set()),
        (("none",), {}, OPTIONAL, set()),
        ((), {}, ALWAYS, {"base"}),
        (("x",), {"x": ["base/on"]}, ALWAYS, {"base", "deep"}),
        ((), {}, Wish(name="base", features=("on",)), {"base", "deep"}),
        ((), {}, Wish(name="alias", package="base", features=("on",)), {"base", "deep"}),
    ],
    ids=str,
)
def test_features_lead_to_optional_dependencies(
    parts: tuple[str, ...], features: dict[str, list[str]], wish: Wish, found: set[str]
) -> None:
    assert with_features(parts, features, wish) == found


def test_default_features_of_a_dependency_come_unless_they_are_switched_off() -> None:
    for default, found in ((True, {"a 1.0.0", "b 1.0.0", "c 1.0.0"}), (False, {"a 1.0.0", "b 1.0.0"})):
        made = Crates("https://registry.example")
        made.publish("a", "1.0.0", Wish(name="b", default_features=default))
        made.publish("b", "1.0.0", Wish(name="c", optional=True), features={"default": ["dep:c"]})
        made.publish("c", "1.0.0")
        assert everything(Selection(package="a", extent=Extent(depth=Depth.RUNTIME)), documents_of(made)) == found


def test_what_this_registry_cannot_have_is_told() -> None:
    made = Crates("https://registry.example")
    wishes = (Wish(name="far", registry="https://other.example/index"), Wish(name="odd", req="one"), Wish(name="a.b"))
    made.publish("hello", "1.0.0", *wishes)
    found = closed(Selection(package="hello", extent=Extent(depth=Depth.RUNTIME)), documents_of(made))
    assert [(one.subject, one.reason.partition(", but ")[2]) for one in found.skipped] == [
        ("far", "it comes from another registry, https://other.example/index"),
        ("odd", "'one' is no requirement of cargo's"),
        ("a.b", "this is no name of a crate"),
    ]
    assert found.selections == []


# --- requirements ---------------------------------------------------------------------------------------------------

VERSIONS = "0.0.3 0.0.4 0.2.3 0.2.9 0.3.0 1.0.0-rc.1 1.0.0 1.2.2 1.2.3-alpha 1.2.3-beta 1.2.3 1.2.9 1.9.0 2.0.0-a 2.0.0"


@pytest.mark.parametrize(
    ("text", "admitted"),
    [
        ("1.2.3", "1.2.3 1.2.9 1.9.0"),
        ("^1.2.3", "1.2.3 1.2.9 1.9.0"),
        ("^1", "1.0.0 1.2.2 1.2.3 1.2.9 1.9.0"),
        ("^0.2.3", "0.2.3 0.2.9"),
        ("^0.2", "0.2.3 0.2.9"),
        ("^0.0.3", "0.0.3"),
        ("^0.0", "0.0.3 0.0.4"),
        ("^0", "0.0.3 0.0.4 0.2.3 0.2.9 0.3.0"),
        ("~1.2.3", "1.2.3 1.2.9"),
        ("~1.2", "1.2.2 1.2.3 1.2.9"),
        ("~1", "1.0.0 1.2.2 1.2.3 1.2.9 1.9.0"),
        ("1.*", "1.0.0 1.2.2 1.2.3 1.2.9 1.9.0"),
        ("1.2.*", "1.2.2 1.2.3 1.2.9"),
        ("=1.2.3", "1.2.3"),
        ("= 1.2", "1.2.2 1.2.3 1.2.9"),
        (">1.2", "1.9.0 2.0.0"),
        (">1.2.3", "1.2.9 1.9.0 2.0.0"),
        (">=1.9", "1.9.0 2.0.0"),
        ("<0.2", "0.0.3 0.0.4"),
        ("<=0.2", "0.0.3 0.0.4 0.2.3 0.2.9"),
        ("<=0.2.3", "0.0.3 0.0.4 0.2.3"),
        (">=1.2.3, <1.9", "1.2.3 1.2.9"),
        ("^1.2.3-alpha", "1.2.3-alpha 1.2.3-beta 1.2.3 1.2.9 1.9.0"),
        ("=1.2.3-beta", "1.2.3-beta"),
        (">=2.0.0-a", "2.0.0-a 2.0.0"),
        ("=1.2.3+any", "1.2.3"),
    ],
)
def test_a_requirement_admits_what_cargo_admits(text: str, admitted: str) -> None:
    wanted = parse_requirement(text)
    assert wanted is not None
    parsed = {version: parse_semver(version) for version in VERSIONS.split()}
    assert [version for version, one in parsed.items() if one and wanted.admits(one)] == admitted.split()


@pytest.mark.parametrize("text", ["one", "1.2.3.4", ">>1", "1 2", "^", "1,,2", "01", "=>1", "x" * 2000, "||"])
def test_what_is_no_requirement_is_none(text: str) -> None:
    assert parse_requirement(text) is None


# --- platforms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "platform", "wanted"),
    [
        (None, "linux/amd64", True),
        ("cfg(windows)", "linux/amd64", False),
        ("cfg(windows)", "windows/amd64", True),
        ("cfg(unix)", "darwin/arm64", True),
        ('cfg(target_os = "macos")', "darwin/arm64", True),
        ('cfg(target_os="linux")', "darwin/arm64", False),
        ('cfg(target_family = "unix")', "linux/arm64", True),
        ('cfg(target_arch = "wasm32")', "linux/amd64", False),
        ('cfg(all(unix, target_arch = "aarch64"))', "linux/arm64", True),
        ('cfg(any(windows, target_os = "linux",))', "linux/arm64", True),
        ("cfg(not(windows))", "linux/amd64", True),
        ("cfg(not(unix))", "linux/amd64", False),
        ("cfg(all())", "linux/amd64", True),
        ("cfg(any())", "linux/amd64", False),
        ('cfg(target_env = "musl")', "linux/amd64/musl", True),
        ('cfg(target_env = "musl")', "linux/amd64/glibc", False),
        ('cfg(target_env = "musl")', "linux/amd64", True),
        ('cfg(target_pointer_width = "32")', "linux/386", True),
        ("cfg(tokio_unstable)", "linux/amd64", True),
        ("cfg(all(tokio_unstable, windows))", "linux/amd64", False),
        ("cfg(any(tokio_unstable, unix))", "linux/amd64", True),
        ("cfg(not(tokio_unstable))", "linux/amd64", True),
        ("x86_64-pc-windows-msvc", "windows/amd64", True),
        ("x86_64-pc-windows-msvc", "linux/amd64", False),
        ("x86_64-unknown-linux-musl", "linux/amd64/glibc", False),
        ("x86_64-unknown-linux-gnu", "linux/amd64/glibc", True),
        ("i686-unknown-linux-gnu", "linux/386", True),
        ("x86_64-apple-darwin", "darwin/amd64", True),
        ("cfg(all(unix)", "linux/amd64", True),
        ("cfg(odd(windows))", "linux/amd64", True),
        ("cfg(!)", "linux/amd64", True),
        ("cfg()", "linux/amd64", True),
        ("cfg(" + "not(" * 60 + "unix" + ")" * 61, "linux/amd64", True),
    ],
)
def test_a_dependency_is_for_a_platform_unless_its_target_rules_that_out(
    target: str | None, platform: str, wanted: bool
) -> None:
    assert is_for(target, (platform,)) is wanted
    assert is_for(target, ()) is True
