"""What apk asks for when it installs a package."""

from collections.abc import Iterator, Mapping

import pytest

from entrepot.contracts.ecosystem import Ecosystem
from entrepot.ecosystems.apk import Apk
from entrepot.errors import Absent, BadRequest, UnreadableIndex
from entrepot.model.digest import Digest
from entrepot.model.selection import Depth, Extent, Selection
from tests.clients.fixture_apk import COMMUNITY, MAIN, Package, apk_mirror, index
from tests.ecosystems.closures import close

APK = Apk({"branches": ["v3.20"], "architectures": ["x86_64"]})
STOCK = {path[1:]: body for path, (_, body) in apk_mirror().items()}
INDEXES = [f"{MAIN}/APKINDEX.tar.gz", f"{COMMUNITY}/APKINDEX.tar.gz"]
DEEP = Extent(depth=Depth.RUNTIME)
TOOL = Selection(package="acme-tool", version="2.0.1-r3")


def closure_samples() -> Iterator[tuple[Ecosystem, Selection, Mapping[str, bytes]]]:
    yield APK, TOOL, STOCK
    yield APK, Selection(package="acme-tool", extent=DEEP), STOCK
    yield APK, Selection(package="acme-tool", files=(f"{COMMUNITY}/acme-tool-2.0.1-r3.apk",)), STOCK


def packages(keys: list[str]) -> set[str]:
    return {key.rpartition("/")[2] for key in keys if key.endswith(".apk")}


def test_a_package_comes_with_all_indexes_of_its_branch() -> None:
    closed = close(APK, TOOL, STOCK)
    assert closed.keys == [*INDEXES, f"{COMMUNITY}/acme-tool-2.0.1-r3.apk"]
    assert closed.probes == dict.fromkeys(INDEXES, "maybe")


def test_a_repository_that_a_branch_has_not_is_no_failure() -> None:
    closed = close(APK, Selection(package="musl"), {INDEXES[0]: STOCK[INDEXES[0]]})
    assert packages(closed.keys) == {"musl-1.2.5-r0.apk"}


def test_dependencies_are_followed_by_name_by_what_is_provided_and_by_file() -> None:
    closed = close(APK, Selection(package="acme-tool", extent=DEEP), STOCK)
    assert packages(closed.keys) == {
        "acme-tool-2.0.1-r3.apk", "libcrypto3-3.3.1-r0.apk", "musl-1.2.5-r0.apk", "busybox-binsh-1.36.1-r29.apk",
    }  # fmt: skip
    assert closed.skipped == []


def test_what_installs_itself_comes_once_all_that_it_names_is_there() -> None:
    stock = dict(STOCK)
    wish = Package(name="both", version="1-r0", depends=["acme-tool", "openrc"])
    stock[INDEXES[0]] = index([wish, *_main()])
    closed = close(APK, Selection(package="both", extent=DEEP), stock)
    assert "acme-tool-openrc-2.0.1-r3.apk" in packages(closed.keys)


def _main() -> list[Package]:
    return [
        Package(name="openrc", version="1-r0"),
        Package(name="one-shell", version="1-r0", provides=["/bin/sh"]),
        Package(name="other-shell", version="1-r0", provides=["/bin/sh"]),
    ]


def test_all_that_provide_something_are_held_and_what_nobody_has_is_told() -> None:
    closed = close(APK, Selection(package="acme-tool", extent=DEEP), {**STOCK, INDEXES[0]: index(_main())})
    assert {"one-shell-1-r0.apk", "other-shell-1-r0.apk"} <= packages(closed.keys)
    assert [one.subject for one in closed.skipped] == ["so:libcrypto.so.3", "musl"]
    assert "acme-tool depends on it" in closed.skipped[0].reason


def test_packages_that_need_each_other_are_held_once() -> None:
    ring = [Package(name=name, version="1-r0", depends=[other]) for name, other in (("a", "b"), ("b", "a"))]
    closed = close(APK, Selection(package="a", extent=DEEP), {INDEXES[0]: index(ring)})
    assert packages(closed.keys) == {"a-1-r0.apk", "b-1-r0.apk"}


def test_a_package_of_another_architecture_is_where_apk_looks_for_it() -> None:
    closed = close(APK, Selection(package="acme-docs+"), STOCK)
    assert closed.keys[-1] == "v3.20/community/noarch/acme-docs%2B-1.0_rc2-r0.apk"


@pytest.mark.parametrize(
    ("qualifiers", "extent", "folder"),
    [
        ((("arch", "aarch64"), ("distro", "alpine-3.19.4")), Extent(), "v3.19/main/aarch64"),
        ((("distro", "edge"),), Extent(platforms=("linux/arm64",)), "edge/main/aarch64"),
        ((("arch", "riscv64"),), Extent(platforms=("linux/amd64",)), "v3.20/main/riscv64"),
        ((("arch", "noarch"),), Extent(), "v3.20/main/x86_64"),
        ((), Extent(platforms=("loongarch64",)), "v3.20/main/loongarch64"),
    ],
)
def test_an_order_tells_branch_and_architecture(
    qualifiers: tuple[tuple[str, str], ...], extent: Extent, folder: str
) -> None:
    stock = {f"{folder}/APKINDEX.tar.gz": STOCK[INDEXES[0]]}
    closed = close(APK, Selection(package="musl", qualifiers=qualifiers, extent=extent), stock)
    assert closed.keys[0] == f"{folder}/APKINDEX.tar.gz"


def test_a_repository_without_branches_has_its_architectures_at_its_root() -> None:
    flat = Apk({"branches": [""], "repositories": [""], "architectures": ["x86_64"]})
    closed = close(flat, Selection(package="musl"), {"x86_64/APKINDEX.tar.gz": STOCK[INDEXES[0]]})
    assert closed.keys == ["x86_64/APKINDEX.tar.gz", "x86_64/musl-1.2.5-r0.apk"]


def test_an_order_that_nobody_can_place_says_what_is_missing() -> None:
    with pytest.raises(BadRequest, match=r"distro=3\.20&arch=x86_64"):
        close(Apk(), Selection(package="musl"), {})
    with pytest.raises(BadRequest, match="darwin"):
        close(APK, Selection(package="musl", extent=Extent(platforms=("darwin/arm64",))), {})


@pytest.mark.parametrize("selection", [Selection(package="acme-tool", version="1.0-r0"), Selection(package="none")])
def test_a_version_that_is_in_no_index_is_absent(selection: Selection) -> None:
    with pytest.raises(Absent):
        close(APK, selection, STOCK)


def test_a_range_is_compared_as_apk_compares() -> None:
    assert len(close(APK, Selection(package="acme-tool", within=">=2.0.1_rc1, <2.1"), STOCK).keys) == 3
    with pytest.raises(Absent):
        close(APK, Selection(package="acme-tool", within=">2.0.1-r3"), STOCK)
    with pytest.raises(BadRequest):
        close(APK, Selection(package="acme-tool", within=">>2"), STOCK)


def test_a_file_that_was_served_before_is_brought_from_its_place() -> None:
    file = f"{COMMUNITY}/acme-tool-2.0.1-r3.apk"
    digest = Digest("sha256", "0" * 64)
    closed = close(APK, Selection(package="acme-tool", files=(file,), digests=(digest,)), {})
    assert closed.keys == [INDEXES[1], file]
    assert closed.needs[-1].resource.digest == digest


def test_an_index_that_cannot_be_read_fails_the_order() -> None:
    with pytest.raises(UnreadableIndex):
        close(APK, TOOL, {**STOCK, INDEXES[0]: b"<html>"})
