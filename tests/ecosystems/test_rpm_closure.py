"""What dnf will ask for of a package, and what packages bring along."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from xml.sax.saxutils import escape

import pytest

from entrepot.contracts.ecosystem import Ecosystem, LockText
from entrepot.ecosystems.rpm import Rpm
from entrepot.ecosystems.rpm_lists import read_package_list
from entrepot.errors import Absent, BadRequest, DigestMismatch, UnreadableLock
from entrepot.model.digest import Digest
from entrepot.model.purl import parse_purl
from entrepot.model.selection import Depth, Extent, Selection
from tests.ecosystems.closures import Closed, close

DEEP = Extent(depth=Depth.RUNTIME)
_SIGNS = {"=": "EQ", "<": "LT", "<=": "LE", ">": "GT", ">=": "GE"}
_NAMESPACES = 'xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm"'


def _entry(text: str) -> str:
    """`name` or `name >= version`, or a rich dependency."""
    name, _, rest = text.partition(" ")
    if text.startswith("(") or not rest:
        return f'<rpm:entry name="{escape(text)}"/>'
    sign, _, version = rest.partition(" ")
    epoch, _, plain = version.rpartition(":")
    ver, _, rel = plain.partition("-")
    told = f' rel="{rel}"' if rel else ""
    return f'<rpm:entry name="{name}" flags="{_SIGNS[sign]}" epoch="{epoch or 0}" ver="{ver}"{told}/>'


@dataclass(slots=True)
class Repository:
    """In `path`, with metadata that has its digest in its name."""

    path: str = ""
    packages: list[str] = field(default_factory=list)

    def add(
        self,
        name: str,
        evr: str,
        *requires: str,
        arch: str = "x86_64",
        provides: str = "",
        recommends: str = "",
        file: str = "",
    ) -> "Repository":
        epoch, _, plain = evr.rpartition(":")
        ver, _, rel = plain.partition("-")
        own = [f"{name} = {evr}", *filter(None, provides.split(";"))]
        relations = {"provides": own, "requires": requires, "recommends": tuple(filter(None, recommends.split(";")))}
        told = "".join(f"<rpm:{kind}>{''.join(map(_entry, of))}</rpm:{kind}>" for kind, of in relations.items())
        self.packages.append(
            f"<package><name>{name}</name><arch>{arch}</arch>"
            f'<version epoch="{epoch or 0}" ver="{ver}" rel="{rel}"/>'
            f'<checksum type="sha256">{digest_of(name, evr)}</checksum><size package="7"/>'
            f'<location href="Packages/{name}-{plain}.{arch}.rpm"/>'
            f"<format>{told}{f'<file>{file}</file>' if file else ''}</format></package>"
        )
        return self

    @property
    def files(self) -> dict[str, bytes]:
        primary = f"<metadata {_NAMESPACES}>{''.join(self.packages)}</metadata>".encode()
        others = {"filelists": b"f", "updateinfo": b"u", "primary_db": b"d"}
        base = f"{self.path}/" if self.path else ""
        named = {
            kind: (f"repodata/{hashlib.sha256(body).hexdigest()}-{kind}.xml", body)
            for kind, body in {"primary": primary, **others}.items()
        }
        data = "".join(
            f'<data type="{kind}"><checksum type="sha256">{hashlib.sha256(body).hexdigest()}</checksum>'
            f'<location href="{href}"/></data>'
            for kind, (href, body) in named.items()
        )
        found = {f"{base}{href}": body for href, body in named.values()}
        return found | {f"{base}repodata/repomd.xml": f"<repomd>{data}</repomd>".encode()}


def digest_of(name: str, evr: str) -> str:
    return hashlib.sha256(f"{name} {evr}".encode()).hexdigest()


STOCK = (
    Repository()
    .add("app", "1.0-1", "lib(x) >= 2", "/usr/bin/tool", "rpmlib(PayloadIsZstd) <= 1", "(extra if other)")
    .add("app", "2:0.9-3", "lib(x) >= 2", "gone", recommends="nice;never")
    .add("app", "1.0-1", arch="aarch64")
    .add("libx", "3-1", "base", provides="lib(x) = 2.5")
    .add("libx", "2-1", provides="lib(x) = 2.0")
    .add("libx", "9-1", arch="i686", provides="lib(x) = 9")
    .add("libx-compat", "9-1", provides="lib(x) = 9")
    .add("old-libx", "1-1", provides="lib(x) = 1")
    .add("tools", "1-1", arch="noarch", file="/usr/bin/tool")
    .add("base", "1-1", "app")
    .add("extra", "1-1")
    .add("nice", "1-1", arch="noarch")
).files
METADATA = {key for key in STOCK if "primary_db" not in key} | {"repodata/repomd.xml.asc", "repodata/repomd.xml.key"}


def order(text: str, **changes: object) -> Selection:
    selection = Rpm().select(parse_purl(text), Extent())
    return replace(selection, **changes)  # type: ignore[arg-type]


def packages(closed: Closed) -> list[str]:
    return sorted(key.rpartition("/")[2].removesuffix(".rpm") for key in closed.keys if key.endswith(".rpm"))


def chosen(text: str, stock: Mapping[str, bytes] = STOCK, options: dict[str, object] | None = None) -> list[str]:
    return packages(close(Rpm(options), order(text), stock))


def closure_samples() -> Iterator[tuple[Ecosystem, Selection, Mapping[str, bytes]]]:
    yield Rpm(), order("pkg:rpm/fedora/app@1.0-1?arch=x86_64"), STOCK
    yield Rpm(), order("pkg:rpm/fedora/app", extent=DEEP), STOCK
    yield Rpm(), order("pkg:rpm/app", parts=("app", "libx")), STOCK


# --- which packages ---------------------------------------------------------------------------------------------------


def test_a_package_comes_with_the_metadata_that_clients_read() -> None:
    closed = close(Rpm(), order("pkg:rpm/fedora/app@1.0-1?arch=x86_64"), STOCK)
    assert {*closed.keys} == METADATA | {"Packages/app-1.0-1.x86_64.rpm"}
    assert closed.probes == {"repodata/repomd.xml.asc": "maybe", "repodata/repomd.xml.key": "maybe"}
    (need,) = [need for need in closed.needs if need.resource.listed_anywhere]
    assert need.resource.digest == Digest("sha256", digest_of("app", "1.0-1"))


@pytest.mark.parametrize(
    ("purl", "expected"),
    [
        ("pkg:rpm/fedora/app", ["app-0.9-3.x86_64", "app-1.0-1.aarch64", "app-1.0-1.x86_64"]),
        ("pkg:rpm/fedora/app?arch=aarch64", ["app-1.0-1.aarch64"]),
        ("pkg:rpm/fedora/app@0.9-3?epoch=2", ["app-0.9-3.x86_64"]),
        ("pkg:rpm/fedora/app@0.9-3", ["app-0.9-3.x86_64"]),
        ("pkg:rpm/fedora/app@1.0?arch=x86_64", ["app-1.0-1.x86_64"]),
        ("pkg:rpm/fedora/app@%3E%3D2:0", ["app-0.9-3.x86_64"]),
        ("pkg:rpm/fedora/libx@%3C3?arch=x86_64", ["libx-2-1.x86_64"]),
    ],
)
def test_which_packages_a_purl_means(purl: str, expected: list[str]) -> None:
    assert chosen(purl) == expected


@pytest.mark.parametrize("purl", ["pkg:rpm/fedora/none", "pkg:rpm/app@7-1", "pkg:rpm/app@1.0-1?epoch=3"])
def test_what_the_repository_does_not_name_fails(purl: str) -> None:
    with pytest.raises(Absent):
        chosen(purl)


def test_the_newest_versions_are_those_by_rpms_order() -> None:
    newest = order("pkg:rpm/app", extent=Extent(latest=1))
    assert packages(close(Rpm(), newest, STOCK)) == ["app-0.9-3.x86_64"]


def test_platforms_name_architectures() -> None:
    there = order("pkg:rpm/libx", extent=Extent(platforms=("linux/386",)))
    assert packages(close(Rpm(), there, STOCK)) == ["libx-9-1.i686"]
    own = order("pkg:rpm/app", extent=Extent(platforms=("aarch64",)))
    assert packages(close(Rpm(), own, STOCK)) == ["app-1.0-1.aarch64"]


def test_a_digest_of_other_bytes_fails() -> None:
    right = Digest("sha256", digest_of("app", "1.0-1"))
    wanted = order("pkg:rpm/app@1.0-1?arch=x86_64", digests=(right,))
    assert packages(close(Rpm(), wanted, STOCK)) == ["app-1.0-1.x86_64"]
    with pytest.raises(DigestMismatch):
        close(Rpm(), replace(wanted, digests=(Digest("sha256", "0" * 64),)), STOCK)


def test_files_are_told_by_their_names() -> None:
    wanted = order("pkg:rpm/app", files=("app-1.0-1.aarch64.rpm",))
    assert packages(close(Rpm(), wanted, STOCK)) == ["app-1.0-1.aarch64"]


def test_comparisons_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(BadRequest):
        chosen("pkg:rpm/app@%3E%3D")


def listed(text: str, extent: Extent | None = None) -> list[Selection]:
    found = read_package_list(LockText(name="rpm-packages.txt", body=text.encode(), extent=extent or Extent()))
    return [one for one in found if isinstance(one, Selection)]


def test_a_list_of_packages_is_one_selection() -> None:
    text = "# mine\napp-1.0-1.x86_64\nlibx.x86_64\n\napp-2:0.9-3 # old\nnice\ngpg-pubkey-a15b79cc-63d04c2c\n"
    (selection,) = listed(text)
    closed = close(Rpm(), selection, STOCK)
    assert packages(closed) == ["app-0.9-3.x86_64", "app-1.0-1.x86_64", "libx-3-1.x86_64", "nice-1-1.noarch"]
    assert closed.read == ["repodata/repomd.xml", next(key for key in STOCK if "primary.xml" in key)]
    (deeper,) = listed("tools\napp-1.0-1.aarch64", DEEP)
    assert packages(close(Rpm(), deeper, STOCK)) == ["app-1.0-1.aarch64", "tools-1-1.noarch"]


def test_what_a_list_names_in_vain_is_told_by_name() -> None:
    (selection,) = listed("nice\nnobody-1-1\napp-7\n")
    with pytest.raises(Absent, match="nobody-1-1, app-7 in the metadata"):
        close(Rpm(), selection, STOCK)


@pytest.mark.parametrize("text", ["a b", "-x", "/usr/bin/x", "a\nb(c)"])
def test_a_line_that_is_no_package_is_told_with_its_number(text: str) -> None:
    with pytest.raises(UnreadableLock, match=rf"rpm-packages.txt:{text.count(chr(10)) + 1}: "):
        listed(text)


def test_a_list_that_is_no_text_or_names_nothing() -> None:
    assert listed("# nothing\n") == []
    with pytest.raises(UnreadableLock, match="UTF-8"):
        list(read_package_list(LockText(name="rpm-packages", body=b"\xff", extent=Extent())))


# --- which repositories -----------------------------------------------------------------------------------------------


def test_packages_are_looked_for_below_all_paths_that_are_configured() -> None:
    both = Repository("os").add("app", "1-1").files | Repository("updates").add("app", "2-1").add("b", "1-1").files
    options: dict[str, object] = {"paths": ["os", "/updates/"]}
    assert chosen("pkg:rpm/app", both, options) == ["app-1-1.x86_64", "app-2-1.x86_64"]
    assert chosen("pkg:rpm/b", both, options) == ["b-1-1.x86_64"]
    assert chosen("pkg:rpm/app?path=os", both, options) == ["app-1-1.x86_64"]


def test_a_root_without_packages_fails() -> None:
    with pytest.raises(Absent, match="primary"):
        chosen("pkg:rpm/app", {"repodata/repomd.xml": b"<repomd/>"})


# --- dependencies -----------------------------------------------------------------------------------------------------


def deep(text: str, stock: Mapping[str, bytes] = STOCK) -> Closed:
    return close(Rpm(), order(text, extent=DEEP), stock)


def test_a_package_brings_what_it_requires_and_recommends() -> None:
    """`arch` is of the package that is named: what that brings along has any that suits."""
    closed = deep("pkg:rpm/app@1.0-1?arch=x86_64")
    assert packages(closed) == [
        "app-1.0-1.x86_64", "base-1-1.x86_64", "extra-1-1.x86_64", "libx-3-1.x86_64", "tools-1-1.noarch",
    ]  # fmt: skip
    assert closed.skipped == []


def test_what_nobody_provides_is_told_and_what_is_only_recommended_is_not() -> None:
    closed = deep("pkg:rpm/app@0.9-3?epoch=2")
    assert packages(closed) == ["app-0.9-3.x86_64", "base-1-1.x86_64", "libx-3-1.x86_64", "nice-1-1.noarch"]
    assert [one.subject for one in closed.skipped] == ["app 2:0.9-3 requires gone"]


@pytest.mark.parametrize(
    ("provided", "required", "fits"),
    [
        ("c = 1.5", "c >= 1", True), ("c = 1.5", "c > 1.5", False), ("c = 1.5", "c < 1.5", False),
        ("c = 1.5", "c = 1.5", True), ("c = 1.5-2", "c = 1.5", True), ("c = 1.5-2", "c = 1.5-1", False),
        ("c = 1:1", "c >= 2", True), ("c >= 1", "c = 9", True), ("c < 1", "c = 9", False), ("c", "c = 9", True),
        ("c = 1", "c", True), ("c = 1", "c <= 1", True), ("c < 1", "c >= 1", False), ("c > 1", "c < 9", True),
    ],
)  # fmt: skip
def test_versions_fit_as_rpm_has_it(provided: str, required: str, fits: bool) -> None:
    stock = Repository().add("a", "1-1", required).add("p", "1-1", provides=provided).files
    assert packages(deep("pkg:rpm/a", stock)) == (["a-1-1.x86_64", "p-1-1.x86_64"] if fits else ["a-1-1.x86_64"])


def test_of_a_rich_dependency_each_operand_comes() -> None:
    stock = Repository().add("a", "1-1", "((b >= 2 and c) or lib(z) unless d)")
    stock = stock.add("b", "1-1").add("b", "2-1").add("c", "1-1").add("z", "1-1", provides="lib(z)").add("d", "1-1")
    assert packages(deep("pkg:rpm/a", stock.files)) == [
        f"{one}.x86_64" for one in ("a-1-1", "b-2-1", "c-1-1", "d-1-1", "z-1-1")
    ]


def test_a_package_for_all_architectures_brings_what_it_wants_for_each() -> None:
    made = Repository().add("a", "1-1", "lib", arch="noarch").add("lib", "1-1")
    stock = made.add("lib", "1-1", arch="aarch64").add("lib", "2-1", arch="aarch64").files
    for purl in ("pkg:rpm/a", "pkg:rpm/a?arch=noarch"):
        assert packages(deep(purl, stock)) == ["a-1-1.noarch", "lib-1-1.x86_64", "lib-2-1.aarch64"]
    only = order("pkg:rpm/a", extent=Extent(depth=Depth.RUNTIME, platforms=("linux/arm64",)))
    assert packages(close(Rpm(), only, stock)) == ["a-1-1.noarch", "lib-2-1.aarch64"]
