"""What the go command will ask for of a module."""

import io
import zipfile
from collections.abc import Iterator, Mapping

import pytest

from entrepot.contracts.closure import Need
from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.golang import Golang
from entrepot.ecosystems.golang_closure import MAX_DIRECTORIES
from entrepot.errors import Absent, BadRequest, DigestMismatch
from entrepot.model.digest import Digest
from entrepot.model.names import ReservedNames, parse_reservation
from entrepot.model.purl import parse_purl
from entrepot.model.selection import Depth, Extent, Selection
from tests.clients.fixture_golang import DATABASE, GOSUMDB, go_proxy
from tests.ecosystems.closures import Closed, close, close_all

CHECKED = Golang({"sumdb": GOSUMDB})
UNCHECKED = Golang({"sumdb": "off"})
STOCK = {path[1:]: body for path, (_, body) in go_proxy().items()}
HELLO = Selection(package="go.example/hello", version="v1.1.0")
TILES = f"sumdb/{DATABASE}/tile/8"
DEEP = Extent(depth=Depth.RUNTIME)


def closure_samples() -> Iterator[tuple[Ecosystem, Selection, Mapping[str, bytes]]]:
    yield CHECKED, HELLO, STOCK
    yield CHECKED, Selection(package="go.example/hello", version="v1.0.0", extent=DEEP), STOCK
    yield CHECKED, Selection(package="go.example/Capital", within=">=1.0"), STOCK


def archive(module: str, version: str, *names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as files:
        for name in names:
            files.writestr(f"{module}@{version}/{name}", b"package x\n")
    return packed.getvalue()


def stock_of(**modules: str) -> dict[str, bytes]:
    """Versions with the text of their go.mod: `a_v1_0_0="require a.example/b v1.0.0"`."""
    found = {}
    for name, text in modules.items():
        letter, _, numbers = name.partition("_")
        stem = f"a.example/{letter}/@v/{numbers.replace('_', '.')}"
        found[f"{stem}.info"] = f'{{"Version": "{stem.rpartition("/")[2]}"}}'.encode()
        found[f"{stem}.mod"] = f"module a.example/{letter}\n{text}\n".encode()
        found[f"{stem}.zip"] = archive(f"a.example/{letter}", stem.rpartition("/")[2], "x.go")
    return found


def zips(found: Mapping[Selection, Closed]) -> set[str]:
    return {key for closed in found.values() for key in closed.keys if key.endswith(".zip")}


def mods(found: Mapping[Selection, Closed]) -> set[str]:
    return {key for closed in found.values() for key in closed.keys if key.endswith(".mod")}


# --- one version --------------------------------------------------------------------------------------------------


def test_a_version_comes_with_its_files_its_lists_and_the_proof_of_its_digests() -> None:
    keys = close(CHECKED, HELLO, STOCK).keys
    assert set(keys) >= {
        *(f"go.example/hello/@v/v1.1.0.{extension}" for extension in ("info", "mod", "zip")),
        "go.example/hello/@v/list",
        "go.example/hello/@latest",
        f"sumdb/{DATABASE}/supported",
        f"sumdb/{DATABASE}/latest",
        f"sumdb/{DATABASE}/lookup/go.example/hello@v1.1.0",
        f"{TILES}/0/000.p/6",
    }


def test_paths_above_the_module_are_asked_for_in_vain() -> None:
    assert close(CHECKED, HELLO, STOCK).probes["go.example/@v/list"] == "maybe"


def test_packages_and_the_folders_between_are_no_modules() -> None:
    names = ("x.go", "a/b/x.go", "docs/readme.md", "vendor/v/x.go", "c/testdata/x.go", "d/internal/x.go", "_e/x.go")
    stock = {**STOCK, "go.example/hello/@v/v1.1.0.zip": archive("go.example/hello", "v1.1.0", *names)}
    probes = close(CHECKED, HELLO, stock).probes
    assert {key for key, absent in probes.items() if absent == "yes"} == {
        "go.example/hello/a/@v/list",
        "go.example/hello/a/@v/v1.1.0.info",
        "go.example/hello/a/b/@v/list",
        "go.example/hello/a/b/@v/v1.1.0.info",
    }


def test_a_package_of_a_second_major_version_is_asked_for_at_this_version() -> None:
    stock = {
        "a.example/m/v2/@v/v2.0.0.info": b'{"Version": "v2.0.0"}',
        "a.example/m/v2/@v/v2.0.0.mod": b"module a.example/m/v2\n",
        "a.example/m/v2/@v/v2.0.0.zip": archive("a.example/m/v2", "v2.0.0", "sub/x.go"),
    }
    probes = close(UNCHECKED, Selection(package="a.example/m/v2", version="v2.0.0"), stock).probes
    assert probes["a.example/m/v2/sub/@v/v2.0.0.info"] == "yes"


def test_of_a_module_with_very_many_packages_some_are_left_out_and_people_are_told() -> None:
    names = (f"p{number}/x.go" for number in range(MAX_DIRECTORIES + 3))
    stock = {**STOCK, "go.example/hello/@v/v1.1.0.zip": archive("go.example/hello", "v1.1.0", *names)}
    closed = close(CHECKED, HELLO, stock)
    assert sum(absent == "yes" for absent in closed.probes.values()) == 2 * MAX_DIRECTORIES
    assert [str(MAX_DIRECTORIES + 3) in skipped.reason for skipped in closed.skipped] == [True]


def test_a_branch_is_resolved_and_held_under_both_names() -> None:
    stock = {**STOCK, "go.example/hello/@v/v1.1.0.zip": archive("go.example/hello", "v1.1.0", "sub/x.go")}
    closed = close(CHECKED, Selection(package="go.example/hello", version="main"), stock)
    assert {"go.example/hello/@v/main.info", "go.example/hello/@v/v1.1.0.zip"} <= set(closed.keys)
    assert closed.probes["go.example/hello/sub/@v/main.info"] == "yes"


def test_a_toolchain_is_a_module_without_packages() -> None:
    version = "v0.0.1-go1.22.0.linux-amd64"
    stem = f"golang.org/toolchain/@v/{version}"
    stock = {f"{stem}.info": f'{{"Version": "{version}"}}'.encode(), f"{stem}.mod": b"", f"{stem}.zip": b""}
    closed = close(UNCHECKED, Selection(package="golang.org/toolchain", version=version), stock)
    assert f"{stem}.zip" in closed.keys
    assert "yes" not in closed.probes.values()


# --- versions -----------------------------------------------------------------------------------------------------


def versions_of(selection: Selection, stock: Mapping[str, bytes] = STOCK) -> list[str]:
    return [one.version for one in close(CHECKED, selection, stock).selections]


def test_without_a_version_all_of_the_list_are_meant_newest_first() -> None:
    assert versions_of(Selection(package="go.example/hello")) == ["v1.1.0", "v1.0.0"]


def test_a_release_is_newer_than_a_prerelease_as_the_go_command_has_it() -> None:
    assert versions_of(Selection(package="go.example/Capital", extent=Extent(latest=1))) == ["v1.0.0"]


def test_a_range_leaves_what_is_in_it() -> None:
    assert versions_of(Selection(package="go.example/hello", within=">=1.0.1, <2")) == ["v1.1.0"]
    with pytest.raises(Absent, match=r"go.example/hello >=2"):
        versions_of(Selection(package="go.example/hello", within=">=2"))
    with pytest.raises(BadRequest, match="constraint"):
        versions_of(Selection(package="go.example/hello", within=">=main"))


def test_what_policy_hides_is_not_chosen() -> None:
    hidden = {"go.example/hello/@v/list": frozenset({"v1.1.0"})}
    found = close(CHECKED, Selection(package="go.example/hello", extent=Extent(latest=1)), STOCK, hidden=hidden)
    assert [one.version for one in found.selections] == ["v1.0.0"]


def test_a_module_without_versions_has_that_of_its_newest_commit() -> None:
    version = "v0.0.0-20240501100000-0123456789ab"
    stock = {"a.example/m/@v/list": b"", "a.example/m/@latest": f'{{"Version": "{version}"}}'.encode()}
    assert versions_of(Selection(package="a.example/m"), stock) == [version]


# --- package URLs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("purl", "package", "version", "within"),
    [
        ("pkg:golang/host.example/Masterminds/semver@v3.2.1#v3", "host.example/Masterminds/semver/v3", "v3.2.1", ""),
        ("pkg:golang/go.example/old@v2.0.0%2Bincompatible", "go.example/old", "v2.0.0+incompatible", ""),
        ("pkg:golang/go.example/hello@1.1.0", "go.example/hello", "v1.1.0", ""),
        ("pkg:golang/go.example/hello@main", "go.example/hello", "main", ""),
        ("pkg:golang/go.example/hello@%3E%3D1.0", "go.example/hello", "", ">=1.0"),
        ("pkg:golang/go.example/hello", "go.example/hello", "", ""),
    ],
)
def test_mir_06_a_package_url_keeps_its_case_and_may_name_a_part_of_a_module(
    purl: str, package: str, version: str, within: str
) -> None:
    selection = CHECKED.select(parse_purl(purl), Extent())
    assert (selection.package, selection.version, selection.within) == (package, version, within)


def test_the_module_is_the_longest_path_that_has_the_version() -> None:
    closed = close(CHECKED, Selection(package="go.example/hello/sub/pkg", version="v1.1.0"), STOCK)
    assert "go.example/hello/@v/v1.1.0.zip" in closed.keys
    assert closed.probes["go.example/hello/sub/pkg/@v/v1.1.0.info"] == "maybe"
    assert versions_of(Selection(package="go.example/hello/sub")) == ["v1.1.0", "v1.0.0"]


def test_a_path_in_small_letters_is_reported_and_not_guessed() -> None:
    with pytest.raises(Absent, match=r"go.example/capital v1.0.0.*small letters"):
        close(CHECKED, Selection(package="go.example/capital", version="v1.0.0"), STOCK)


def test_what_comes_with_go_itself_is_skipped() -> None:
    skipped = close(CHECKED, Selection(package="stdlib", version="v1.22.0"), {}).skipped
    assert [(one.subject, "Go itself" in one.reason) for one in skipped] == [("stdlib v1.22.0", True)]


def test_files_have_the_package_url_of_their_module_and_the_database_has_none() -> None:
    resources = [need.resource for need in close(CHECKED, HELLO, STOCK).needs]
    purls = {str(CHECKED.purl_of(one, one.version)) for one in resources if one.key.endswith((".zip", "/supported"))}
    assert purls == {"pkg:golang/go.example/hello@v1.1.0", "None"}


# --- the checksum database ----------------------------------------------------------------------------------------


def test_private_modules_are_not_looked_up() -> None:
    for private in (
        Golang({"sumdb": GOSUMDB, "nosumdb": ["go.example/hello"]}),
        Golang({"sumdb": GOSUMDB}, ReservedNames((parse_reservation("go.example/hello", ("golang",), "here"),))),
    ):
        assert [key for key in close(private, HELLO, STOCK).keys if key.startswith("sumdb/")] == []


def test_without_a_known_database_none_is_asked() -> None:
    assert [key for key in close(UNCHECKED, HELLO, STOCK).keys if key.startswith("sumdb/")] == []


def test_where_the_database_cannot_be_reached_through_upstream_that_is_kept() -> None:
    stock = {key: body for key, body in STOCK.items() if not key.startswith("sumdb/")}
    closed = close(CHECKED, HELLO, stock)
    assert [key for key in closed.keys if key.startswith("sumdb/")] == [f"sumdb/{DATABASE}/supported"]
    assert closed.probes[f"sumdb/{DATABASE}/supported"] == "maybe"


def test_settling_names_the_widest_of_the_tiles_that_are_held() -> None:
    keys = [f"{TILES}/0/000.p/7", f"{TILES}/0/001.p/2", f"{TILES}/1/000.p/1", f"sumdb/{DATABASE}/latest"]
    found = [one.resource.key for one in CHECKED.settlement(keys) if isinstance(one, Need)]
    assert found == [f"{TILES}/0/000"]


def test_where_a_partial_tile_is_not_kept_the_full_one_is_held() -> None:
    stock = {key: body for key, body in STOCK.items() if not key.startswith(TILES)}
    closed = close(CHECKED, HELLO, stock)
    assert closed.probes[f"{TILES}/0/000.p/6"] == "maybe"
    assert f"{TILES}/0/000" in closed.keys


# --- digests of a go.sum ------------------------------------------------------------------------------------------


def sum_line(value: str) -> Selection:
    digest = Digest("h1", value)
    return Selection(package="go.example/hello", version="v1.1.0", files=("v1.1.0.zip",), digests=(digest,))


def test_a_line_of_go_sum_wants_one_file_with_its_description_and_proof() -> None:
    selection = Selection(package="go.example/world", version="v0.2.0", files=("v0.2.0.mod",))
    keys = close(CHECKED, selection, STOCK).keys
    assert {"go.example/world/@v/v0.2.0.mod", "go.example/world/@v/v0.2.0.info"} <= set(keys)
    assert f"sumdb/{DATABASE}/lookup/go.example/world@v0.2.0" in keys
    assert [key for key in keys if key.endswith((".zip", "/list", "/@latest"))] == []


@pytest.mark.parametrize("ecosystem", [CHECKED, UNCHECKED])
def test_other_contents_than_go_sum_says_are_an_error(ecosystem: Golang) -> None:
    published = STOCK[f"sumdb/{DATABASE}/lookup/go.example/hello@v1.1.0"].decode().split()[3].removeprefix("h1:")
    needs = close(ecosystem, sum_line(published), STOCK).needs
    assert [str(need.resource.digest) for need in needs if need.resource.key.endswith(".zip")] == [f"h1:{published}"]
    with pytest.raises(DigestMismatch, match=r"hello v1\.1\.0\.zip"):
        close(ecosystem, sum_line(f"{'A' * 43}="), STOCK)


def test_a_path_in_a_lock_file_is_a_modules_path() -> None:
    with pytest.raises(Absent, match="hello/sub"):
        close(UNCHECKED, Selection(package="go.example/hello/sub", version="v1.1.0", files=("v1.1.0.zip",)), STOCK)


# --- dependencies -------------------------------------------------------------------------------------------------


def test_dependencies_are_held_as_the_go_command_chooses_them() -> None:
    found = close_all(CHECKED, Selection(package="go.example/hello", version="v1.1.0", extent=DEEP), STOCK)
    assert zips(found) == {
        "go.example/hello/@v/v1.1.0.zip",
        "go.example/world/@v/v0.2.0.zip",
        "go.example/!capital/@v/v1.0.0.zip",
    }


def test_of_each_module_the_highest_required_version_is_built() -> None:
    stock = stock_of(
        m_v1_0_0="go 1.20\nrequire (\n\ta.example/a v1.0.0\n\ta.example/b v1.0.0 // indirect\n)",
        a_v1_0_0="go 1.20\nrequire a.example/b v1.2.0",
        b_v1_0_0="go 1.20\nrequire a.example/c v1.0.0",
        b_v1_2_0="go 1.20\nrequire a.example/c v1.0.0",
        c_v1_0_0="go 1.20",
    )
    found = close_all(UNCHECKED, Selection(package="a.example/m", version="v1.0.0", extent=DEEP), stock)
    # c is named by no go.mod that the go command reads whole: its packages are not imported.
    assert {key.split("/@v/")[0][-1] + key.split("/@v/")[1] for key in zips(found)} == {
        "mv1.0.0.zip", "av1.0.0.zip", "bv1.2.0.zip",
    }  # fmt: skip
    assert "a.example/b/@v/v1.0.0.mod" in mods(found)


def test_below_an_old_go_mod_everything_counts() -> None:
    stock = stock_of(
        m_v1_0_0="require a.example/a v1.0.0",
        a_v1_0_0="require a.example/b v1.0.0\nrequire a.example/m v0.9.0",
        b_v1_0_0="go 1.20\nrequire a.example/c v1.0.0",
        c_v1_0_0="go 1.20\nrequire a.example/lost v1.0.0",
        m_v0_9_0="require a.example/b v1.1.0",
        b_v1_1_0="",
    )
    found = close_all(UNCHECKED, Selection(package="a.example/m", version="v1.0.0", extent=DEEP), stock)
    assert zips(found) == {
        f"a.example/{name}/@v/{version}.zip"
        for name, version in {"m": "v1.0.0", "a": "v1.0.0", "b": "v1.1.0", "c": "v1.0.0"}.items()
    }


def test_of_dependencies_that_are_not_built_only_the_go_mod_is_held() -> None:
    stock = stock_of(
        m_v1_0_0="require a.example/a v1.0.0",
        a_v1_0_0="",
    )
    selection = Selection(package="a.example/m", version="v1.0.0", parts=("graph",))
    found = close_all(UNCHECKED, selection, stock)
    assert zips(found) == {"a.example/m/@v/v1.0.0.zip"}
    assert mods(found) == {"a.example/m/@v/v1.0.0.mod", "a.example/a/@v/v1.0.0.mod"}


def test_below_a_go_mod_that_names_all_it_needs_nobody_looks_further() -> None:
    stock = stock_of(
        m_v1_0_0="go 1.21\nrequire a.example/a v1.0.0",
        a_v1_0_0="go 1.21\nrequire a.example/b v1.0.0",
        b_v1_0_0="",
    )
    selection = Selection(package="a.example/m", version="v1.0.0", parts=("graph",))
    assert mods(close_all(UNCHECKED, selection, stock)) == {"a.example/m/@v/v1.0.0.mod", "a.example/a/@v/v1.0.0.mod"}
