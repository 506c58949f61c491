"""What is held of Debian packages: everything that apt asks for."""

import hashlib
from collections.abc import Iterator, Mapping

import pytest

from entrepot.contracts.ecosystem import Ecosystem, LockText
from entrepot.ecosystems.apt import Apt
from entrepot.ecosystems.apt_depends import Relation, read_relations
from entrepot.ecosystems.apt_lists import read_package_list
from entrepot.errors import Absent, BadRequest, DigestMismatch, UnreadableLock
from entrepot.model.digest import Digest
from entrepot.model.purl import parse_purl
from entrepot.model.release import Document
from entrepot.model.selection import Depth, Extent, Selection
from tests.ecosystems.closures import Closed, close

RUNTIME, ALL = Extent(depth=Depth.RUNTIME), Extent(depth=Depth.ALL)
OPTIONS: dict[str, object] = {"suites": ["debian/dists/stable"], "architectures": ["amd64"]}
ROOT = "debian/dists/stable"


def stanza(name: str, version: str = "1.0", **fields: str) -> str:
    digest = hashlib.sha256(f"{name}{version}".encode()).hexdigest()
    more = "".join(f"{key.replace('_', '-').title()}: {value}\n" for key, value in fields.items())
    return (
        f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n{more}"
        f"Filename: pool/{name}_{version}_amd64.deb\nSize: 1\nSHA256: {digest}\n\n"
    )


PACKAGES = "".join(
    [
        stanza("tool", "1.0"),
        stanza("tool", "2:2.0", depends="lib (>= 2) | other, mailer, absent (>= 9)", recommends="extra"),
        stanza("lib", "1.0"),
        stanza("lib", "2.5", pre_depends="base:any"),
        stanza("base"),
        stanza("postman", provides="mailer, versioned (= 3)"),
        stanza("extra"),
        stanza("wants", depends="versioned (>= 2)"),
    ]
)


def archive(*, by_hash: bool = True, inline: bool = True, packages: str = PACKAGES) -> Mapping[str, bytes | Document]:
    bodies = {"main/binary-amd64/Packages": packages.encode(), "main/i18n/Translation-en": b"x"}
    lines = [f" {hashlib.sha256(body).hexdigest()} {len(body)} {path}" for path, body in bodies.items()]
    head = "Components: main\n" + ("Acquire-By-Hash: yes\n" if by_hash else "")
    root = f"{head}SHA256:\n" + "\n".join(lines) + "\n"
    found: dict[str, bytes | Document] = {f"{ROOT}/{'InRelease' if inline else 'Release'}": root.encode()}
    for path, body in bodies.items():
        folder = path.rpartition("/")[0]
        name = f"{folder}/by-hash/SHA256/{hashlib.sha256(body).hexdigest()}" if by_hash else path
        found[f"{ROOT}/{name}"] = body
    return found


def closed(text: str, extent: Extent = RUNTIME, documents: Mapping[str, bytes | Document] | None = None) -> Closed:
    apt = Apt(OPTIONS)
    return close(apt, apt.select(parse_purl(text), extent), documents or archive())


def files(one: Closed) -> list[str]:
    return sorted(key.rpartition("/")[2] for key in one.keys if key.endswith(".deb"))


def closure_samples() -> Iterator[tuple[Ecosystem, Selection, Mapping[str, bytes | Document]]]:
    yield Apt(OPTIONS), Selection(package="tool", extent=ALL), archive()


@pytest.mark.parametrize("by_hash", [True, False])
def test_roots_indexes_and_translations_are_held_as_apt_asks_for_them(by_hash: bool) -> None:
    documents = archive(by_hash=by_hash)
    one = closed("pkg:deb/debian/base", documents=documents)
    assert set(documents) <= set(one.keys)
    assert files(one) == ["base_1.0_amd64.deb"]


def test_an_archive_without_inrelease_is_held_with_its_signature() -> None:
    one = closed("pkg:deb/debian/base", documents=archive(inline=False))
    assert one.probes == {f"{ROOT}/InRelease": "maybe", f"{ROOT}/Release.gpg": "maybe"}
    assert f"{ROOT}/Release" in one.keys


def test_dependencies_are_followed_through_alternatives_and_what_is_provided() -> None:
    one = closed("pkg:deb/debian/tool")
    assert files(one) == ["base_1.0_amd64.deb", "lib_2.5_amd64.deb", "postman_1.0_amd64.deb", "tool_2%3A2.0_amd64.deb"]
    assert [skipped.subject for skipped in one.skipped] == ["absent (>= 9) (of tool)"]


def test_what_is_recommended_is_part_of_everything() -> None:
    assert "extra_1.0_amd64.deb" in files(closed("pkg:deb/debian/tool", ALL))


def test_what_is_provided_with_a_version_satisfies_a_comparison() -> None:
    assert files(closed("pkg:deb/debian/wants")) == ["postman_1.0_amd64.deb", "wants_1.0_amd64.deb"]


@pytest.mark.parametrize("version", ["2:2.0", "2.0"])
def test_a_version_may_be_told_without_its_epoch(version: str) -> None:
    one = closed(f"pkg:deb/debian/tool@{version}", Extent())
    assert files(one) == ["tool_2%3A2.0_amd64.deb"]


def test_comparisons_choose_among_versions() -> None:
    assert files(closed("pkg:deb/debian/tool@<2:0", Extent())) == ["tool_1.0_amd64.deb"]


def test_what_no_index_has_is_absent() -> None:
    with pytest.raises(Absent, match="nothing"):
        closed("pkg:deb/debian/nothing")


def test_another_digest_than_the_order_tells_is_an_error() -> None:
    selection = Selection(package="base", digests=(Digest("sha256", "0" * 64),), extent=Extent())
    with pytest.raises(DigestMismatch):
        close(Apt(OPTIONS), selection, archive())


@pytest.mark.parametrize(
    ("options", "purl", "said"),
    [
        ({"architectures": ["amd64"]}, "pkg:deb/debian/base", "which suite"),
        ({"suites": ["stable"]}, "pkg:deb/debian/base", "which architecture"),
    ],
)
def test_what_the_order_leaves_open_must_be_configured(options: dict[str, object], purl: str, said: str) -> None:
    apt = Apt(options)
    with pytest.raises(BadRequest, match=said):
        close(apt, apt.select(parse_purl(purl), RUNTIME), archive())


def test_qualifiers_say_suite_and_architecture() -> None:
    apt = Apt()
    documents = {key.removeprefix("debian/"): body for key, body in archive().items()}
    one = close(apt, apt.select(parse_purl("pkg:deb/debian/base?arch=amd64&distro=stable"), Extent()), documents)
    assert files(one) == ["base_1.0_amd64.deb"]


def test_a_list_of_packages_is_one_selection() -> None:
    text = b"# wanted\ntool:amd64=1.0\nbase\tinstall\nlib\tdeinstall\n"
    (selection,) = read_package_list(LockText(name="apt-packages.txt", body=text, extent=Extent()))
    assert isinstance(selection, Selection)
    assert files(close(Apt(OPTIONS), selection, archive())) == ["base_1.0_amd64.deb", "tool_1.0_amd64.deb"]


def test_a_line_that_is_no_package_is_named() -> None:
    with pytest.raises(UnreadableLock, match="list:2"):
        list(read_package_list(LockText(name="list", body=b"tool\n<html>\n", extent=Extent())))


@pytest.mark.parametrize(
    ("text", "relations"),
    [
        ("a", [(Relation("a"),)]),
        ("a (>= 1:2) | b:any, c [linux-any] <!nocheck>", [
            (Relation("a", ">=", "1:2"), Relation("b")), (Relation("c"),),
        ]),
        ("", []),
    ],
)  # fmt: skip
def test_relations_are_read_with_their_alternatives(text: str, relations: list[tuple[Relation, ...]]) -> None:
    assert read_relations(text) == relations


@pytest.mark.parametrize(
    ("operator", "admitted"),
    [("<<", "0.9"), ("<=", "0.9 1.0"), ("=", "1.0"), (">=", "1.0 1.1"), (">>", "1.1"), ("", "0.9 1.0 1.1")],
)
def test_a_relation_admits_what_its_comparison_says(operator: str, admitted: str) -> None:
    relation = Relation("a", operator, "1.0" if operator else "")
    assert [one for one in ("0.9", "1.0", "1.1") if relation.admits(one)] == admitted.split()
