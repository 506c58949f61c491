"""What mirroring a package of npm brings, and what it leaves out."""

import json
from collections.abc import Iterable, Mapping

import pytest

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.npm import Npm
from entrepot.errors import Absent, BadRequest, DigestMismatch, NotServed, PolicyRefused, UnreadableIndex
from entrepot.model.digest import Digest
from entrepot.model.purl import parse_purl
from entrepot.model.release import Document
from entrepot.model.resource import Kind, Request, Resource
from entrepot.model.selection import Depth, Extent, Selection
from tests.ecosystems.closures import Closed, close, close_all

NPM = Npm()
KEYS = "-/npm/v1/keys"
SHA512 = "sha512-" + "A" * 86 + "=="
ZERO = Digest("sha512", "0" * 128)
OTHER = Digest("sha512", "1" * 128)
RUNTIME, ALL = Extent(depth=Depth.RUNTIME), Extent(depth=Depth.ALL)


def packument(name: str, versions: Mapping[str, Mapping[str, object]], **tags: str) -> bytes:
    """Members of a version are as in a manifest; `dist` may have less than it usually has."""
    file = name.rpartition("/")[2]
    usual = {
        version: {"tarball": f"https://registry.example/base/{name}/-/{file}-{version}.tgz", "integrity": SHA512}
        for version in versions
    }
    manifests = {version: {"dist": usual[version]} | dict(members) for version, members in versions.items()}
    return json.dumps({"name": name, "dist-tags": tags, "versions": manifests}).encode()


def plain(name: str, *versions: str, **tags: str) -> bytes:
    return packument(name, {version: {} for version in versions}, **tags)


def tarballs(closed: Closed) -> list[str]:
    return [key.rpartition("/-/")[2] for key in closed.keys if key.endswith(".tgz")]


def taken(selection: Selection, body: bytes, *, hidden: Iterable[str] = ()) -> list[str]:
    """The files of one package."""
    return tarballs(close(NPM, selection, {selection.package: body}, hidden={selection.package: frozenset(hidden)}))


def mirrored(selection: Selection, documents: Mapping[str, bytes]) -> set[str]:
    """The files of a package and of all that it depends on."""
    return {name for closed in close_all(NPM, selection, documents).values() for name in tarballs(closed)}


def closure_samples() -> Iterable[tuple[Ecosystem, Selection, Mapping[str, bytes | Document]]]:
    documents = {
        "@acme/app": packument("@acme/app", {"1.0.0": {"dependencies": {"left": "^1"}}, "2.0.0": {}}),
        "left": plain("left", "1.0.0", "1.1.0", latest="1.1.0"),
    }
    yield NPM, Selection(package="@acme/app", extent=RUNTIME), documents


# --- which versions ---------------------------------------------------------------------------------------------------

LEFT = plain(
    "left", "1.0.0", "1.2.0", "1.10.0", "2.0.0-beta.1", "2.0.0", "3.0.0-rc.1", latest="1.10.0", beta="3.0.0-rc.1"
)


@pytest.mark.parametrize(
    ("within", "latest", "files"),
    [
        ("", None, {"1.0.0", "1.2.0", "1.10.0", "2.0.0-beta.1", "2.0.0", "3.0.0-rc.1"}),
        ("", 1, {"1.10.0"}),
        ("", 2, {"1.10.0", "2.0.0"}),
        ("^1.0.0", None, {"1.0.0", "1.2.0", "1.10.0"}),
        ("^1.0.0", 1, {"1.10.0"}),
        ("~1.2", 1, {"1.2.0"}),
        (">=2", 1, {"2.0.0"}),
        ("1.x || 2.0.0-beta.1", None, {"1.0.0", "1.2.0", "1.10.0", "2.0.0-beta.1"}),
        ("1.2.0 - 2", 1, {"1.10.0"}),
        (">=1.2, <2", None, {"1.2.0", "1.10.0", "2.0.0-beta.1"}),
        ("!=1.2.0", 1, {"1.10.0"}),
        ("latest", None, {"1.10.0"}),
        ("beta", None, {"3.0.0-rc.1"}),
        ("1.2.0", None, {"1.2.0"}),
    ],
)
def test_a_wish_chooses_what_npm_would(within: str, latest: int | None, files: set[str]) -> None:
    chosen = taken(Selection(package="left", within=within, extent=Extent(latest=latest)), LEFT)
    assert set(chosen) == {f"left-{version}.tgz" for version in files}
    assert len(chosen) == len(files)


def test_the_newest_that_is_not_deprecated_comes_first() -> None:
    body = packument("left", {"1.0.0": {}, "1.1.0": {"deprecated": "broken"}, "0.9.0": {}}, latest="1.1.0")
    assert taken(Selection(package="left", extent=Extent(latest=1)), body) == ["left-1.0.0.tgz"]
    assert taken(Selection(package="left", within="^1.1", extent=Extent(latest=1)), body) == ["left-1.1.0.tgz"]


def test_a_package_that_has_only_pre_releases_gives_the_newest_of_them() -> None:
    body = plain("left", "1.0.0-alpha", "1.0.0-beta")
    assert taken(Selection(package="left", extent=Extent(latest=1)), body) == ["left-1.0.0-beta.tgz"]


def test_what_policy_hides_is_not_chosen() -> None:
    assert taken(Selection(package="left", within="^1", extent=Extent(latest=1)), LEFT, hidden={"1.10.0"}) == [
        "left-1.2.0.tgz"
    ]
    assert taken(Selection(package="left", within="latest"), LEFT, hidden={"1.10.0"}) == ["left-1.2.0.tgz"]
    with pytest.raises(PolicyRefused, match=r"left@~1\.2: policy holds back"):
        taken(Selection(package="left", within="~1.2"), LEFT, hidden={"1.2.0"})


def test_a_version_that_is_named_is_asked_for_though_it_is_hidden_so_that_policy_says_why() -> None:
    body = packument("left", {"1.0.0": {"dependencies": {"right": "1"}}})
    closed = close(
        NPM,
        Selection(package="left", version="1.0.0", extent=RUNTIME),
        {"left": body},
        hidden={"left": frozenset({"1.0.0"})},
    )
    assert tarballs(closed) == ["left-1.0.0.tgz"]
    assert closed.selections == []


@pytest.mark.parametrize(
    ("selection", "subject"),
    [
        (Selection(package="left", version="9.9.9"), "left@9.9.9"),
        (Selection(package="left", within="^9"), "left@^9"),
        (Selection(package="left", within="no-such-tag"), "left@no-such-tag"),
        (Selection(package="right"), "right"),
    ],
)
def test_what_upstream_does_not_have_fails_by_its_name(selection: Selection, subject: str) -> None:
    with pytest.raises(Absent, match=f"^{subject.replace('^', '.')}"):
        close(NPM, selection, {"left": LEFT})


def test_a_document_that_never_comes_is_absent() -> None:
    closure = NPM.closure(Selection(package="left"))
    next(closure)
    with pytest.raises(Absent, match="left"):
        closure.send(None)


def test_an_unpublished_package_is_absent() -> None:
    with pytest.raises(Absent, match="left"):
        taken(Selection(package="left"), b'{"name": "left", "time": {}}')


def test_what_is_no_document_cannot_be_read() -> None:
    with pytest.raises(UnreadableIndex):
        taken(Selection(package="left"), b"<html>log in</html>")


# --- what comes with a version ----------------------------------------------------------------------------------------


def test_a_version_comes_with_its_document_and_with_what_signs_it() -> None:
    attested = {"url": "https://registry.example/base/-/npm/v1/attestations/@acme%2ffoo@1.0.0"}
    body = packument("@acme/foo", {"1.0.0": {}})
    page = json.loads(body)
    page["versions"]["1.0.0"]["dist"]["attestations"] = attested

    closed = close(NPM, Selection(package="@acme/foo", version="1.0.0"), {"@acme/foo": json.dumps(page).encode()})

    attestations = "-/npm/v1/attestations/@acme/foo@1.0.0"
    assert closed.keys == ["@acme/foo", KEYS, "@acme/foo/-/foo-1.0.0.tgz", attestations]
    assert [need.resource.version for need in closed.needs] == ["", "", "1.0.0", "1.0.0"]
    assert closed.read == ["@acme/foo"]
    assert closed.probes == {KEYS: "maybe", attestations: "maybe"}


def test_only_files_that_are_wanted_come() -> None:
    assert taken(Selection(package="left", files=("left-1.2.0.tgz",)), LEFT) == ["left-1.2.0.tgz"]


def test_a_version_without_a_tarball_is_told_of() -> None:
    body = packument("left", {"1.0.0": {"dist": {"tarball": "ftp://x.example/left.tgz"}}, "1.1.0": {"dist": None}})
    closed = close(NPM, Selection(package="left"), {"left": body})
    assert {one.subject for one in closed.skipped} == {"left@1.0.0", "left@1.1.0"}
    with pytest.raises(NotServed, match=r"left@1\.0\.0: its document lists no tarball"):
        close(NPM, Selection(package="left", version="1.0.0"), {"left": body})


def test_a_file_with_another_digest_than_the_orders_is_an_error() -> None:
    assert taken(Selection(package="left", version="1.0.0", digests=(OTHER, ZERO)), LEFT) == ["left-1.0.0.tgz"]
    with pytest.raises(DigestMismatch, match=r"left@1\.0\.0"):
        taken(Selection(package="left", version="1.0.0", digests=(OTHER,)), LEFT)


def test_a_digest_that_cannot_be_compared_now_is_compared_when_the_file_comes() -> None:
    body = packument("left", {"1.0.0": {"dist": {"tarball": "left/-/left-1.0.0.tgz", "shasum": "1" * 40}}})
    closed = close(NPM, Selection(package="left", version="1.0.0", digests=(OTHER,)), {"left": body})
    assert [need.resource.digest for need in closed.needs if need.resource.listed_in] == [OTHER]


# --- platforms --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "fits"),
    [
        ({}, "linux/amd64 linux/arm64/musl darwin/arm64 windows/386"),
        ({"os": ["linux"]}, "linux/amd64 linux/arm64/musl"),
        ({"os": "win32", "cpu": ["ia32"]}, "windows/386"),
        ({"os": ["!win32"]}, "linux/amd64 linux/arm64/musl darwin/arm64"),
        ({"os": ["!win32", "!darwin"], "cpu": ["x64", "arm64"]}, "linux/amd64 linux/arm64/musl"),
        ({"os": ["linux"], "libc": ["glibc"]}, "linux/amd64"),
        ({"os": ["linux"], "libc": ["musl"]}, "linux/amd64 linux/arm64/musl"),
        ({"cpu": ["any"]}, "linux/amd64 linux/arm64/musl darwin/arm64 windows/386"),
        ({"cpu": "!x64", "os": 7}, "linux/arm64/musl darwin/arm64 windows/386"),
        ({"libc": ["glibc"]}, "linux/amd64"),
    ],
)
def test_a_version_is_taken_for_the_platforms_on_which_it_runs(members: dict[str, object], fits: str) -> None:
    body = packument("left", {"1.0.0": members})
    for platform in ("linux/amd64", "linux/arm64/musl", "darwin/arm64", "windows/386"):
        chosen = taken(Selection(package="left", extent=Extent(platforms=(platform,))), body)
        assert (chosen != []) == (platform in fits.split()), platform


def test_a_document_is_held_even_where_the_package_does_not_run_because_npm_reads_it_all_the_same() -> None:
    body = packument("left", {"1.0.0": {"os": ["aix"]}})
    closed = close(NPM, Selection(package="left", extent=Extent(platforms=("linux/amd64",))), {"left": body})
    assert closed.keys == ["left", KEYS]
    assert [(one.subject, one.reason) for one in closed.skipped] == [("left@1.0.0", "it does not run on linux/amd64")]


def test_platforms_of_another_ecosystem_leave_nothing_out() -> None:
    body = packument("left", {"1.0.0": {"os": ["aix"]}})
    assert taken(Selection(package="left", extent=Extent(platforms=("manylinux_2_28_x86_64",))), body)


def test_binaries_for_other_platforms_are_left_out_of_the_dependencies() -> None:
    documents = {
        "tool": packument("tool", {"1.0.0": {"optionalDependencies": {"tool-linux": "1.0.0", "tool-win": "1.0.0"}}}),
        "tool-linux": packument("tool-linux", {"1.0.0": {"os": ["linux"]}}),
        "tool-win": packument("tool-win", {"1.0.0": {"os": ["win32"]}}),
    }
    extent = Extent(depth=Depth.RUNTIME, platforms=("linux/amd64",))
    assert mirrored(Selection(package="tool", extent=extent), documents) == {"tool-1.0.0.tgz", "tool-linux-1.0.0.tgz"}


def test_npm_is_told_what_optional_dependencies_there_are_also_where_a_lock_file_leaves_them_out() -> None:
    native: dict[str, object] = {"inside": "1.0.0", "native-linux": "1.0.0", "native-odd": "npm:@acme/odd@1"}
    bundled = {"optionalDependencies": native | {"elsewhere": "file:x"}, "bundleDependencies": ["inside"]}
    body = packument("left", {"1.0.0": bundled})
    closed = close(NPM, Selection(package="left", version="1.0.0"), {"left": body})
    asked = [need for need in closed.needs if need.resource.kind is Kind.INDEX and need.absent == "maybe"]
    assert {need.resource.key for need in asked} - {KEYS} == {"native-linux", "@acme/odd"}


# --- dependencies -----------------------------------------------------------------------------------------------------

APP: dict[str, object] = {
    "dependencies": {"left": "^1.0.0", "inside": "1", "alias": "npm:@acme/real@~2.0"},
    "optionalDependencies": {"native": "*"},
    "peerDependencies": {"host": ">=3", "rare": "1"},
    "peerDependenciesMeta": {"rare": {"optional": True}},
    "devDependencies": {"tester": "latest"},
    "bundleDependencies": ["inside"],
}
DOCUMENTS = {
    "app": packument("app", {"1.0.0": APP}),
    "left": packument("left", {"1.0.0": {}, "1.1.0": {"devDependencies": {"far": "1"}}, "2.0.0": {}}, latest="2.0.0"),
    "@acme/real": packument("@acme/real", {"2.0.1": {"dependencies": {"left": "1.0.0"}}, "2.1.0": {}}),
    "native": plain("native", "0.1.0"),
    "host": plain("host", "3.0.0", "4.0.0-rc.1"),
    "tester": packument("tester", {"5.0.0": {}, "6.0.0": {}}, latest="5.0.0"),
}
RUN = {"app-1.0.0.tgz", "left-1.1.0.tgz", "left-1.0.0.tgz", "real-2.0.1.tgz", "native-0.1.0.tgz", "host-3.0.0.tgz"}


@pytest.mark.parametrize(
    ("depth", "files"),
    [(Depth.NONE, {"app-1.0.0.tgz"}), (Depth.RUNTIME, RUN), (Depth.ALL, RUN | {"tester-5.0.0.tgz"})],
)
def test_dependencies_come_as_far_as_the_order_goes(depth: Depth, files: set[str]) -> None:
    assert mirrored(Selection(package="app", extent=Extent(depth=depth)), DOCUMENTS) == files


def test_two_packages_may_depend_on_each_other() -> None:
    documents = {
        "left": packument("left", {"1.0.0": {"dependencies": {"right": "1"}}}),
        "right": packument("right", {"1.0.0": {"dependencies": {"left": "1"}}}),
    }
    assert mirrored(Selection(package="left", extent=RUNTIME), documents) == {"left-1.0.0.tgz", "right-1.0.0.tgz"}


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        ("git+https://user:secret@git.example/x.git#main", "a git repository"),
        ("acme/x", "a git repository"),
        ("github:acme/x#semver:^1", "a git repository"),
        ("https://files.example/x.tgz", "an address of its own"),
        ("file:../x", "a folder or file"),
        ("workspace:*", "a folder or file"),
        ("./x.tgz", "a folder or file"),
        ("jsr:^1", "no registry"),
        ("one of these", "no registry"),
    ],
)
def test_what_comes_from_no_registry_is_told_of_without_its_address(spec: str, source: str) -> None:
    body = packument("app", {"1.0.0": {"dependencies": {"x": spec, "not a name": "1"}}})
    closed = close(NPM, Selection(package="app", extent=RUNTIME), {"app": body})
    assert closed.selections == []
    assert [one.subject for one in closed.skipped] == ["x", "not a name"]
    assert closed.skipped[0].reason.startswith(f"app@1.0.0 depends on it from {source}")
    assert "secret" not in closed.skipped[0].reason


@pytest.mark.parametrize("odd", [None, [], ["left"], "left", 7, {"left": 1}, {"left": None}])
def test_odd_values_of_old_documents_are_no_dependencies(odd: object) -> None:
    fields = ("dependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta", "devDependencies")
    body = packument("app", {"1.0.0": dict.fromkeys((*fields, "bundleDependencies", "bundledDependencies"), odd)})
    closed = close(NPM, Selection(package="app", extent=ALL), {"app": body})
    assert (closed.selections, closed.skipped) == ([], [])


def test_all_dependencies_may_be_bundled() -> None:
    body = packument("app", {"1.0.0": {"dependencies": {"left": "1"}, "bundledDependencies": True}})
    assert close(NPM, Selection(package="app", extent=RUNTIME), {"app": body}).selections == []


# --- purls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("purl", "package", "version", "within"),
    [
        ("pkg:npm/left@1.0.0", "left", "1.0.0", ""),
        ("pkg:npm/%40acme/foo@1.0.0-rc.1", "@acme/foo", "1.0.0-rc.1", ""),
        ("pkg:npm/@acme/foo", "@acme/foo", "", ""),
        ("pkg:npm/JSONStream@%3E%3D1.2", "JSONStream", "", ">=1.2"),
        ("pkg:npm/left@>=1,<2", "left", "", ">=1,<2"),
        ("pkg:npm/left@^1.2", "left", "", "^1.2"),
        ("pkg:npm/left@1.x", "left", "", "1.x"),
        ("pkg:npm/left@latest", "left", "", "latest"),
    ],
)
def test_a_purl_selects(purl: str, package: str, version: str, within: str) -> None:
    selected = NPM.select(parse_purl(purl), RUNTIME)
    assert selected == Selection(package=package, version=version, within=within, extent=RUNTIME)


@pytest.mark.parametrize(
    "purl",
    ["pkg:npm/acme/foo@1.0.0", "pkg:npm/.hidden", "pkg:npm/left@no%20range%20at%20all", "pkg:npm/left@>=one,<two"],
)
def test_what_cannot_be_a_package_of_npm_is_refused(purl: str) -> None:
    with pytest.raises(BadRequest):
        NPM.select(parse_purl(purl), Extent())


def test_a_tarball_has_a_purl() -> None:
    resource = NPM.route(Request(method="GET", path="@acme/foo/-/foo-1.0.0.tgz"))
    assert isinstance(resource, Resource)
    assert str(NPM.purl_of(resource, "1.0.0")) == "pkg:npm/%40acme/foo@1.0.0"
